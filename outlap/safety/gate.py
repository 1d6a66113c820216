"""The gate between a command and the motor: one decision function of (steady time, ROS time, events).

It reads no clock and sends nothing. ``motor`` calls :meth:`Gate.step` whenever something arrives and on every tick,
and writes what it returns. Any fault makes it neutral (speed zero, steering held) until it is armed again. That a gate
cannot help when its own process is gone is what the stopper is for (``nodes/stopper.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Literal, NamedTuple

from outlap.vehicle.car import Car
from outlap.vehicle.command import FRAME, STANDSTILL, STEERING_SPEED, is_standstill

STALE_AFTER = 0.15  # s, age of a command's receipt or stamp; with a 20 ms tick neutral comes within 200 ms
EARLY_BY = 0.05  # s, how far a stamp may lie ahead: /clock arrives in steps of its own, behind a quick message
BUS_PATIENCE = (
    0.03  # s, for which an actuator may refuse writes: two of them in a row, and the fault comes within 0.1 s
)
# How much faster than the car itself can follow a command may change: a sane driver never notices.
HEADROOM = 2.0
ROUNDING = 1e-5  # relative, so that a float32 limit is not taken for more than the float64 one

Source = Literal["policy", "hand"]
Part = Literal["actuator", "stopper", "publishers", "rivals", "hardware", "battery", "camera"]

PATIENCE: dict[Part, float] = {"actuator": BUS_PATIENCE}  # s; the others get none
POLICY_ONLY: tuple[Part, ...] = ("camera",)  # parts that a person drives on without


class State(IntEnum):
    """What the gate lets through, by severity."""

    ARMED = 0  # commands move the car
    DISARMED = 1  # neutral, as asked
    FAULT = 2  # neutral, latched until armed again


class Problem(IntEnum):
    """What is wrong with a command, by severity: of several, the most severe is reported."""

    NONE = 0
    LOST = 1  # none arrived for too long
    STALE = 2  # its stamp is too old, on ROS time
    EARLY = 3  # its stamp lies in the future
    FRAME = 4  # not in the car's own frame
    RANGE = 5  # more than the car can do
    NOT_FINITE = 6


class Twist(NamedTuple):
    """A command as received: (source, stamp in s of ROS time, frame, linear m/s, angular rad/s)."""

    source: Source
    stamp: float
    frame: str
    linear: tuple[float, float, float]
    angular: tuple[float, float, float]


class Arm(NamedTuple):
    """Somebody asks to arm (or to disarm)."""

    arm: bool


class Health(NamedTuple):
    """How a part that the gate cannot see is doing: what is wrong with it in words, or nothing."""

    part: Part
    problem: str


class Limits(NamedTuple):
    """What is sent at most: m/s, and how fast that may change, in m/s^2 (slowing down is free) and rad/s."""

    speed: float
    acceleration: float
    steering_rate: float


Event = Twist | Arm | Health


class Output(NamedTuple):
    """What to send to the actuator, and why."""

    speed: float  # m/s
    steering: float  # rad, front wheel of the single-track model, left positive
    state: State
    reason: str  # why it is not driving, or why arming was refused; empty while driving
    stamp: float  # s, of the command that this answers: the one in force, or the last that was; 0 before the first


def limits(car: Car, speed_cap: float = math.inf) -> Limits:
    """The limits of ``car``, and of a person who wants no more than ``speed_cap`` m/s."""
    acceleration, steering_rate = HEADROOM * car.drive.max_acceleration, HEADROOM * car.steering.max_rate
    return Limits(speed_cap, acceleration, steering_rate)


class Gate:
    """Decides what reaches the actuator of ``car``."""

    def __init__(self, car: Car, limits: Limits) -> None:
        self._car, self._limits = car, limits
        self._latest: dict[Source, tuple[Twist, float]] = {}  # with the steady time of receipt
        self._ill: dict[Part, tuple[str, float]] = {}  # what is wrong, and the steady time since when
        self._source: Source = "policy"
        self._state = State.DISARMED
        self._reason = "not armed yet"
        self._speed = 0.0  # m/s
        self._steering = 0.0  # rad
        self._stamp = 0.0  # s
        self._stepped = math.inf  # steady s, of the last call: nothing moves before the second
        self._ros = 0.0  # s of ROS time, likewise

    def step(self, steady: float, ros: float, events: Sequence[Event] = ()) -> Output:
        """The decision at ``steady`` (s, steady clock) and ``ros`` (s, ROS time) after ``events``, oldest first.

        Every call, with events or without, checks the command that is in force; an unusable one is never sent.
        """
        gap, elapsed = steady - self._stepped, ros - self._ros
        self._stepped, self._ros = steady, ros
        if self._state is State.ARMED and not 0 <= gap <= STALE_AFTER:
            # Whatever arrives now may be fresh, but for that long nobody has checked anything.
            self._stop(State.FAULT, f"the motor's own process stood still for {gap:.2f} s")
        elif self._state is State.ARMED and not -EARLY_BY <= elapsed <= gap + STALE_AFTER:
            # A command of the new time may come before the old one is seen to be of another.
            self._stop(State.FAULT, f"ROS time has jumped by {elapsed - gap:.2f} s")
        refusal = ""
        for event in events:
            if isinstance(event, Arm):
                refusal = self._arm(steady, ros) if event.arm else self._stop(State.DISARMED, "by request")
            elif isinstance(event, Health):
                self._hear(event, steady)
            else:
                self._receive(event, steady, ros)
        if self._state is State.ARMED:
            self._judge(steady, ros)
        if self._state is State.ARMED:
            self._follow(self._latest[self._source][0], min(max(gap, 0.0), STALE_AFTER))
        return Output(self._speed, self._steering, self._state, refusal or self._reason, self._stamp)

    def _hear(self, health: Health, steady: float) -> None:
        """Note what a part says of itself; a problem that goes on is as old as it was."""
        if not health.problem:
            self._ill.pop(health.part, None)
        else:
            since = self._ill[health.part][1] if health.part in self._ill else steady
            self._ill[health.part] = (health.problem, since)

    def _receive(self, twist: Twist, steady: float, ros: float) -> None:
        self._latest[twist.source] = (twist, steady)
        if twist.source == "hand" and self._state is State.ARMED:
            # A person wins, and keeps the car until it is armed again: losing the joystick must stop the car.
            self._source = "hand"
        if twist.source == self._source and self._state is State.ARMED:
            # Checked one by one, so that a bad command is not forgiven because a good one came right behind it.
            self._judge(steady, ros)

    def _judge(self, steady: float, ros: float) -> None:
        """Answer the command in force: stop if it is unusable, and stamp what is sent with its stamp either way.

        A part that has been ill for longer than its patience stops the car as well.
        """
        problem, text = self._check(self._source, steady, ros)
        stamp = self._latest[self._source][0].stamp
        if math.isfinite(stamp):
            self._stamp = stamp
        ill = self._ill_for(self._source)
        lasting = [text for part, (text, since) in ill.items() if not 0 <= steady - since < PATIENCE.get(part, 0.0)]
        if problem is not Problem.NONE or lasting:
            self._stop(State.FAULT, "; ".join(lasting) or text)

    def _ill_for(self, source: Source) -> dict[Part, tuple[str, float]]:
        """The parts that are ill and that ``source`` cannot drive without."""
        return {part: why for part, why in self._ill.items() if source == "policy" or part not in POLICY_ONLY}

    def _arm(self, steady: float, ros: float) -> str:
        """Arm, or the reason why not. The hand drives if it is sending, otherwise the policy."""
        source: Source = "hand" if self._check("hand", steady, ros)[0] is Problem.NONE else "policy"
        problem, text = self._check(source, steady, ros)
        ill = self._ill_for(source)
        texts = [text for text, _ in ill.values()] or [text]
        if problem is not Problem.NONE or ill:
            return f"arming refused: {'; '.join(texts)}"
        self._source, self._state, self._reason = source, State.ARMED, ""
        return ""

    def _stop(self, state: State, reason: str) -> str:
        """Neutral: zero speed, the steering held. The first fault's reason stays until somebody arms or disarms."""
        self._state, self._reason, self._speed = state, reason, 0.0
        return ""

    def _follow(self, twist: Twist, elapsed: float) -> None:
        """Send what ``twist`` asks for, as far as it may change within ``elapsed`` s."""
        wanted, curvature = twist.linear[0], _curvature(twist)
        drive, tightest, limits = self._car.drive, self._car.max_curvature, self._limits
        if is_standstill(wanted):
            self._speed = 0.0
        else:
            wanted = min(max(wanted, -drive.max_reverse_speed, -limits.speed), drive.max_speed, limits.speed)
            self._speed = _eased(self._speed, wanted, limits.acceleration * elapsed)
        if curvature is None:
            return
        angle = self._car.steering_angle(min(max(curvature, -tightest), tightest))
        most = limits.steering_rate * elapsed
        self._steering = min(max(angle, self._steering - most), self._steering + most)

    def _check(self, source: Source, steady: float, ros: float) -> tuple[Problem, str]:
        """The most severe thing wrong with the latest command of ``source``, in words."""
        if ros <= 0:  # a node that follows /clock, before there is one
            return Problem.LOST, "there is no ROS time: use_sim_time is set, and nobody publishes /clock"
        if source not in self._latest:
            return Problem.LOST, f"no command from the {source} yet"
        twist, received = self._latest[source]
        problems = {Problem.NONE: ""}
        since, age = steady - received, ros - twist.stamp
        if not 0 <= since <= STALE_AFTER or age > STALE_AFTER:
            last = f"the last came {since:.2f} s ago, stamped {age:.2f} s ago"
            problems[Problem.LOST] = f"no new command from the {source}: {last}"
        if age - since > STALE_AFTER:  # it was too old when it came, or ROS time has jumped since
            problems[Problem.STALE] = f"the {source}'s command is {age:.2f} s old by its stamp"
        if age < -EARLY_BY:
            problems[Problem.EARLY] = f"the {source}'s command is stamped {-age:.2f} s in the future"
        if twist.frame != FRAME:
            problems[Problem.FRAME] = f"the {source}'s command is in frame {twist.frame!r}, not {FRAME!r}"
        if excess := self._excess(twist):
            problems[Problem.RANGE] = excess
        if not all(map(math.isfinite, (twist.stamp, *twist.linear, *twist.angular))):
            problems[Problem.NOT_FINITE] = f"the {source}'s command is not finite"
        worst = max(problems)
        return worst, problems[worst]

    def _excess(self, twist: Twist) -> str:
        """What the command asks for beyond the car's limits; a person's speed and curvature saturate instead."""
        if any(twist.linear[1:]) or any(twist.angular[:2]):
            return f"the {twist.source}'s command asks a car to move sideways, up, or to tilt"
        if twist.source == "hand":
            return ""
        speed, curvature = twist.linear[0], _curvature(twist) or 0.0
        drive, tightest = self._car.drive, self._car.max_curvature * (1 + ROUNDING)
        if not -drive.max_reverse_speed * (1 + ROUNDING) <= speed <= drive.max_speed * (1 + ROUNDING):
            return f"the policy's speed {speed:.2f} m/s is beyond the car's {drive.max_speed:.2f} m/s"
        if not -tightest <= curvature <= tightest:
            return f"the policy's curvature {curvature:.2f} 1/m is beyond the car's {self._car.max_curvature:.2f} 1/m"
        return ""


def _curvature(twist: Twist) -> float | None:
    """Curvature in 1/m, left positive, sign-correct in reverse; none at a standstill, where only a person steers."""
    speed = twist.linear[0]
    slowest = STEERING_SPEED if twist.source == "hand" else STANDSTILL
    return twist.angular[2] / speed if abs(speed) >= slowest else None


def _eased(speed: float, wanted: float, most: float) -> float:
    """``wanted`` m/s, but no more than ``most`` m/s faster than ``speed`` was; slower at once, turning by way of 0."""
    from_here = speed if speed * wanted > 0 else 0.0
    return math.copysign(min(abs(wanted), abs(from_here) + most), wanted)
