"""Finds the drive's signals: neutral, dead band, forward, reverse, brake, and the speeds of some signals.

Two bursts of one signal, of t1 and t2 s, go d1 and d2 m far. Getting under way and coming to rest are the same in both,
once the shorter one lasts until the speed is steady; so speed = (d2 - d1) / (t2 - t1), whatever the delays are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

from outlap.calibration.bursts import Room, measure_speeds
from outlap.calibration.carfile import Changes, Key, Value
from outlap.calibration.dialog import Dialog
from outlap.calibration.rig import Rig
from outlap.drivers.actuator import TAP
from outlap.errors import OutlapError
from outlap.vehicle.car import Car
from outlap.vehicle.hardware import PulseMaps

YES_NO = {"y": "yes", "n": "no"}
TURNED = {"f": "forwards", "b": "backwards", "n": "not at all"}
SPIN = 1.0  # s, that the wheels are let turn on the blocks
FORWARD_POINTS, REVERSE_POINTS = 5, 3  # speeds that are measured


@dataclass
class SpeedFound:
    """What was found; signals in the driver's unit, speeds in m/s."""

    neutral: float
    side: float = 1.0  # sign of the signal that drives forwards
    forward: list[tuple[float, float]] = field(default_factory=list)  # (m/s, signal), from the dead band's edge
    reverse: list[tuple[float, float]] = field(default_factory=list)
    brake: float | None = None
    double_tap: bool = False
    braked: bool = False  # whether the car file wants it to brake at zero speed, by such a signal
    max_speed: float = 0.0
    max_reverse_speed: float = 0.0

    def changes(self) -> Changes:
        """Of the car file."""
        section = ("actuator", "speed")
        content: dict[Key, Value] = {
            (*section, "neutral"): self.neutral,
            (*section, "forward"): [(round(v, 3), round(s, 4)) for v, s in self.forward],
            (*section, "reverse"): [(round(v, 3), round(s, 4)) for v, s in self.reverse],
            (*section, "brake"): self.brake,
            (*section, "double_tap"): self.double_tap,
            **({} if self.brake is not None or not self.braked else {("drive", "neutral"): "coast"}),
            ("drive", "max_speed"): math.floor(self.max_speed * 1e3) / 1e3,
            ("drive", "max_reverse_speed"): math.floor(self.max_reverse_speed * 1e3) / 1e3,
        }
        return content


def calibrate_speed(car: Car, rig: Rig, dialog: Dialog) -> SpeedFound:
    """Guide a person through the calibration of the drive.

    Raises:
        OutlapError: it cannot be done, and why.
        CancelledError: the person gave up.
    """
    assert car.actuator is not None
    points = car.actuator.speed
    pulses = isinstance(car.actuator, PulseMaps)
    dialog.confirm("blocks", "Put the car on blocks: ALL wheels off the floor and free to turn. They will turn.")
    rig.send(steering=car.actuator.steering.centre, speed=points.neutral)
    dialog.confirm("switch", "Neutral is being sent. Switch the speed controller on, and wait for its signal.")
    found = SpeedFound(points.neutral, math.copysign(1.0, points.forward[-1][1] - points.neutral))
    found.braked = pulses and car.drive.neutral == "brake"
    if pulses:
        _neutral(rig, dialog, found)
    edge = _forward_edge(rig, dialog, found)
    reverse_edge = _reverse_edge(rig, dialog, found, edge, pulses)
    if found.double_tap:
        _brake(rig, dialog, found, edge)
    rig.stop()
    dialog.confirm(
        "floor",
        "Now on the floor. The car will DRIVE STRAIGHT AHEAD BY ITSELF for some seconds at a time, slowly at first; "
        "any key stops it. Have nobody and nothing in its way, a tape along it, and a mark where its rear axle stands.",
    )
    room = Room(dialog.number("space", "How many m are free ahead of it?", 2, 100))
    top = dialog.number("top", "How fast shall it ever drive, m/s? (A room of 6 m is good for about 2.)", 0.3, 30)
    found.forward = measure_speeds(car, rig, dialog, found, edge, room, top, FORWARD_POINTS)
    found.max_speed = min(top, found.forward[-1][0])
    if reverse_edge is not None:
        dialog.confirm("floor_back", "Now BACKWARDS: turn the car round, so that as much room is free behind it.")
        top = dialog.number("top_back", "How fast shall it ever drive backwards, m/s?", 0.2, 10)
        found.reverse = measure_speeds(car, rig, dialog, found, reverse_edge, room, top, REVERSE_POINTS)
        found.max_reverse_speed = min(top, found.reverse[-1][0])
    for name, measured in (("forward", found.forward), ("reverse", found.reverse)):
        if any(b[0] <= a[0] or abs(b[1] - found.neutral) <= abs(a[1] - found.neutral) for a, b in pairwise(measured)):
            raise OutlapError(f"the speeds {name} do not rise with the signal: measure again.")
    return found


def _neutral(rig: Rig, dialog: Dialog, found: SpeedFound) -> None:
    if dialog.choose("stand", "Do all wheels stand still?", YES_NO) == "n":
        dialog.task("neutral", "Nudge until the wheels stand, in the middle of where they do.")
        found.neutral = rig.neutral = rig.nudge(True, found.neutral)


def _forward_edge(rig: Rig, dialog: Dialog, found: SpeedFound) -> float:
    """The signal at which the wheels begin to turn forwards, on whichever side of neutral that is."""
    for _ in range(3):
        dialog.task(
            "edge",
            "Nudge until the wheels just begin to turn (→ is more); back until they stand; and up again until they "
            "just turn. Enter then, or when they do not turn at all.",
        )
        signal = rig.nudge(True, rig.neutral, found.side)
        rig.stop()  # before any question: while somebody thinks, nothing is sent, and so nothing may turn
        answer = dialog.choose("turned", "Which way did they turn?", TURNED)
        if answer == "f" and (signal - rig.neutral) * found.side > 0:
            return signal - found.side * rig.speed_unit.fine / 2
        found.side = -found.side
        dialog.say(
            "Forwards and backwards are swapped in the car file: put right from here on."
            if answer == "b"
            else "Then forwards is tried on the other side of neutral."
        )
    raise OutlapError(
        "the wheels do not turn forwards: is the speed controller switched on, calibrated to neutral, and on the "
        "channel that the car file says (actuator.speed_channel)?"
    )


def _reverse_edge(rig: Rig, dialog: Dialog, found: SpeedFound, edge: float, pulses: bool) -> float | None:
    """The signal at which the wheels begin to turn backwards; none: they never shall, or cannot."""
    if dialog.choose("reverse", "Shall the car be able to drive backwards?", YES_NO) == "n":
        return None
    backward = rig.neutral - (edge - rig.neutral) - found.side * 2 * rig.speed_unit.probe
    for double_tap in (False, True) if pulses else (False,):
        found.double_tap = double_tap
        spin(rig, edge + found.side * rig.speed_unit.probe)
        go_backwards(rig, double_tap, backward)
        rig.wait(SPIN)
        rig.stop()
        turned = dialog.choose("backwards", "The wheels first turned forwards. And then, backwards?", YES_NO) == "y"
        if turned:
            dialog.task("reverse_edge", "Nudge until the wheels just begin to turn backwards, as before; → is more.")
            signal = rig.nudge(True, rig.neutral, -found.side)
            rig.stop()
            if (signal - rig.neutral) * found.side >= 0:
                raise OutlapError("backwards cannot lie on the same side of neutral as forwards: begin again.")
            return signal + found.side * rig.speed_unit.fine / 2
    found.double_tap = False
    dialog.say("Then this speed controller cannot reverse, or is set not to.")
    return None


def _brake(rig: Rig, dialog: Dialog, found: SpeedFound, edge: float) -> None:
    """A signal that brakes: one that would be reverse, sent while the wheels turn forwards."""
    for strength in (3.0, 5.0, 8.0):
        spin(rig, edge + found.side * rig.speed_unit.probe, rest=False)
        brake = rig.neutral - (edge - rig.neutral) - found.side * strength * rig.speed_unit.probe
        rig.send(speed=brake)
        rig.wait(0.5)
        rig.stop()
        if dialog.choose("braked", "Did the wheels stop at once?", YES_NO) == "y":
            found.brake = min(max(brake, rig.speed_unit.low), rig.speed_unit.high)
            return
    dialog.say("Then the car will coast to a stop.")


def spin(rig: Rig, signal: float, rest: bool = True) -> None:
    """Let the wheels turn for a moment on the blocks, and then stand."""
    rig.send(speed=signal)
    rig.wait(SPIN)
    if rest:
        rig.stop()
        rig.wait(SPIN)


def go_backwards(rig: Rig, double_tap: bool, signal: float) -> None:
    """Send a reverse signal, with a brake and a neutral before it if the speed controller wants that."""
    if double_tap:
        for tap in (signal, rig.neutral):
            rig.send(speed=tap)
            rig.wait(TAP)
    rig.send(speed=signal)
