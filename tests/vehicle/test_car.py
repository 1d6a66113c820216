"""The car file, what it derives, and where the wheels are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.vehicle.car import Car, load_car
from outlap.vehicle.outline import wheel_places

FILE = share_directory() / "config" / "cars" / "deepracer.yaml"


def test_a_car_is_found_by_name_and_by_path() -> None:
    assert load_car() == load_car("deepracer") == load_car(FILE)


@pytest.mark.parametrize("path", sorted(FILE.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_key_of_the_file_is_explained(path: Path) -> None:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.startswith("  ") and value.strip() and key.strip() != "driver" and "#" not in key:
            assert "#" in value, f"{key.strip()} has no comment"


def test_curvature_and_steering_angle_undo_each_other(car: Car) -> None:
    assert car.steering_angle(car.max_curvature) == pytest.approx(car.steering.max_angle)
    assert car.steering_angle(-1.0) == -car.steering_angle(1.0) < 0
    assert car.curvature(car.steering.max_angle) == car.max_curvature
    assert car.wheel_speed(car.axles.wheel_radius) == pytest.approx(1.0)
    assert car.speed(car.wheel_speed(1.5)) == pytest.approx(1.5)


def test_arrays_are_converted_number_by_number(car: Car) -> None:
    rng = np.random.default_rng(0)
    for convert, back, most in ((car.steering_angle, car.curvature, 3.0), (car.wheel_speed, car.speed, 4.0)):
        values = rng.uniform(-most, most, (3, 50))
        converted = convert(values)
        np.testing.assert_allclose(converted, [[convert(float(one)) for one in row] for row in values], rtol=1e-15)
        np.testing.assert_allclose(back(converted), values, rtol=1e-14)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mass: 1.5", "mass: .nan", "body.mass: "),
        ("mass: 1.5", "mass: -1", "body.mass: "),
        ("mass: 1.5", "mass: 1.5\n  colour: red", "body.colour: unknown key"),
        ("  mass: 1.5", "  # mass: 1.5", "body.mass: missing"),
        ("centre_of_mass: 0.082", "centre_of_mass: 0.5", "body.centre_of_mass must lie between the axles"),
        ("model: fisheye", "model: mirror", "camera.lens.model: "),
        ("name: deepracer", "name: ../deepracer", "name: "),
        ("body:", "body", ": the car file is not valid YAML: could not find"),
    ],
)
def test_what_is_wrong_in_a_car_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = FILE.read_text()
    assert text.count(old) == 1
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(OutlapError) as caught:
        load_car(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_car_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(OutlapError, match=r"no car named 'tank'.*deepracer"):
        load_car("tank")
    with pytest.raises(OutlapError, match="No such file"):
        load_car(tmp_path / "none.yaml")


def test_wheels_stand_at_the_corners_of_the_axles(car: Car) -> None:
    wheelbase, half = car.axles.wheelbase, car.axles.track / 2
    one = wheel_places(car, 0, 0, 0)
    np.testing.assert_allclose(one, [[[0, half], [0, -half], [wheelbase, half], [wheelbase, -half]]], atol=1e-15)
    two = wheel_places(car, [1, 3], [2, 4], [np.pi / 2, np.pi])
    assert two.shape == (2, 4, 2)
    np.testing.assert_allclose(
        two[0] - [1, 2], [[-half, 0], [half, 0], [-half, wheelbase], [half, wheelbase]], atol=1e-15
    )
    np.testing.assert_allclose(two[1] - [3, 4], -one[0], atol=1e-15)
