"""A gate with a clock of its own, for the tests of its room."""

from __future__ import annotations

from outlap.safety.gate import Arm, Gate, Limits, Output, Source, State, Twist
from outlap.vehicle.car import Car
from outlap.vehicle.command import FRAME

FRAME_TIME = 1 / 30  # s
TICK = 0.02  # s
DAWN = 1e-300  # s of ROS time: there is one, and sums with it are exact
NAN, INFINITE = float("nan"), float("inf")
UNLIMITED = Limits(INFINITE, INFINITE, INFINITE)


class Bench:
    """A gate with a clock of its own; steady and ROS time may drift apart."""

    def __init__(self, car: Car, limits: Limits = UNLIMITED) -> None:
        self.gate = Gate(car, limits)
        self.steady, self.ros = 100.0, 5000.0
        self.clock_runs = True  # the one of ROS time

    def wait(self, seconds: float) -> Output:
        """Tick until that time has passed."""
        while True:
            step = min(seconds, TICK)
            self.steady, self.ros, seconds = self.steady + step, self.ros + step * self.clock_runs, seconds - step
            output = self.gate.step(self.steady, self.ros)
            if seconds <= 0:
                return output

    def command(
        self,
        speed: float = 1.0,
        yaw_rate: float = 0.5,
        source: Source = "policy",
        age: float = 0.01,
        frame: str = FRAME,
        linear: tuple[float, float] = (0.0, 0.0),
        angular: tuple[float, float] = (0.0, 0.0),
    ) -> Output:
        return self.gate.step(
            self.steady,
            self.ros,
            [Twist(source, self.ros - age, frame, (speed, *linear), (*angular, yaw_rate))],
        )

    def arm(self, arm: bool = True) -> Output:
        return self.gate.step(self.steady, self.ros, [Arm(arm)])

    def stays_neutral_until_armed(self) -> None:
        for _ in range(10):
            self.wait(FRAME_TIME)
            assert self.command().speed == 0
        assert self.arm().state is State.ARMED
        assert self.command().speed == 1.0
