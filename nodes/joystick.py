"""joystick: publishes a pad by its controls on /gamepad, and by its own numbers on /joy, from Linux's joystick device.

/gamepad is as ROS's game_controller_node has it, /joy as its joy_node; PyPI has neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from rclpy.publisher import Publisher
from sensor_msgs.msg import Joy

from outlap.drivers.joystick import JoystickDevice
from outlap.drivers.pads import PadLayout, find_layout, load_pads
from outlap.files import Model
from outlap.hand.config import load_hand
from outlap.vehicle.hardware import DevicePath

from .shared import topics
from .shared.program import ERROR, OK, WARN, Diagnostics, LifecycleProgram, read_parameters, run, seconds, steady_clock
from .shared.statuses import JoystickStatus

LOOK = 0.01  # s between two looks at an open device
VERIFY = 0.1  # s between two questions who it is
RETRY = 0.6  # s between two tries to open it: longer than a hand file's longest joystick.lost, so that each is a loss


class Parameters(Model):
    """See config/drive.yaml."""

    device: DevicePath
    rate: Annotated[float, Field(ge=20, le=100)]  # Hz
    config: str


class JoystickNode(LifecycleProgram):
    """A device in, messages out: at once when something changes, and again and again while nothing does."""

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        self._config, self._pads = load_hand(parameters.config), load_pads()
        self._device = JoystickDevice(parameters.device)
        self._every = 1 / parameters.rate  # s
        self._steady = steady_clock()
        self._sent = self._tried = self._verified = float("-inf")  # s
        self._present: bool | None = None  # None: nothing was told yet
        self._layout: PadLayout | None = None
        self._refused = ""
        self._numbered = topics.JOY.publisher(self)
        self._named = topics.GAMEPAD.publisher(self)
        self._diagnostics = Diagnostics(self, self._status)
        self.create_timer(LOOK, self._look, clock=self._steady)

    def close(self) -> None:
        """Let go of the device."""
        if hasattr(self, "_device"):
            self._device.close()

    def _look(self) -> None:
        now = seconds(self._steady)
        if not self._device.present and now - self._tried < RETRY:
            return
        self._tried = now
        changed = self._device.read()
        if now - self._verified >= VERIFY:
            self._verified = now
            self._device.verify()
        if self._device.present != self._present and (self._device.present or self._device.problem):
            self._present = self._device.present
            self._tell()
        if self._device.present and (changed or now - self._sent >= self._every):
            self._publish(self._numbered, self._device.axes, self._device.buttons)
            if self._layout is not None:
                self._publish(self._named, *self._layout.controls(self._device.axes, self._device.buttons))
            self._sent = now

    def _publish(self, publisher: Publisher, axes: Sequence[float], buttons: Sequence[int]) -> None:
        message = Joy(axes=axes, buttons=buttons)
        message.header.stamp, message.header.frame_id = self.get_clock().now().to_msg(), "joy"
        publisher.publish(message)

    def _tell(self) -> None:
        path, pad = self._device.path, self._device.identity
        self._layout, self._refused = None, ""
        # rclpy ties a severity to its line of code.
        if not self._device.present or pad is None:
            self.get_logger().error(f"{path} cannot be read: {self._device.problem}; looking for it")
        elif isinstance(found := find_layout(pad, self._config.pads, self._pads), str):
            self._refused = found if self._config.joystick.named else ""
            if self._refused:
                self.get_logger().error(f"{path}: {found}")
            else:
                self.get_logger().warning(f"{path}, which the hand file reads by number: {found}")
        else:
            self._layout = found
            self.get_logger().info(f"{path} is there: {pad}, layout {found.name}")
            if not self._config.joystick.named:
                meaning = self._config.joystick.numbers_as(found.name_of)
                self.get_logger().warning(f"the hand file gives numbers; on this pad {meaning}")
        self._diagnostics.publish()

    def _status(self) -> tuple[bytes, str, JoystickStatus]:
        values = JoystickStatus(
            device=self._device.path,
            axes=len(self._device.axes),
            buttons=len(self._device.buttons),
            pad=str(self._device.identity or ""),
            layout=self._layout.name if self._layout is not None else "",
        )
        if not self._device.present:
            return WARN, self._device.problem or "it has not said anything yet", values
        return (ERROR, self._refused, values) if self._refused else (OK, "reads", values)


def main() -> None:
    run(lambda: JoystickNode("joystick"))


if __name__ == "__main__":
    main()
