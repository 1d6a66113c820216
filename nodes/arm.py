"""arm: asks the motor once to arm, or to disarm, prints its answer, and ends with 0 where it did, else 1."""

from __future__ import annotations

from typing import Annotated

from diagnostic_msgs.msg import DiagnosticArray
from pydantic import Field
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import SetBool

from outlap.files import Model

from .shared import topics
from .shared.motors import Motors
from .shared.program import read_parameters, run, seconds, steady_clock
from .shared.statuses import MotorStatus, StatusReader

LOOK = 0.02  # s between two looks
COMPANY = 0.5  # s from a motor's answering until another on the network would be known, too
NAMING = 1.5  # s; each motor says every second where it runs


class Parameters(Model):
    """See config/drive.yaml."""

    arm: bool
    patience: Annotated[float, Field(gt=0, le=60)]  # s


class ArmNode(Node):
    """One question and its answer."""

    def __init__(self) -> None:
        super().__init__("arm", automatically_declare_parameters_from_overrides=True)
        parameters = read_parameters(self, Parameters)
        self._arm = parameters.arm
        self._client = topics.ARM.client(self)
        self._steady = steady_clock()
        self._motors = Motors(self, NAMING)
        self._reader = StatusReader(topics.DIAGNOSTICS.resolved(self), lambda text: None, MotorStatus)
        topics.DIAGNOSTICS.subscription(self, self._hear)
        self._ready: float | None = None  # steady s, since when a motor answers
        self._asked: Future | None = None
        self.exit_code: int | None = None
        self._until = seconds(self._steady) + parameters.patience
        self.create_timer(LOOK, self._look, clock=self._steady)

    def _look(self) -> None:
        now = seconds(self._steady)
        if self._ready is None and self._client.service_is_ready():
            self._ready = now
        # To disarm, nobody has to wait, and all that hear it may.
        if self._asked is None and self._ready is not None and (not self._arm or now - self._ready >= COMPANY):
            if self._arm and self._motors.several(now):
                if problem := self._motors.problem(now):
                    print(f"not armed: {problem}", flush=True)
                    self.exit_code = 1
                return
            self._asked = self._client.call_async(SetBool.Request(data=self._arm))
        answer = self._asked.result() if self._asked is not None and self._asked.done() else None
        if answer is not None:
            print(answer.message if self._arm or not answer.success else "disarmed", flush=True)
            self.exit_code = 0 if answer.success else 1
        elif now > self._until:
            others = ", ".join(self._elsewhere())
            print("no motor answered" + (f" here; say which with --namespace: {others}" if others else ""), flush=True)
            self.exit_code = 1

    def _hear(self, message: DiagnosticArray) -> None:
        for heard in self._reader.read(message):
            self._motors.hear(heard, seconds(self._steady))

    def _elsewhere(self) -> list[str]:
        """The namespaces of this domain in which a motor answers."""
        own, name = self._client.service_name, f"/{topics.ARM.name}"
        offered = [service for service, _ in self.get_service_names_and_types() if service.endswith(name)]
        return sorted(service.removesuffix(name) or "/" for service in offered if service != own)


def main() -> None:
    run(ArmNode)


if __name__ == "__main__":
    main()
