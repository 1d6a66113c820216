"""The car file: every fact about one car, in SI units and radians."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from outlap.errors import OutlapError
from outlap.files import Model, find_config, read_yaml
from outlap.vehicle.hardware import Battery, CameraDevice, Hardware, PulseMaps

NumbersT = TypeVar("NumbersT", float, NDArray[np.float64])
Positive = Annotated[float, Field(gt=0)]
GRAVITY = 9.81  # m/s^2


class Body(Model):
    """Outline and masses; the body frame is base_link, on the ground under the middle of the rear axle."""

    length: Annotated[float, Field(gt=0, le=2)]  # m, bumper to bumper
    width: Annotated[float, Field(gt=0, le=1)]  # m, over the wheels
    rear_overhang: Annotated[float, Field(ge=0, le=1)]  # m, from the rear axle back to the bumper
    height: Annotated[float, Field(gt=0, le=1)]  # m
    mass: Annotated[float, Field(gt=0, le=50)]  # kg
    yaw_inertia: Annotated[float, Field(gt=0, le=10)]  # kg m^2, about the vertical axis through the centre of mass
    centre_of_mass: Annotated[float, Field(gt=0, le=1)]  # m, ahead of the rear axle


class Axles(Model):
    """Wheels and where they stand."""

    wheelbase: Annotated[float, Field(gt=0, le=1)]  # m, rear axle to front axle
    track: Annotated[float, Field(gt=0, le=1)]  # m, between the middles of the left and right wheel
    wheel_radius: Annotated[float, Field(gt=0, le=0.3)]  # m


class Steering(Model):
    """The servo, as the angle of the single-track model's front wheel."""

    max_angle: Annotated[float, Field(gt=0, lt=1.2)]  # rad, to either side
    max_rate: Annotated[float, Field(gt=0, le=50)]  # rad/s
    time_constant: Annotated[float, Field(gt=0, le=1)]  # s, first-order lag


class Drive(Model):
    """The motor and its speed controller."""

    max_speed: Annotated[float, Field(gt=0, le=30)]  # m/s
    max_reverse_speed: Annotated[float, Field(ge=0, le=30)]  # m/s
    max_acceleration: Annotated[float, Field(gt=0, le=50)]  # m/s^2
    max_deceleration: Annotated[float, Field(gt=0, le=50)]  # m/s^2
    time_constant: Annotated[float, Field(gt=0, le=2)]  # s, first-order lag of the speed loop
    neutral: Literal["coast", "brake"]  # what zero speed means to the actuator


class Tyres(Model):
    """Linear cornering stiffness up to a friction limit."""

    friction: Annotated[float, Field(gt=0, le=3)]  # coefficient of friction
    cornering_stiffness: Annotated[float, Field(gt=0, le=50)]  # per rad: side force / load at small slip angles


class Lens(Model):
    """A camera's picture and lens. ``fisheye`` is OpenCV's (Kannala-Brandt), ``pinhole`` OpenCV's Brown-Conrady."""

    model: Literal["pinhole", "fisheye"]
    width: Annotated[int, Field(ge=16, le=4096)]  # pixels
    height: Annotated[int, Field(ge=16, le=4096)]  # pixels
    fx: Positive  # pixels (fisheye: pixels per radian at the centre)
    fy: Positive  # pixels
    cx: float  # pixels, 0 is the middle of the first pixel
    cy: float  # pixels
    distortion: Annotated[tuple[float, ...], Field(max_length=5)] = ()  # k1 k2 p1 p2 k3, or fisheye k1 k2 k3 k4


class Camera(Model):
    """The lens and where it is mounted, relative to base_link."""

    x: Annotated[float, Field(ge=-1, le=1)]  # m, ahead of the rear axle
    y: Annotated[float, Field(ge=-0.5, le=0.5)] = 0.0  # m, to the left
    height: Annotated[float, Field(gt=0, le=1)]  # m, above the ground
    pitch: Annotated[float, Field(ge=-0.5, le=1.2)]  # rad, positive looks down
    roll: Annotated[float, Field(ge=-0.5, le=0.5)] = 0.0  # rad, about the forward axis
    yaw: Annotated[float, Field(ge=-0.5, le=0.5)] = 0.0  # rad, positive looks left
    rate: Annotated[float, Field(gt=0, le=240)]  # frames per second
    lens: Lens
    device: CameraDevice | None = None  # the real one; none: the car is only simulated


class Car(Model):
    """One car: the only place that knows its dimensions and limits."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    body: Body
    axles: Axles
    steering: Steering
    drive: Drive
    tyres: Tyres
    camera: Camera
    actuator: Hardware | None = None  # what steers and drives the real one; none: the car is only simulated
    battery: Battery | None = None  # of the real one; none: its voltage stops nothing

    @model_validator(mode="after")
    def _within_reach(self) -> Self:
        if self.actuator is None:
            return self
        reach, (forward, backward) = self.actuator.steering.reach, self.actuator.speed.fastest
        for key, limit, reached in (
            ("steering.max_angle", self.steering.max_angle, reach),
            ("drive.max_speed", self.drive.max_speed, forward),
            ("drive.max_reverse_speed", self.drive.max_reverse_speed, backward),
        ):
            if limit > reached + 1e-6:
                raise ValueError(f"{key} is {limit:g}, but the signals of actuator reach {reached:g} only")
        if self.drive.neutral == "brake" and isinstance(self.actuator, PulseMaps) and self.actuator.speed.brake is None:
            raise ValueError("drive.neutral is brake, which needs the signal actuator.speed.brake")
        return self

    @property
    def max_curvature(self) -> float:
        """Tightest curvature that the steering can make, 1/m: tan(max_angle) / wheelbase of the single-track model."""
        return math.tan(self.steering.max_angle) / self.axles.wheelbase

    # Each takes a number, or an array of any shape.

    def steering_angle(self, curvature: NumbersT) -> NumbersT:
        """Front wheel angle in rad, left positive, that drives ``curvature`` (1/m) without slip."""
        if isinstance(curvature, np.ndarray):
            return np.arctan(curvature * self.axles.wheelbase)
        return math.atan(curvature * self.axles.wheelbase)

    def curvature(self, steering_angle: NumbersT) -> NumbersT:
        """Curvature in 1/m, left positive, that a front wheel angle in rad drives without slip."""
        if isinstance(steering_angle, np.ndarray):
            return np.tan(steering_angle) / self.axles.wheelbase
        return math.tan(steering_angle) / self.axles.wheelbase

    def wheel_speed(self, speed: NumbersT) -> NumbersT:
        """Wheel speed in rad/s at ``speed`` in m/s."""
        return speed / self.axles.wheel_radius

    def speed(self, wheel_speed: NumbersT) -> NumbersT:
        """Speed in m/s of wheels that turn at ``wheel_speed`` in rad/s without slip."""
        return wheel_speed * self.axles.wheel_radius


def load_car(name_or_path: str | Path = "deepracer") -> Car:
    """Read a car file: a path, or the name of one that ships in ``config/cars``.

    Raises:
        OutlapError: there is no such car, or its file is refused; the message names the key.
    """
    path = car_file(name_or_path)
    car = read_yaml(path, Car, "car file")
    if car.body.centre_of_mass >= car.axles.wheelbase:
        raise OutlapError(f"{path}: body.centre_of_mass must lie between the axles (0 to {car.axles.wheelbase} m).")
    return car


def car_file(name_or_path: str | Path) -> Path:
    """Where a car's file lies: the path itself, or a name's file in ``config/cars``.

    Raises:
        OutlapError: there is no car of that name.
    """
    return find_config("cars", name_or_path, "car")
