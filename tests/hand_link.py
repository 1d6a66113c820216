"""A car that is driven by a joystick, and the ways in which the link between person and motor is cut.

For tests that need them: each injection is a function of the :class:`HandLink`, which ``mend`` puts right again.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Float64
from std_srvs.srv import SetBool

from outlap.drivers.fakes.joystick import XBOX_CABLE, FakePad, StandInJoystick

EVERY = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)  # nothing is to be missed
# The kernel's codes of left_shoulder, south, left_stick_y, and right_stick_x, on an Xbox pad by cable.
DEAD_MAN, ARM, SPEED, STEERING = 0x136, 0x130, 0x01, 0x03


class HandLink:
    """joystick → /joy → hand → /cmd_vel/hand → motor; the motor runs already and writes the simulator's topics."""

    def __init__(
        self, probe: Any, start: Callable[..., Any], device: Path, pad: FakePad = XBOX_CABLE, config: Path | None = None
    ) -> None:
        """``config``: a hand file, for both programs."""
        self.probe, self._start, self._config = probe, start, config
        self.device = StandInJoystick(device, pad)
        self.speeds: list[tuple[float, float]] = []  # (steady s of receipt, rad/s)
        probe.node.create_subscription(Float64, "/sim/wheel_speed", self._written, EVERY)
        self.programs: dict[str, Any] = {}
        self.mend()

    def mend(self) -> None:
        """Start what does not run, plug in what is unplugged, with nothing pressed."""
        self.device.cut()
        for name in ("joystick", "hand"):
            if name not in self.programs or self.programs[name].process.poll() is not None:
                given: dict[str, Any] = {"device": self.device.path} if name == "joystick" else {}
                given |= {} if self._config is None else {"config": self._config}
                self.programs[name] = self._start(name, **given)
        self.device = StandInJoystick(self.device.path, self.device.pad)
        self.device.plug()

    def drive(self) -> None:
        """Arm by the joystick's button, and hold the dead-man's switch with the stick forward and to the left."""
        end = time.monotonic() + 30
        while not self.moves:
            assert time.monotonic() < end, "the joystick does not drive"
            for button in (DEAD_MAN, ARM):
                self.device.press(button, down=False)
            for axis in (SPEED, STEERING):
                self.device.move(axis, 0.0)  # nothing counts before it was seen at rest
            self.probe.spin(0.1)
            self.device.move(SPEED, -1.0)
            self.device.move(STEERING, -0.5)
            self.probe.spin(0.1)
            self.device.press(ARM)
            self.probe.spin(0.4)
            self.device.press(ARM, down=False)
            self.device.press(DEAD_MAN)
            self.probe.spin(0.3)

    def arm(self) -> None:
        """Arm by the joystick's button and hold the dead-man's switch, with all else at rest."""
        for _ in range(10):  # on a busy machine the hand may find its joystick late, and let the car go
            for button in (DEAD_MAN, ARM):
                self.device.press(button, down=False)
            self.probe.spin(0.3)
            self.device.press(ARM)
            self.probe.spin(0.4)
            self.device.press(ARM, down=False)
            armed = self.probe.call(SetBool, "/motor/arm", SetBool.Request(data=True))
            self.probe.spin(0.2)
            self.device.press(DEAD_MAN)
            if armed.success:
                return
        raise AssertionError(f"the joystick does not arm: {armed.message}")

    def press_dead_man(self) -> None:
        """Let go of the switch, and hold it again."""
        self.device.press(DEAD_MAN, down=False)
        self.probe.spin(0.3)
        self.device.press(DEAD_MAN)
        self.probe.spin(0.1)

    def until_neutral(self, inject: Callable[[HandLink], None]) -> float:
        """Seconds from the injection to the first zero speed that the motor writes after it."""
        assert self.moves
        began = time.monotonic()
        inject(self)

        def stopped() -> list[float]:
            return [at for at, speed in self.speeds if at >= began and speed == 0]

        self.probe.until(stopped, "neutral")
        return stopped()[0] - began

    def stays_neutral(self, seconds: float) -> bool:
        """Whether nothing but zero speed is written for a while."""
        since = time.monotonic()
        self.probe.until(lambda: self.speeds[-1][0] >= since + seconds, "further writes")
        return not any(speed for at, speed in self.speeds if at >= since)

    def disarm(self) -> None:
        """Ask the motor to."""
        self.probe.call(SetBool, "/motor/arm", SetBool.Request(data=False))

    def _written(self, message: Float64, info: Mapping[str, int]) -> None:
        # When the middleware had it: in a busy process Python has its turn later.
        late = (time.time_ns() - info["received_timestamp"]) * 1e-9
        self.speeds.append((time.monotonic() - late, message.data))

    @property
    def moves(self) -> bool:
        """Whether the last that was written is a speed."""
        return bool(self.speeds) and self.speeds[-1][1] > 0


def kill_joystick_node(link: HandLink) -> None:
    """The program that reads the device is killed: /joy falls silent."""
    link.programs["joystick"].process.send_signal(signal.SIGKILL)
    link.programs["joystick"].process.wait()


def unplug_joystick(link: HandLink) -> None:
    """The device vanishes."""
    link.device.cut()


def kill_hand_node(link: HandLink) -> None:
    """The program that sends the commands is killed."""
    link.programs["hand"].process.send_signal(signal.SIGKILL)
    link.programs["hand"].process.wait()


def release_dead_man(link: HandLink) -> None:
    """No fault: the person lets go."""
    link.device.press(DEAD_MAN, down=False)


CUTS = {"joystick killed": kill_joystick_node, "joystick unplugged": unplug_joystick, "hand killed": kill_hand_node}


@pytest.fixture
def link(probe: Any, start: Callable[..., Any], tmp_path: Path) -> Iterator[HandLink]:
    """A car that a stand-in for a joystick drives."""
    start("motor", use_sim_time=False)
    link = HandLink(probe, start, tmp_path / "js0")
    yield link
    link.device.cut()
