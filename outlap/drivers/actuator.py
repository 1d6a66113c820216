"""What every actuator offers, and how a speed becomes signals over time: brake pulses, reversing, neutral.

A driver of some hardware is a subclass with ``send`` and ``close``. Nothing here reads a clock: times are steady s.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from outlap.errors import OutlapError
from outlap.vehicle.car import Car

TAP = 0.12  # s of brake, and again of neutral, after which an RC speed controller takes the next pulse as reverse


class ActuatorError(OutlapError):
    """The hardware did not take what was written, or is not there. The next write may succeed."""


class Actuator(ABC):
    """Steers and drives one car. Two processes may hold the same hardware: the motor's and its stopper's."""

    @abstractmethod
    def write(self, now: float, steering: float, speed: float) -> None:
        """Front wheel angle in rad, left positive, and speed in m/s, backwards negative.

        Raises:
            ActuatorError: it was not taken.
        """

    @abstractmethod
    def stop(self, now: float) -> None:
        """Speed zero, and the steering left as it is, by whatever process that was written.

        Raises:
            ActuatorError: it was not taken.
        """

    def health(self, now: float) -> dict[str, object]:
        """What the hardware says of itself, by name, for /diagnostics; empty where it says nothing.

        Never waits for an answer, raises or moves anything. Only the motor's process asks: answers go to one reader.
        """
        return {}

    @abstractmethod
    def close(self) -> None:
        """Let go of the hardware, without writing anything. Never raises, and may be called again."""


class SignalActuator(Actuator):
    """An actuator that is sent signals, by the maps of its car file."""

    def __init__(self, car: Car) -> None:
        assert car.actuator is not None
        self.steering_map, self.speed_map = car.actuator.steering, car.actuator.speed
        self._brakes = car.drive.neutral == "brake" and self.speed_map.brake is not None
        self._rolled = -math.inf  # steady s, when it was last sent forward
        self._backward_since: float | None = None  # steady s, since when backward is wanted

    @abstractmethod
    def send(self, steering: float | None, speed: float | None) -> None:
        """Send signals as they are; None leaves that one as it is. Calibration calls this directly.

        Raises:
            ActuatorError: they were not taken.
        """

    def write(self, now: float, steering: float, speed: float) -> None:
        self.send(self.steering_map.signal(steering), self._speed_signal(now, speed))

    def stop(self, now: float) -> None:
        self.send(None, self._speed_signal(now, 0.0))

    def _speed_signal(self, now: float, speed: float) -> float:
        """The signal for ``speed`` m/s at ``now``: on its way there through brake and neutral, where that is needed."""
        points = self.speed_map
        if speed > 0:
            self._rolled, self._backward_since = now, None
            return points.signal(speed)
        if speed < 0:
            if self._backward_since is None:
                self._backward_since = now
            wanted = points.signal(speed)
            since = now - self._backward_since
            if points.double_tap and math.isfinite(self._rolled) and since < 2 * TAP:
                return wanted if since < TAP else points.neutral
            self._rolled = -math.inf
            return wanted
        self._backward_since = None
        if self._brakes and now - self._rolled <= points.brake_time:
            assert points.brake is not None
            return points.brake
        return points.neutral
