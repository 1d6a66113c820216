"""A servo, a speed controller and a car whose facts are hidden, behind an actuator that is sent signals.

The car rolls by `outlap.vehicle.dynamics`; lifted, only its wheels turn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from outlap.drivers.actuator import TAP, ActuatorError, SignalActuator
from outlap.vehicle.car import Car
from outlap.vehicle.dynamics import (
    ACCELERATION,
    DECELERATION,
    DRIVE_LAG,
    MAX_REVERSE,
    MAX_SPEED,
    MAX_STEERING,
    SPEED,
    STATE_SIZE,
    STEERING,
    YAW,
    X,
    Y,
    advance,
    parameters,
)

TICK = 1 / 120  # s
BRAKED = 8.0  # m/s^2
STANDS = 0.02  # m/s; slower than this a wheel is seen to stand
BREAKS_AWAY = 0.25  # m/s; what slower a wheel would turn, stiction holds


@dataclass(frozen=True)
class Hidden:
    """The facts that a calibration has to find. Signals in µs, angles in rad, speeds in m/s."""

    # Servo.
    trim: float = 1534.0  # that drives straight on
    gain_left: float = 610.0  # µs/rad
    gain_right: float = 560.0  # µs/rad
    bend: float = 0.05  # 1/rad: how much the linkage's gain changes with the angle
    stop_left: float = 0.52  # rad, where the wheels turn no further
    stop_right: float = 0.55  # rad
    mirrored: bool = False  # the servo sits the other way round: a wider pulse steers to the right
    slack: float = 0.008  # rad, between coming from left and from right
    servo_noise: float = 0.001  # rad, anew with each new signal
    # Speed controller and motor.
    neutral: float = 1497.0
    dead: float = 38.0  # µs to either side
    exponent: float = 0.85  # of the speed over the signal beyond the dead band
    fastest: float = 5.2  # m/s, at the end of the range
    fastest_back: float = 2.6  # m/s
    span: float = 400.0  # µs from neutral to the end of the range
    reversed: bool = False  # forwards is on the narrow pulses' side
    double_tap: bool = True  # whether it brakes before it reverses
    delay: float = 0.06  # s
    lag: float = 0.13  # s
    acceleration: float = 3.3  # m/s^2
    coasting: float = 1.1  # m/s^2


def drawn(rng: np.random.Generator) -> Hidden:
    """A car drawn at random, as such cars differ."""
    u = rng.uniform
    return Hidden(
        trim=u(1420, 1580),
        gain_left=u(450, 750),
        gain_right=u(450, 750),
        bend=u(-0.1, 0.1),
        stop_left=u(0.38, 0.6),
        stop_right=u(0.38, 0.6),
        mirrored=bool(rng.random() < 0.5),
        slack=u(0, 0.015),
        servo_noise=u(0, 0.002),
        neutral=u(1480, 1520),
        dead=u(15, 60),
        exponent=u(0.75, 1.3),
        fastest=u(3.5, 7),
        fastest_back=u(2, 3.5),
        span=u(350, 450),
        reversed=bool(rng.random() < 0.3),
        double_tap=bool(rng.random() < 0.6),
        delay=u(0.01, 0.12),
        lag=u(0.06, 0.14),
        acceleration=u(3, 6),
        coasting=u(0.7, 2.5),
    )


class HiddenCar(SignalActuator):
    """The actuator of a simulated car, and what a person sees of that car."""

    def __init__(self, car: Car, hidden: Hidden, rng: np.random.Generator) -> None:
        super().__init__(car)
        self.car, self.hidden, self._rng = car, hidden, rng
        self.time = 0.0  # s
        self.sent: list[tuple[float, float | None, float | None]] = []  # (s, steering, speed)
        self.closed = False
        self.lifted = True
        self.pushed = 0.0  # m/s, by hand
        self.fails = 0  # writes that shall fail from now on
        self._row = parameters(car)
        h = hidden
        self._row[0, [MAX_STEERING, DRIVE_LAG, ACCELERATION]] = max(h.stop_left, h.stop_right), h.lag, h.acceleration
        self._row[0, [MAX_SPEED, MAX_REVERSE]] = 30.0
        self.state = np.zeros((1, STATE_SIZE))
        self._horn = self._angle = 0.0  # rad, where the servo is sent, and the wheels behind its slack
        self._side = 1.0  # from which side it came there: 1 is from the right
        self._pulses: list[tuple[float, float]] = [(-math.inf, h.neutral)]  # (s, µs)
        self._gear = 0  # 1: went forward last; -1: the next reverse pulse is one
        self._braked_since: float | None = None

    def send(self, steering: float | None, speed: float | None) -> None:
        if self.fails > 0:
            self.fails -= 1
            raise ActuatorError("the stand-in was told to fail.")
        last = self.sent[-1] if self.sent else (0.0, None, None)
        self.sent.append((self.time, last[1] if steering is None else steering, last[2] if speed is None else speed))
        if steering is not None and steering != last[1]:
            self._steer(steering)
        if speed is not None:
            self._pulses.append((self.time, speed))

    def close(self) -> None:
        self.closed = True

    def horn(self, signal: float) -> float:
        """Wheel angle in rad for a steering signal, before slack and noise."""
        h = self.hidden
        offset = (signal - h.trim) * (-1 if h.mirrored else 1)
        angle = offset / (h.gain_left if offset > 0 else h.gain_right)
        angle *= 1 + h.bend * abs(angle)
        return min(max(angle, -h.stop_right), h.stop_left)

    def steady_speed(self, signal: float) -> float:
        """Speed in m/s that a drive signal comes to in the end."""
        h = self.hidden
        offset = (signal - h.neutral) * (-1 if h.reversed else 1)
        beyond = max(abs(offset) - h.dead, 0.0) / (h.span - h.dead)
        fastest = h.fastest if offset > 0 else h.fastest_back
        return math.copysign(fastest * min(beyond, 1.0) ** h.exponent, offset) if beyond > 0 else 0.0

    @property
    def wheel_angle(self) -> float:
        """Of the front wheel, rad, left positive."""
        return float(self.state[0, STEERING])

    @property
    def wheel_speed(self) -> float:
        """m/s, forwards positive."""
        return float(self.state[0, SPEED])

    @property
    def place(self) -> tuple[float, float, float]:
        """x, y in m and heading in rad of the rear axle's middle."""
        x, y, yaw = self.state[0, [X, Y, YAW]]
        return float(x), float(y), float(yaw)

    def put(self, x: float, y: float, yaw: float) -> None:
        """Put it there, at rest; the wheels stay turned as they are."""
        angle = self.state[0, STEERING]
        self.state[:] = 0
        self.state[0, [X, Y, YAW, STEERING]] = x, y, yaw, angle

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(max(round(seconds / TICK), 1)):
            self._tick()

    def _tick(self) -> None:
        self.time += TICK
        wanted, braking = self._drive()
        if self.pushed:
            wanted, braking = self.pushed, True
        self._row[0, DECELERATION] = BRAKED if braking else self.hidden.coasting
        place = self.state[0, [X, Y, YAW]].copy()
        advance(self.state, self._row, np.array([self._angle]), np.array([self.car.wheel_speed(wanted)]), TICK)
        if self.lifted:
            self.state[0, [X, Y, YAW]] = place

    def _steer(self, signal: float) -> None:
        h = self.hidden
        angle = self.horn(signal)
        if angle != self._horn:
            self._side = math.copysign(1.0, angle - self._horn)
        self._horn = angle
        angle += h.servo_noise * self._rng.normal() - self._side * h.slack / 2
        self._angle = min(max(angle, -h.stop_right), h.stop_left)

    def _drive(self) -> tuple[float, bool]:
        """Speed that the motor pulls towards, and whether it brakes."""
        h = self.hidden
        signal = next(s for t, s in reversed(self._pulses) if t <= self.time - h.delay)
        wanted = self.steady_speed(signal)
        if wanted > 0:
            self._gear, self._braked_since = 1, None
        elif wanted < 0 and h.double_tap and self._gear == 1:
            self._braked_since = self._braked_since or self.time
            return 0.0, True
        elif wanted == 0 and self._braked_since is not None and self.time - self._braked_since > TAP / 2:
            self._gear, self._braked_since = -1, None
        if abs(wanted) < BREAKS_AWAY and abs(self.wheel_speed) < STANDS and not self.lifted:
            return 0.0, False
        return wanted, False
