"""hand: a joystick's axes and buttons, /joy, become commands on /cmd_vel/hand and requests to /motor/arm."""

from __future__ import annotations

from sensor_msgs.msg import Joy

from outlap.files import Model
from outlap.hand.config import load_hand
from outlap.hand.pad import Pad
from outlap.vehicle.car import load_car

from .shared import topics
from .shared.hand_link import PERIOD, Helm
from .shared.program import ERROR, OK, WARN, Diagnostics, LifecycleProgram, read_parameters, run
from .shared.statuses import HandStatus

DEVICE = "joystick"


class Parameters(Model):
    """See config/drive.yaml."""

    config: str
    car: str


class HandNode(LifecycleProgram):
    """/joy in, commands out; silent until somebody presses the dead-man's switch or asks to arm."""

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        config = load_hand(parameters.config)
        self._pad = Pad(config.joystick)
        self._helm = Helm(self, config, load_car(parameters.car), lambda text: self._told(text))
        self._refused = ""
        self._diagnostics = Diagnostics(self, self._status)
        topics.JOY.subscription(self, self._joy)
        self.create_timer(PERIOD, self._tick, clock=self._helm.steady)

    def _joy(self, message: Joy) -> None:
        now = self._helm.now()
        for action in self._pad.hear(now, message.axes, message.buttons):
            self._helm.hand.act(now, action, DEVICE)
        if self._pad.refused and self._pad.refused != self._refused:
            self.get_logger().error(self._pad.refused)
        self._refused = self._pad.refused

    def _tick(self) -> None:
        self._helm.step({DEVICE: self._pad.wish(self._helm.now())})

    def _told(self, text: str) -> None:
        self.get_logger().warning(text)

    def _status(self) -> tuple[bytes, str, HandStatus]:
        values = HandStatus(limit=self._helm.hand.limit, drives=self._helm.hand.drives)
        if self._pad.refused:
            return ERROR, self._pad.refused, values
        if self._pad.wish(self._helm.now()) is None:
            return WARN, "no joystick", values
        return OK, "drives" if self._helm.hand.drives else "waits for the dead-man's switch", values


def main() -> None:
    run(lambda: HandNode("hand"))


if __name__ == "__main__":
    main()
