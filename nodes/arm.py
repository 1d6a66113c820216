"""arm: asks the motor once to arm, or to disarm, prints its answer, and ends with 0 where it did, else 1."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import SetBool

from outlap.files import Model

from .shared import topics
from .shared.program import read_parameters, run, seconds, steady_clock

LOOK = 0.02  # s between two looks


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
        self._asked: Future | None = None
        self.exit_code: int | None = None
        self._steady = steady_clock()
        self._until = seconds(self._steady) + parameters.patience
        self.create_timer(LOOK, self._look, clock=self._steady)

    def _look(self) -> None:
        if self._asked is None and self._client.service_is_ready():
            self._asked = self._client.call_async(SetBool.Request(data=self._arm))
        answer = self._asked.result() if self._asked is not None and self._asked.done() else None
        if answer is not None:
            print(answer.message if self._arm or not answer.success else "disarmed", flush=True)
            self.exit_code = 0 if answer.success else 1
        elif seconds(self._steady) > self._until:
            print("no motor answered", flush=True)
            self.exit_code = 1


def main() -> None:
    run(ArmNode)


if __name__ == "__main__":
    main()
