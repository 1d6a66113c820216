"""hand: a pad's controls (/gamepad), or its own numbers (/joy), become commands and requests to /motor/arm."""

from __future__ import annotations

from sensor_msgs.msg import Joy

from outlap.files import Model
from outlap.hand.config import load_hand
from outlap.hand.pad import NUMBERS, Pad
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
    """Joystick in, commands out; silent until somebody presses the dead-man's switch or asks to arm."""

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        config = load_hand(parameters.config)
        self._pad = Pad(config.joystick)
        self._helm = Helm(self, config, load_car(parameters.car), lambda text: self._told(text))
        self._refused = ""
        self._diagnostics = Diagnostics(self, self._status)
        self._named = config.joystick.named
        if self._named:
            topics.GAMEPAD.subscription(self, self._joy)
        else:
            topics.JOY.subscription(self, self._joy)
            self.get_logger().warning(NUMBERS)
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
            others = [each.node_name for each in topics.JOY.publishers(self) if each.node_name != DEVICE]
            if self._named and others:
                return (
                    WARN,
                    f"no joystick on /gamepad, where the hand file's names come from; {others[0]} is on /joy",
                    values,
                )
            return WARN, "no joystick", values
        if self._pad.waits_for and self._helm.hand.drives:
            return WARN, f"{self._pad.waits_for} was not seen at rest yet: let go of it", values
        return OK, "drives" if self._helm.hand.drives else "waits for the dead-man's switch", values


def main() -> None:
    run(lambda: HandNode("hand"))


if __name__ == "__main__":
    main()
