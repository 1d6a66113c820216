"""From the single-track model's steering angle and wheel speed to what each joint of the car is told.

All four wheels are driven, as on most cars of this size. Both front wheels stand square to the line from them to one
point on the rear axle's line, and every wheel is to turn as fast as it passes over the ground, so none scrubs.
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


class Slide(NamedTuple):
    """How the middle of the rear axle moves besides ahead."""

    lateral_speed: float  # m/s, to the left
    yaw_rate: float  # rad/s


def joint_commands(car: Car, steering: float, wheel_speed: float, slide: Slide | None = None) -> JointCommands:
    """Joints of a car whose middle of the rear axle moves ahead at ``wheel_speed`` times the wheels' radius.

    Args:
        car: dimensions.
        steering: rad, of the single-track model's front wheel, left positive.
        wheel_speed: rad/s, forward positive.
        slide: how the car really moves, as wheels behind a differential feel it; None: it rolls where they point.
    """
    length, half, radius = car.axles.wheelbase, car.axles.track / 2, car.axles.wheel_radius
    curvature = math.tan(steering) / length
    speed = wheel_speed * radius
    lateral_speed, yaw_rate = slide or (0.0, speed * curvature)

    def turn(x: float, y: float, angle: float) -> float:
        """Wheel speed in rad/s of a wheel at (x, y) in m that is turned by ``angle``."""
        ahead, left = speed - yaw_rate * y, lateral_speed + yaw_rate * x
        return (ahead * math.cos(angle) + left * math.sin(angle)) / radius

    left, right = (math.atan2(curvature * length, 1 - curvature * y) for y in (half, -half))
    return JointCommands(
        steering_left=left,
        steering_right=right,
        rear_left=turn(0, half, 0),
        rear_right=turn(0, -half, 0),
        front_left=turn(length, half, left),
        front_right=turn(length, -half, right),
    )


class Actuators:
    """The servo and the motor of the car file: first-order lags with limits, exactly those of ``vehicle.dynamics``.

    Gazebo's front wheels follow the servo at once. Its motors push in proportion to how far a wheel's speed is off (see
    urdf/racecar.urdf.xacro), so they are told the speed at which that makes the push which the car file allows.
    """

    def __init__(self, car: Car) -> None:
        self._car = car
        self.steering = 0.0  # rad, where the servo is
        self.speed = 0.0  # m/s, what the motor turns the wheels at

    def halt(self) -> None:
        """The car has been put somewhere at rest: the motor stands, the servo stays where it is."""
        self.speed = 0.0

    def step(self, dt: float, steering: float, wheel_speed: float, slide: Slide | None = None) -> JointCommands:
        """Move servo and motor on by ``dt`` s towards these commands and say what the joints are to do then.

        Args:
            dt: s; nothing moves if it is not positive.
            steering: rad, wanted angle of the single-track model's front wheel, left positive.
            wheel_speed: rad/s, wanted.
            slide: how the car really moves, see :func:`joint_commands`.
        """
        servo, drive = self._car.steering, self._car.drive
        angle = min(max(steering, -servo.max_angle), servo.max_angle)
        wanted = min(max(self._car.speed(wheel_speed), -drive.max_reverse_speed), drive.max_speed)
        steps = math.ceil(max(dt, 0.0) / STEP - 1e-9)
        for _ in range(steps):
            turn = (angle - self.steering) / servo.time_constant
            self.steering += dt / steps * min(max(turn, -servo.max_rate), servo.max_rate)
            self.speed += dt / steps * self._push(wanted)
        told = self.speed + drive.time_constant * self._push(wanted)
        return joint_commands(self._car, self.steering, self._car.wheel_speed(told), slide)

    def _push(self, wanted: float) -> float:
        """Acceleration (m/s^2) towards the speed ``wanted`` (m/s)."""
        drive = self._car.drive
        push = (wanted - self.speed) / drive.time_constant
        faster = push * (self.speed if abs(self.speed) > ROLLING else wanted) >= 0
        limit = min(drive.max_acceleration if faster else drive.max_deceleration, self._car.tyres.friction * GRAVITY)
        return min(max(push, -limit), limit)
