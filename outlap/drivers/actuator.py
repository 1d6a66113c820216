"""What every actuator offers, and how a speed becomes signals over time: brake pulses, reversing, neutral.

A driver of some hardware is a subclass with ``send`` and ``close``. Nothing here reads a clock: times are steady s.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

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

    def braking(self, now: float) -> bool:
        """Whether speed zero is still sent as a brake, which neutral has to follow: hardware may repeat it for ever."""
        return False

    def health(self, now: float) -> dict[str, object]:
        """What the hardware says of itself, by name, for /diagnostics; empty where it says nothing.

        Never waits for an answer, raises or moves anything. Only the motor's process asks: answers go to one reader.
        """
        return {}

    def problem(self, now: float) -> str:
        """Why the hardware cannot be trusted to drive, in words: it has not said who it is, or reports a fault.

        Empty where nothing speaks against it. As :meth:`health`, it never waits, raises or moves anything.
        """
        return ""

    def voltage(self, now: float) -> float | None:
        """The battery's voltage in V, as last reported; None where it is not known."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Let go of the hardware, without writing anything. Never raises, and may be called again."""


@dataclass(frozen=True)
class Reversing:
    """How far an RC speed controller is on its way to reverse: it first takes the pulse as a brake, then wants neutral.

    Times are those at which a pulse was really sent, so however seldom that is, none of the steps is left out.
    """

    engaged: bool  # whether it takes the next pulse as reverse
    braked: float | None = None  # steady s, since when it is sent the brake
    rested: float | None = None  # steady s, since when neutral after that

    def signal(self, now: float, wanted: float, neutral: float) -> tuple[float, Reversing]:
        """What to send on the way to the signal ``wanted``, and what holds once that was sent."""
        if self.engaged:
            return wanted, self
        if self.braked is None or now - self.braked < TAP:
            return wanted, Reversing(False, now if self.braked is None else self.braked)
        if self.rested is None or now - self.rested < TAP:
            return neutral, Reversing(False, self.braked, now if self.rested is None else self.rested)
        return wanted, Reversing(True)

    def interrupted(self) -> Reversing:
        """What holds after neutral or a brake: one that is in reverse stays so, any other begins anew."""
        return self if self.engaged else Reversing(False)


class SignalActuator(Actuator):
    """An actuator that is sent signals, by the maps of its car file."""

    def __init__(self, car: Car) -> None:
        assert car.actuator is not None
        self.steering_map, self.speed_map = car.actuator.steering, car.actuator.speed
        self._brakes = car.drive.neutral == "brake" and self.speed_map.brake is not None
        self._rolled = -math.inf  # steady s, when it was last sent forward
        self._reversing = Reversing(not self.speed_map.double_tap)

    @abstractmethod
    def send(self, steering: float | None, speed: float | None) -> None:
        """Send signals as they are; None leaves that one as it is. Calibration calls this directly.

        Raises:
            ActuatorError: they were not taken.
        """

    def sent_speed(self) -> float | None:
        """The signal that the drive is being sent, by whatever process; none where the hardware does not tell.

        Raises:
            ActuatorError: it did not answer.
        """
        return None

    def braking(self, now: float) -> bool:
        return self._brakes and now - self._rolled <= self.speed_map.brake_time

    def write(self, now: float, steering: float, speed: float) -> None:
        if not (math.isfinite(steering) and math.isfinite(speed)):
            raise ActuatorError(f"an angle of {steering:g} rad or a speed of {speed:g} m/s is refused: not finite.")
        self._aim(now, self.steering_map.signal(steering), speed)

    def stop(self, now: float) -> None:
        # Another process may have sent it forward: only the hardware knows then whether to brake.
        if self._brakes and not self.braking(now) and self._sent_forward():
            self._rolled = now
        self._aim(now, None, 0.0)

    def _aim(self, now: float, steering: float | None, speed: float) -> None:
        """Send the steering's signal, and that which leads to ``speed`` m/s, by way of brake and neutral."""
        points = self.speed_map
        if speed < 0 and points.reverse:
            signal, done = self._reversing.signal(now, points.signal(speed), points.neutral)
            if done.engaged or done.rested is not None:
                self._rolled = -math.inf  # from here on the speed controller takes a brake for reverse
            self.send(steering, signal)
            self._reversing = done  # only now: a brake that was not sent is not behind it
            return
        if speed > 0:
            self._rolled = now
            self._reversing = Reversing(not points.double_tap)
        signal = points.brake if speed <= 0 and self.braking(now) else points.signal(max(speed, 0.0))
        assert signal is not None
        self.send(steering, signal)
        if speed <= 0:
            self._reversing = self._reversing.interrupted()

    def _sent_forward(self) -> bool:
        """Whether the hardware is sending the drive forward now: more than half way from neutral to its slowest."""
        try:
            signal = self.sent_speed()
        except ActuatorError:
            return False  # neutral is still worth trying
        if signal is None:
            return False
        neutral, slowest, fastest = self.speed_map.neutral, self.speed_map.forward[0][1], self.speed_map.forward[-1][1]
        dead = max(abs(slowest - neutral) / 2, abs(fastest - neutral) / 20)
        return (signal - neutral) * math.copysign(1.0, fastest - neutral) > dead
