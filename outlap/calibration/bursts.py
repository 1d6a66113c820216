"""Bursts over a measured distance: from slow to fast, each as long as the room allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlap.calibration.dialog import TRIES, Dialog
from outlap.calibration.rig import Rig
from outlap.drivers.actuator import TAP
from outlap.errors import OutlapError
from outlap.vehicle.car import Car

if TYPE_CHECKING:
    from outlap.calibration.speed import SpeedFound

Point = tuple[float, float]  # (m/s, signal)

COUNTDOWN = 3  # s
FIRST = 0.7  # s, the very first burst, of a speed that nobody knows
DELAY = 0.15  # s, from a write until the motor pulls, at most
SETTLED = 5.0  # time constants after which a first-order lag is steady: 1% of the speed, less of the distance
WANTED, LEAST = 1.5, 0.5  # m, by which two bursts' distances should differ, and must
LONGEST = 4.0  # s, of that difference
BRAKE = 0.5  # s
RISE = 1.03  # times; a smaller rise of the speed is taken for an error of reading
DOUBTED = 0.25  # m/s; never measure slower speeds than this on purpose
SLOW = 0.5  # m/s; between this and standing still a straight line will do
SPARE = 0.9  # of the room


@dataclass
class Room:
    """How much of it there is, and how far the car rolls on, as far as known."""

    length: float  # m
    decelerates: float = 0.7  # m/s^2, while it rolls out; at first a guess for a free-rolling car


def measure_speeds(
    car: Car, rig: Rig, dialog: Dialog, found: SpeedFound, edge: float, room: Room, top: float, count: int
) -> list[Point]:
    """The map of one direction: its dead band's edge, and ``count`` speeds up to ``top`` m/s or what the room allows.

    Raises:
        OutlapError: the car does not move, or the measured speeds make no sense.
        CancelledError: the person gave up.
    """
    runs = Bursts(rig, dialog, found, (edge - found.neutral) * found.side < 0)
    unit, side = rig.speed_unit, math.copysign(1.0, edge - found.neutral)
    points: list[Point] = [(0.0, edge)]
    signal, guess = _first(runs, edge, side, room)
    refused = 0
    while len(points) <= count + 2:
        spans = _durations(car, guess, room)
        if spans is None:
            if len(points) == 1:
                raise OutlapError(f"{room.length:g} m are too short for even {guess:.1f} m/s: find a longer room.")
            break
        speed = _speed(car, runs, signal, spans, room, guess)
        if speed < RISE * points[-1][0] or speed <= 0:
            refused += 1
            if refused == TRIES:
                raise OutlapError(f"{unit.show(signal)} is no faster than the signal before: measure again at leisure.")
            dialog.say(f"{speed:.2f} m/s would be no faster than the signal before. Once more.")
            continue
        refused = 0
        points.append((speed, signal))
        if len(points) == 2 and speed > SLOW:
            _between(car, runs, points, room)
        dialog.table("Measured", ("signal", "m/s"), [(unit.show(signal), f"{speed:.2f}") for speed, signal in points])
        if speed >= 0.97 * top or signal in (unit.low, unit.high):
            break
        signal, guess = _next(points, top, count, room, car)
        signal = min(max(signal, unit.low), unit.high)
        if guess < 1.1 * speed:
            break
    if points[-1][0] < 0.97 * top:
        dialog.say(f"Faster than {points[-1][0]:.2f} m/s was not measured: that is the car's limit now.")
    return points


class Bursts:
    """Drives bursts and asks how far they went."""

    def __init__(self, rig: Rig, dialog: Dialog, found: SpeedFound, backwards: bool) -> None:
        self.rig, self.dialog = rig, dialog
        self._found, self._backwards = found, backwards

    def distance(self, signal: float, duration: float) -> tuple[float, float]:
        """Drive a burst of about ``duration`` s: how long it was in s, and how far the car went in m.

        Raises:
            OutlapError: it was stopped too often.
        """
        for _ in range(2 * TRIES):
            burst = f"{self.rig.speed_unit.show(signal)} for {duration:.2f} s"
            self.dialog.confirm("place", f"{burst}. Put the car at its mark, and go out of its way.")
            lasted = self._drive(signal, duration)
            if lasted is not None:
                return lasted, self.dialog.number("distance", "How many cm did its rear axle go?", 0, 10_000) / 100
            self.dialog.say("Stopped. Once more.")
        raise OutlapError("the car was stopped again and again: find a longer room, or a slower top speed.")

    def _drive(self, signal: float, duration: float) -> float | None:
        """How long it was driven, s; none: somebody stopped it."""
        rig, now = self.rig, self.dialog.now
        try:
            self.dialog.task("burst", "Any key stops the car.")
            for count in range(COUNTDOWN, 0, -1):
                self.dialog.status(f"in {count} …")
                if rig.wait(1.0):
                    return None
            if self._backwards and self._found.double_tap:
                for tap in (signal, rig.neutral):
                    rig.send(speed=tap)
                    if rig.wait(TAP):
                        return None
            self.dialog.status("driving")
            rig.send(speed=signal)
            start = now()
            if rig.wait(duration):
                return None
            if self._found.brake is not None and not self._backwards:
                rig.send(speed=self._found.brake)
                lasted = now() - start
                rig.wait(BRAKE)
                return lasted
            rig.stop()
            return now() - start
        finally:
            rig.stop()


def _first(runs: Bursts, edge: float, side: float, room: Room) -> tuple[float, float]:
    """A signal that moves the car, and about how fast."""
    unit = runs.rig.speed_unit
    signal = edge + side * unit.probe / 2
    while unit.low < signal < unit.high:
        lasted, distance = runs.distance(signal, FIRST)
        # distance = speed drives + speed² / (2 decelerates)
        drives = lasted - 2 * DELAY
        speed = room.decelerates * (math.sqrt(drives**2 + 2 * distance / room.decelerates) - drives)
        if speed > DOUBTED:
            return signal, speed
        signal += side * unit.probe / 2
    raise OutlapError(f"the car does not move on the floor up to {unit.show(signal)}: is its battery charged?")


def _between(car: Car, runs: Bursts, points: list[Point], room: Room) -> None:
    """A slower speed before the first one of a car that starts with a jump, if it moves at all there."""
    (_, edge), (speed, signal) = points
    half = (edge + signal) / 2
    if (spans := _durations(car, speed / 2, room)) is None:
        return
    (t1, d1), (t2, d2) = (runs.distance(half, span) for span in spans)
    if DOUBTED < (slower := (d2 - d1) / (t2 - t1)) < speed / RISE:
        points.insert(1, (slower, half))


def _durations(car: Car, speed: float, room: Room) -> tuple[float, float] | None:
    """A shorter and a longer burst for about ``speed`` m/s, in s; none: the room is too short for them."""
    short = DELAY + speed / car.drive.max_acceleration + SETTLED * car.drive.time_constant
    rolls = speed**2 / (2 * room.decelerates)
    left = SPARE * room.length - rolls - speed * short
    difference = min(WANTED, left, LONGEST * speed)
    return (short, short + difference / speed) if difference >= min(LEAST, LONGEST * speed) else None


def _speed(car: Car, runs: Bursts, signal: float, spans: tuple[float, float], room: Room, guess: float) -> float:
    """Steady speed in m/s; learns how far the car rolls on, too."""
    for _ in range(TRIES):
        (t1, d1), (t2, d2) = (runs.distance(signal, span) for span in spans)
        speed = (d2 - d1) / (t2 - t1)
        if 0.3 * guess < speed < 3 * guess + 0.5:
            # What the shorter burst went beyond speed times its time is the way out, less what the start cost.
            beyond = d1 - speed * (t1 - DELAY - car.drive.time_constant - speed / 2 / car.drive.max_acceleration)
            if beyond > 0:
                room.decelerates = min(max(speed**2 / (2 * beyond), 0.2), 10.0)
            return speed
        runs.dialog.say(f"{100 * d1:.0f} and {100 * d2:.0f} cm would be {speed:.1f} m/s: one was misread. Both again.")
    raise OutlapError("the distances make no sense: does the car's battery still hold?")


def _next(points: list[Point], top: float, count: int, room: Room, car: Car) -> tuple[float, float]:
    """The next signal and about its speed: in equal ratios up to the top, along the last two points' line."""
    (slower, before), (speed, signal) = points[-2:]
    left = max(count + 1 - len(points), 1)
    wanted = min(speed * (top / speed) ** (1 / left), 2.0 * speed)
    while wanted > 1.1 * speed and _durations(car, wanted, room) is None:
        wanted *= 0.95
    return signal + (wanted - speed) * (signal - before) / (speed - slower), wanted
