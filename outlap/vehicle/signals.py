"""What an actuator has to be sent for an angle or a speed: maps of measured points, joined by straight lines.

A *signal* is a number in the driver's own unit: the width of a pulse in µs (pca9685, deepracer), or for a VESC the
servo's position, 0 to 1, and the motor's electrical revolutions a minute.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from outlap.files import Model

Point = tuple[float, float]  # (rad or m/s, signal)


class SteeringMap(Model):
    """Three measured points of the steering, between which it is taken to be straight."""

    centre: float  # signal that drives straight on
    left: Point  # (rad > 0, signal), as far to the left as it may be sent
    right: Point  # (rad < 0, signal), as far to the right as it may be sent

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.right[0] < 0 < self.left[0]:
            raise ValueError("left must be an angle above zero and right one below")
        if (self.left[1] - self.centre) * (self.right[1] - self.centre) >= 0:
            raise ValueError("the signals of left and right must lie on different sides of centre")
        return self

    def signal(self, angle: float) -> float:
        """The signal for a front wheel angle in rad, left positive; beyond left and right, theirs."""
        (right, right_signal), (left, left_signal) = self.right, self.left
        return float(np.interp(angle, (right, 0.0, left), (right_signal, self.centre, left_signal)))

    @property
    def reach(self) -> float:
        """The largest angle in rad that it can make to both sides."""
        return min(self.left[0], -self.right[0])


class SpeedMap(Model):
    """Measured points of the drive. The first of each direction is the edge of the dead band, at 0 m/s."""

    neutral: float  # signal at which the wheels stand
    forward: Annotated[tuple[Point, ...], Field(min_length=2, max_length=50)]  # (m/s, signal), from 0 m/s upwards
    reverse: Annotated[tuple[Point, ...], Field(max_length=50)] = ()  # (m/s backwards, signal), from 0; empty: cannot
    brake: float | None = None  # signal that brakes a car that rolls forward; none: nothing but neutral
    brake_time: Annotated[float, Field(ge=0, le=2)] = 0.5  # s, for which that is sent; then neutral
    double_tap: bool = False  # whether the speed controller reverses only after a brake and a neutral, as RC ones do

    @model_validator(mode="after")
    def _rising(self) -> Self:
        directions = {}
        for name, points in (("forward", self.forward), ("reverse", self.reverse)):
            if not points:
                continue
            speeds, signals = np.array(points).T
            if len(points) < 2 or speeds[0] != 0 or np.any(np.diff(speeds) <= 0):
                raise ValueError(f"{name} must have two points or more, the first at 0 m/s, each faster than the last")
            steps = np.diff([self.neutral, *signals])
            if np.any(steps[1:] == 0) or not (np.all(steps >= 0) or np.all(steps <= 0)):
                raise ValueError(f"the signals of {name} must lead away from neutral")
            directions[name] = np.sign(steps[-1])
        if "reverse" in directions and directions["reverse"] == directions["forward"]:
            raise ValueError("the signals of forward and reverse must lie on different sides of neutral")
        if self.brake is not None and np.sign(self.brake - self.neutral) != -directions["forward"]:
            raise ValueError("brake must lie on the other side of neutral than forward")
        return self

    def signal(self, speed: float) -> float:
        """The signal for a speed in m/s, backwards negative; 0 is neutral, beyond the points it is the last one's."""
        points = self.forward if speed > 0 else self.reverse
        if speed == 0 or not points:
            return self.neutral
        speeds, signals = np.array(points).T
        return float(np.interp(abs(speed), speeds, signals))

    @property
    def fastest(self) -> tuple[float, float]:
        """The fastest speeds in m/s, forward and backwards, both positive."""
        return self.forward[-1][0], self.reverse[-1][0] if self.reverse else 0.0
