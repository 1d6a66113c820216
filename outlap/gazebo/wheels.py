"""From the single-track model's steering angle and wheel speed to what each joint of the car is told.

All four wheels are driven, as on most cars of this size. Every wheel's centre line is square to the line from it to the
one point that the car turns about, and every wheel turns as fast as it passes over the ground, so none scrubs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from outlap.vehicle.car import GRAVITY, Car

STEP = 1 / 480  # s, longest step of the servo's and motor's integration, as in vehicle.dynamics
ROLLING = 1e-3  # m/s, below which the car stands and it is the wanted speed that says which way is faster


class JointCommands(NamedTuple):
    """What the car's joints are told. The names are the last parts of Gazebo's topics for them."""

    steering_left: float  # rad, positive to the left
    steering_right: float  # rad
    rear_left: float  # rad/s, positive forward
    rear_right: float  # rad/s
    front_left: float  # rad/s
    front_right: float  # rad/s


def joint_commands(car: Car, steering: float, wheel_speed: float) -> JointCommands:
    """Joints of a car whose middle of the rear axle moves at ``wheel_speed`` times the wheels' radius.

    Args:
        car: dimensions.
        steering: rad, of the single-track model's front wheel, left positive.
        wheel_speed: rad/s, forward positive.
    """
    length, half = car.axles.wheelbase, car.axles.track / 2
    curvature = math.tan(steering) / length

    def front(left: float) -> tuple[float, float]:
        """Angle (rad) and speed (of the car's) of the front wheel that stands ``left`` m to the left."""
        along, across = 1 - curvature * left, curvature * length
        return math.atan2(across, along), math.hypot(across, along)

    (left, fast_left), (right, fast_right) = front(half), front(-half)
    return JointCommands(
        steering_left=left,
        steering_right=right,
        rear_left=wheel_speed * (1 - curvature * half),
        rear_right=wheel_speed * (1 + curvature * half),
        front_left=wheel_speed * fast_left,
        front_right=wheel_speed * fast_right,
    )


class Actuators:
    """The servo and the motor of the car file: first-order lags with limits, exactly those of ``vehicle.dynamics``."""

    def __init__(self, car: Car) -> None:
        self._car = car
        self.steering = 0.0  # rad, where the servo is
        self.speed = 0.0  # m/s, what the motor turns the wheels at

    def halt(self) -> None:
        """The car has been put somewhere at rest: the motor stands, the servo stays where it is."""
        self.speed = 0.0

    def step(self, dt: float, steering: float, wheel_speed: float) -> JointCommands:
        """Move servo and motor on by ``dt`` s towards these commands and say what the joints are to do then.

        Args:
            dt: s; nothing moves if it is not positive.
            steering: rad, wanted angle of the single-track model's front wheel, left positive.
            wheel_speed: rad/s, wanted.
        """
        servo, drive = self._car.steering, self._car.drive
        angle = min(max(steering, -servo.max_angle), servo.max_angle)
        wanted = min(max(wheel_speed * self._car.axles.wheel_radius, -drive.max_reverse_speed), drive.max_speed)
        grip = self._car.tyres.friction * GRAVITY  # m/s^2
        steps = math.ceil(max(dt, 0.0) / STEP - 1e-9)
        for _ in range(steps):
            turn = (angle - self.steering) / servo.time_constant
            self.steering += dt / steps * min(max(turn, -servo.max_rate), servo.max_rate)
            push = (wanted - self.speed) / drive.time_constant
            faster = push * (self.speed if abs(self.speed) > ROLLING else wanted) >= 0
            limit = min(drive.max_acceleration if faster else drive.max_deceleration, grip)
            self.speed += dt / steps * min(max(push, -limit), limit)
        return joint_commands(self._car, self.steering, self.speed / self._car.axles.wheel_radius)
