"""The steering of hidden cars is found; slips of the person and of the car file are found out."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outlap.calibration.carfile import write_car
from outlap.calibration.dialog import CancelledError
from outlap.calibration.fakes.car import Hidden
from outlap.calibration.fakes.trials import drive_errors, find_steering
from outlap.calibration.steering import calibrate_steering, rolled_curvature, turning_angle
from outlap.errors import OutlapError
from outlap.vehicle.car import load_car


def test_the_turning_circle_is_the_outer_rear_wheel_s() -> None:
    axles = load_car("deepracer").axles
    angle = math.radians(25)
    radius = axles.wheelbase / math.tan(angle)  # of the rear axle's middle
    assert turning_angle(2 * radius + axles.track, axles) == pytest.approx(angle)
    assert math.isnan(turning_angle(axles.track, axles))


def test_a_rolled_arc_tells_its_curvature_however_it_was_aimed() -> None:
    curvature, heading, length = 0.05, 0.03, 3.0
    half, end = (heading * s + curvature * s**2 / 2 for s in (length / 2, length))
    assert rolled_curvature(half, end, length) == pytest.approx(curvature)


@pytest.mark.parametrize("mirrored", [False, True])
def test_trim_and_gains_are_found(path: Path, mirrored: bool) -> None:
    hidden = Hidden(mirrored=mirrored, trim=1461)
    before = path.read_text()
    find_steering(path, hidden, np.random.default_rng(1))
    found = load_car(path)
    errors = drive_errors(found, hidden)
    assert errors.trim < 3
    assert errors.end < math.radians(1)
    assert errors.between < math.radians(1.5)
    assert found.actuator is not None
    assert 0 < found.actuator.steering.reach - found.steering.max_angle < 1.1e-4
    assert [line.split("#")[1:] for line in before.splitlines()] == [
        line.split("#")[1:] for line in path.read_text().splitlines()
    ]


def test_swapped_sides_are_told(scene: Callable) -> None:
    car, _, person, rig = scene(mirrored=True)
    found = calibrate_steering(car, rig, person)
    assert any("swapped" in said for said in person.said)
    assert found.left[1] < found.centre < found.right[1]


def test_wheels_that_do_not_turn_are_told(scene: Callable) -> None:
    car, fake, person, rig = scene(gain_left=1e9, gain_right=1e9)
    with pytest.raises(OutlapError, match="wheels do not turn between 1500 µs and 1680 µs"):
        calibrate_steering(car, rig, person)
    assert all(speed is None for _, _, speed in fake.sent)


def test_a_misread_tape_is_measured_again(scene: Callable) -> None:
    car, fake, person, rig = scene(answers={"circle_left": [40.0, None, None]})
    found = calibrate_steering(car, rig, person)
    assert person.asked.count("circle_left") == 3
    assert abs(fake.horn(found.left[1]) - found.left[0]) < math.radians(1.5)


def test_a_radius_in_the_diameter_s_place_is_refused(scene: Callable) -> None:
    car, _, person, rig = scene(answers={"circle_left": 19.0})
    with pytest.raises(OutlapError, match="turning circle to the left makes no sense"):
        calibrate_steering(car, rig, person)


def test_a_car_file_with_other_dimensions_is_corrected_first(scene: Callable) -> None:
    car, fake, person, rig = scene(answers={"dimensions": "n"})
    with pytest.raises(OutlapError, match=r"correct axles\.wheelbase"):
        calibrate_steering(car, rig, person)
    assert fake.sent == []


def test_giving_up_leaves_the_file_as_it_was(scene: Callable, path: Path) -> None:
    before = path.read_text()
    car, _, person, rig = scene(answers={"length": CancelledError("given up.")})
    with pytest.raises(CancelledError):
        write_car(path, calibrate_steering(car, rig, person).changes())
    assert path.read_text() == before
