"""Whole calibrations of hidden cars, and how far what was found is from the truth."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from outlap.calibration.carfile import write_car
from outlap.calibration.fakes.car import Hidden, HiddenCar, drawn
from outlap.calibration.fakes.person import Person
from outlap.calibration.rig import Rig
from outlap.calibration.speed import SpeedFound, calibrate_speed
from outlap.calibration.steering import SteeringFound, calibrate_steering
from outlap.files import share_directory
from outlap.vehicle.car import Car, load_car

# What a car file may say before the calibration: round numbers.
ACTUATOR = """
actuator:
  driver: pca9685
  steering: {centre: 1500, left: [0.6, 1800], right: [-0.6, 1200]} # µs
  speed:
    neutral: 1500   # µs
    forward: [[0, 1550], [5, 1900]]
    reverse: [[0, 1450], [5, 1100]]
"""
FoundT = TypeVar("FoundT", SteeringFound, SpeedFound)
SLOWEST = 0.5  # m/s; slower the map follows a straight line from the dead band's edge, and nobody drives
TAPE = 0.005  # m, standard deviation of what the person reads off the tape


class DriveErrors(NamedTuple):
    """Worst errors of one car's steering and drive."""

    trim: float  # µs
    end: float  # rad, of the angle at the ends
    between: float  # rad, of the angle that the map says anywhere
    forward: float  # 1, of the speed that the map says from 0.5 m/s up
    reverse: float  # 1, likewise
    edge: float  # µs, of the dead band


def car_file(folder: Path) -> Path:
    """The shipped car with an actuator that nobody has calibrated."""
    path = folder / "car.yaml"
    text = (share_directory() / "config" / "cars" / "deepracer.yaml").read_text()
    path.write_text(text.split("\nactuator:")[0] + ACTUATOR)  # its section actuator comes last
    return path


def find_steering(path: Path, hidden: Hidden, rng: np.random.Generator, **person: object) -> SteeringFound:
    """Calibrate the steering of the car file at ``path`` on a hidden car, and write it."""
    return _find(calibrate_steering, path, hidden, rng, person)


def find_speed(path: Path, hidden: Hidden, rng: np.random.Generator, **person: object) -> SpeedFound:
    """Calibrate the drive likewise."""
    return _find(calibrate_speed, path, hidden, rng, person)


def _find(
    calibrate: Callable[[Car, Rig, Person], FoundT],
    path: Path,
    hidden: Hidden,
    rng: np.random.Generator,
    person: dict[str, object],
) -> FoundT:
    car = load_car(path)
    fake = HiddenCar(car, hidden, rng)
    asked = Person(fake, rng, TAPE, **person)  # type: ignore[arg-type]  # one dict for several types
    found = calibrate(car, Rig(car, fake, asked), asked)
    write_car(path, found.changes())
    return found


def drive_trial(seed: int) -> DriveErrors:
    """Calibrate steering and drive of a car that is drawn by ``seed``; the errors of the car file that comes out."""
    rng = np.random.default_rng(seed)
    hidden = drawn(rng)
    with tempfile.TemporaryDirectory() as folder:
        path = car_file(Path(folder))
        find_steering(path, hidden, rng)
        find_speed(path, hidden, rng)
        return drive_errors(load_car(path), hidden)


def drive_errors(car: Car, hidden: Hidden) -> DriveErrors:
    """How far a car file is from the truth."""
    assert car.actuator is not None
    truth, steering, speed = HiddenCar(car, hidden, np.random.default_rng()), car.actuator.steering, car.actuator.speed

    def angle_error(angle: float) -> float:
        return abs(truth.horn(steering.signal(angle)) - angle)

    def speed_error(top: float, sign: float) -> float:
        speeds = sign * np.linspace(min(SLOWEST, top), top, 40) if top > 0 else []
        return max((abs(truth.steady_speed(speed.signal(v)) / v - 1) for v in speeds), default=0.0)

    edges = [speed.forward[0], *speed.reverse[:1]]
    return DriveErrors(
        trim=abs(steering.centre - hidden.trim),
        end=max(angle_error(steering.left[0]), angle_error(steering.right[0])),
        between=max(angle_error(angle) for angle in np.linspace(steering.right[0], steering.left[0], 41)),
        forward=speed_error(car.drive.max_speed, 1.0),
        reverse=speed_error(car.drive.max_reverse_speed, -1.0),
        edge=max(abs(abs(signal - hidden.neutral) - hidden.dead) for _, signal in edges),
    )
