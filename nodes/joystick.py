"""joystick: publishes /joy from Linux's joystick device, as ROS's own joy_node does, which PyPI does not have."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from sensor_msgs.msg import Joy

from outlap.drivers.joystick import JoystickDevice
from outlap.files import Model
from outlap.vehicle.hardware import DevicePath

from .shared import topics
from .shared.program import OK, WARN, Diagnostics, LifecycleProgram, read_parameters, run, seconds, steady_clock
from .shared.statuses import JoystickStatus

LOOK = 0.01  # s between two looks at an open device
RETRY = 0.5  # s between two tries to open it


class Parameters(Model):
    """See config/drive.yaml."""

    device: DevicePath
    rate: Annotated[float, Field(ge=20, le=100)]  # Hz


class JoystickNode(LifecycleProgram):
    """A device in, /joy out: at once when something changes, and again and again while nothing does."""

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        self._device = JoystickDevice(parameters.device)
        self._every = 1 / parameters.rate  # s
        self._steady = steady_clock()
        self._sent = self._tried = float("-inf")  # s
        self._present: bool | None = None  # None: nothing was told yet
        self._publisher = topics.JOY.publisher(self)
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
        if self._device.present and (changed or now - self._sent >= self._every):
            message = Joy(axes=self._device.axes, buttons=self._device.buttons)
            message.header.stamp, message.header.frame_id = self.get_clock().now().to_msg(), "joy"
            self._publisher.publish(message)
            self._sent = now
        if self._device.present != self._present and (self._device.present or self._device.problem):
            self._present = self._device.present
            # rclpy ties a severity to its line of code.
            if self._present:
                self.get_logger().info(f"{self._device.path} is there")
            else:
                self.get_logger().error(f"{self._device.path} cannot be read: {self._device.problem}; looking for it")
            self._diagnostics.publish()

    def _status(self) -> tuple[bytes, str, JoystickStatus]:
        values = JoystickStatus(
            device=self._device.path, axes=len(self._device.axes), buttons=len(self._device.buttons)
        )
        if self._device.present:
            return OK, "reads", values
        return WARN, self._device.problem or "it has not said anything yet", values


def main() -> None:
    run(lambda: JoystickNode("joystick"))


if __name__ == "__main__":
    main()
