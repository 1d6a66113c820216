"""Finds the steering's signals: which way is left, the ends, their angles by the turning circle, and straight on.

The middle of the rear axle drives a circle of radius R at a front wheel angle of atan(wheelbase / R); the outer rear
wheel's circle is wider by half the track on each side. From a straight start, the middle of the rear axle leaves a
straight line by d(s) = heading s + curvature s²/2, so that curvature = 4 (d(L) - 2 d(L/2)) / L², however it was aimed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from outlap.calibration.carfile import Changes
from outlap.calibration.dialog import Dialog, measured
from outlap.calibration.rig import Rig
from outlap.errors import OutlapError
from outlap.vehicle.car import Axles, Car

ROUNDS = 5  # of rolling and correcting
STRAIGHT = 0.01  # rad; a smaller error is taken off by calculation, a larger one is rolled again
SHORT = 1.0  # m, over which it is rolled first
SMALLEST, LARGEST = 0.05, 1.1  # rad, angles of an end that can be meant
DIRECTIONS = {"l": "to the left", "r": "to the right", "n": "not at all"}
SIDES = {"left": 1.0, "right": -1.0}


@dataclass
class SteeringFound:
    """What was found; signals in the driver's unit."""

    centre: float
    left: tuple[float, float]  # (rad > 0, signal)
    right: tuple[float, float]  # (rad < 0, signal)

    @property
    def max_angle(self) -> float:
        """The smaller of both sides, rounded down to 0.0001 rad, so that the signals surely reach it."""
        return math.floor(min(self.left[0], -self.right[0]) * 1e4) / 1e4

    def signal(self, angle: float) -> float:
        """The signal for an angle in rad, by the straight line of its side, also beyond its end."""
        reached, signal = self.left if angle > 0 else self.right
        return self.centre + angle / reached * (signal - self.centre)

    def changes(self) -> Changes:
        """Of the car file."""
        section = ("actuator", "steering")
        return {
            (*section, "centre"): round(self.centre, 4),
            (*section, "left"): [round(self.left[0], 4), round(self.left[1], 4)],
            (*section, "right"): [round(self.right[0], 4), round(self.right[1], 4)],
            ("steering", "max_angle"): self.max_angle,
        }


def calibrate_steering(car: Car, rig: Rig, dialog: Dialog) -> SteeringFound:
    """Guide a person through the calibration of the steering.

    Raises:
        OutlapError: it cannot be done, and why.
        CancelledError: the person gave up.
    """
    assert car.actuator is not None
    if (
        dialog.choose(
            "dimensions",
            f"The car file says: wheelbase {1e3 * car.axles.wheelbase:.0f} mm, {1e3 * car.axles.track:.0f} mm from the "
            "middle of the left rear wheel to that of the right one. Measure both. Right?",
            {"y": "within 1 mm or so", "n": "no"},
        )
        == "n"
    ):
        raise OutlapError("correct axles.wheelbase and axles.track in the car file first: every angle depends on them.")
    dialog.confirm("blocks", "Lift the front wheels off the floor. Only the steering will move.")
    points = car.actuator.steering
    leftwards = _leftwards(rig, dialog, points.centre, math.copysign(1.0, points.left[1] - points.centre))
    dialog.task("centre", "Nudge the wheels until they point straight ahead, by eye.")
    centre = rig.nudge(False, points.centre, -leftwards)
    ends = {side: _end(rig, dialog, side, centre, leftwards * sign) for side, sign in SIDES.items()}
    dialog.confirm("floor", "Put the car on the floor, its drive free to be pushed by hand.")
    angles = {side: _angle(rig, dialog, side, ends[side], centre, car.axles) for side in SIDES}
    found = SteeringFound(centre, (angles["left"], ends["left"]), (-angles["right"], ends["right"]))
    _straighten(rig, dialog, found, car)
    return found


def turning_angle(diameter: float, axles: Axles) -> float:
    """Front wheel angle in rad at which the outer rear wheel drives a circle of ``diameter`` m; NaN: it cannot."""
    radius = (diameter - axles.track) / 2
    return math.atan(axles.wheelbase / radius) if radius > 0 else math.nan


def rolled_curvature(half: float, end: float, length: float) -> float:
    """Curvature in 1/m from how far left of a straight line (m) the car was at half of ``length`` m and at its end."""
    return 4 * (end - 2 * half) / length**2


def _leftwards(rig: Rig, dialog: Dialog, centre: float, sign: float) -> float:
    """The sign of the signal that turns the wheels to the left, which the car file thinks to be ``sign``."""
    unit = rig.steering_unit
    for strength in (1.0, 2.0, 3.0):
        rig.send(steering=centre)
        rig.wait(0.5)
        rig.send(steering=centre + sign * strength * unit.probe)
        rig.wait(0.5)
        answer = dialog.choose(
            "turned", "Which way did the front wheels turn just now, as the driver sees it?", DIRECTIONS
        )
        rig.send(steering=centre)
        if answer == "l":
            return sign
        if answer == "r":
            dialog.say("Left and right are swapped in the car file: put right from here on.")
            return -sign
    raise OutlapError(
        f"the wheels do not turn between {unit.show(centre)} and {unit.show(centre + sign * 3 * unit.probe)}: look at "
        "the servo's plug, its channel in the car file (actuator.steering_channel) and its supply."
    )


def _end(rig: Rig, dialog: Dialog, side: str, centre: float, outwards: float) -> float:
    """The signal at one end, which lies in the direction ``outwards`` of the centre."""
    rightwards = outwards if side == "right" else -outwards
    dialog.task(
        side,
        f"Nudge the wheels to the {side} until they turn no further; then back until the servo does not buzz.",
    )
    signal = rig.nudge(False, centre + outwards * rig.steering_unit.probe, rightwards)
    rig.send(steering=centre)
    if (signal - centre) * outwards <= 0:
        raise OutlapError(f"the {side} end cannot lie on the other side of the middle: begin again.")
    return signal


def _angle(rig: Rig, dialog: Dialog, side: str, signal: float, centre: float, axles: Axles) -> float:
    rig.send(steering=centre)
    rig.wait(0.3)
    rig.send(steering=signal)
    rig.wait(0.5)
    outer = "right" if side == "left" else "left"
    for _ in range(ROUNDS):
        diameter = measured(
            dialog,
            f"circle_{side}",
            f"The wheels are at their {side} end. Mark where the {outer} rear wheel, the outer one, touches the floor; "
            "push the car round half a circle; mark that wheel again. How many cm from mark to mark?",
            100 * axles.track,
            1000.0,
            agree=2.0,
        )
        angle = turning_angle(diameter / 100, axles)
        if SMALLEST <= angle <= LARGEST:
            return angle
        dialog.say(f"That would be an angle of {math.degrees(angle):.0f}°, which cannot be: it is the whole diameter.")
    raise OutlapError(f"the turning circle to the {side} makes no sense: see axles.wheelbase and axles.track.")


def _straighten(rig: Rig, dialog: Dialog, found: SteeringFound, car: Car) -> None:
    """Roll the car along a line and correct the centre by where it ends, from either side for the slack."""
    whole = dialog.number(
        "length",
        "Now straight on. Lay a tape or a string along the floor, as long as there is room. How many m?",
        1,
        20,
    )
    for round_ in range(ROUNDS):
        length = min(whole, SHORT) if round_ == 0 else whole  # a car that is far off would leave a long line for good
        curvatures = []
        for side, signal in (("left", found.left[1]), ("right", found.right[1])):
            rig.send(steering=found.centre + 0.5 * (signal - found.centre))
            rig.wait(0.5)
            rig.send(steering=found.centre)
            rig.wait(0.5)
            dialog.confirm(
                f"aim_{side}", "Put the car at the line's start, the middle of its rear axle above it, aimed along it."
            )
            half, end = (
                dialog.number(
                    name,
                    f"Push it on until it has come {100 * part * length:.0f} cm. How many cm is the middle of the rear "
                    "axle left of the line (right: negative)?",
                    -100 * length,
                    100 * length,
                )
                for name, part in (("half", 0.5), ("end", 1.0))
            )
            curvatures.append(rolled_curvature(half / 100, end / 100, length))
        slack = math.degrees(car.steering_angle(abs(curvatures[0] - curvatures[1])))
        angle = car.steering_angle(sum(curvatures) / 2)
        found.centre = found.signal(-angle)
        rig.send(steering=found.centre)
        dialog.say(
            f"It rolled as at {math.degrees(angle):+.2f}° (slack {slack:.2f}°): the middle is now "
            f"{rig.steering_unit.show(found.centre)}."
        )
        if abs(angle) < STRAIGHT and length == whole:
            return
    raise OutlapError("the car does not come to roll straight: look for slack in the steering and for bent wheels.")
