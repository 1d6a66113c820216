"""Ackermann geometry of the four wheels, and a servo and a motor that are those of the built-in simulator."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from outlap.gazebo.wheels import Actuators, Slide, joint_commands
from outlap.vehicle.car import Car
from outlap.vehicle.dynamics import SPEED, STATE_SIZE, STEERING, advance, parameters
from outlap.vehicle.outline import wheel_places

WHEELS = ("rear_left", "rear_right", "front_left", "front_right")  # as in wheel_places


def other_car(car: Car, rng: np.random.Generator) -> Car:
    """A car of other dimensions and limits."""
    axles = {
        "wheelbase": rng.uniform(0.1, 0.5),
        "track": rng.uniform(0.08, 0.4),
        "wheel_radius": rng.uniform(0.02, 0.1),
    }
    steering = {"max_angle": 0.5, "max_rate": rng.uniform(1, 20), "time_constant": rng.uniform(0.01, 0.2)}
    drive = car.drive.model_copy(update={"time_constant": rng.uniform(0.03, 0.3), "max_deceleration": 9.0})
    return Car.model_validate(car.model_dump() | {"axles": axles, "steering": steering, "drive": drive.model_dump()})


@pytest.mark.parametrize("seed", range(20))
def test_no_wheel_scrubs(car: Car, seed: int) -> None:
    rng = np.random.default_rng(seed)
    car = other_car(car, rng)
    steering, wheel_speed = rng.uniform(-0.5, 0.5), rng.uniform(-100, 100)
    commands = joint_commands(car, steering, wheel_speed)
    speed = wheel_speed * car.axles.wheel_radius
    rolling = Slide(0.0, speed * math.tan(steering) / car.axles.wheelbase)
    assert joint_commands(car, steering, wheel_speed, rolling) == pytest.approx(commands)
    angles = (0.0, 0.0, commands.steering_left, commands.steering_right)
    for (x, y), name, angle in zip(wheel_places(car, 0, 0, 0)[0], WHEELS, angles, strict=True):
        # What a rigid body's point moves at, against what the wheel rolls at.
        rolled = getattr(commands, name) * car.axles.wheel_radius
        assert (speed - rolling.yaw_rate * y, rolling.yaw_rate * x) == pytest.approx(
            (rolled * math.cos(angle), rolled * math.sin(angle)), abs=1e-12 + 1e-9 * abs(speed)
        )


@pytest.mark.parametrize("steering", [-0.5, -0.1, 0.1, 0.5])
def test_the_wheels_axles_meet_in_one_point(car: Car, steering: float) -> None:
    commands = joint_commands(car, steering, 10.0)
    length, half = car.axles.wheelbase, car.axles.track / 2
    centre = length / math.tan(steering)  # m to the left, on the rear axle's line
    assert half + length / math.tan(commands.steering_left) == pytest.approx(centre)
    assert -half + length / math.tan(commands.steering_right) == pytest.approx(centre)
    inner, outer = sorted((abs(commands.steering_left), abs(commands.steering_right)), reverse=True)
    assert inner > abs(steering) > outer


def test_signs(car: Car) -> None:
    left = joint_commands(car, 0.3, 20.0)
    assert left.steering_left > left.steering_right > 0
    assert 0 < left.rear_left < 20 < left.rear_right < left.front_right
    right, back = joint_commands(car, -0.3, 20.0), joint_commands(car, 0.3, -20.0)
    assert right.steering_right == -left.steering_left
    assert right.rear_right == left.rear_left and right.front_left == left.front_right
    assert (back.steering_left, back.rear_left, back.front_left) == (
        left.steering_left,
        -left.rear_left,
        -left.front_left,
    )
    straight = joint_commands(car, 0.0, 20.0)
    assert straight == (0, 0, 20, 20, 20, 20)


def test_wheels_stand_while_the_steering_turns(car: Car) -> None:
    commands = joint_commands(car, 0.4, 0.0)
    assert commands.steering_left > 0.4
    assert commands[2:] == (0, 0, 0, 0)


def built_in(car: Car, dt: float, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Steering angle (rad) and speed (m/s) of the built-in simulator's car after each step of ``dt``, shape (n, 2)."""
    state, p = np.zeros((1, STATE_SIZE)), parameters(car)
    record = []
    for steering, wheel_speed in wanted:
        advance(state, p, np.array([steering]), np.array([wheel_speed]), dt)
        record.append((state[0, STEERING], state[0, SPEED]))
    return np.array(record)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dt", [1 / 120, 0.004, 1 / 30])
def test_servo_and_motor_are_the_built_in_ones(car: Car, seed: int, dt: float) -> None:
    """Steering while standing, and driving straight on: there the built-in car's speed is its motor's alone."""
    rng = np.random.default_rng(seed)
    car = other_car(car, rng) if seed else car
    turns = np.repeat(rng.uniform(-1.5, 1.5, 12), 8)
    speeds = np.repeat(np.array([100, 0, 200, 20, -50, 60, -200, 0, 0, 30, 0, 500.0]), 8)
    for wanted in (np.column_stack([turns, 0 * turns]), np.column_stack([0 * speeds, speeds])):
        actuators = Actuators(car)
        mine = []
        for steering, wheel_speed in wanted:
            actuators.step(dt, steering, wheel_speed)
            mine.append((actuators.steering, actuators.speed))
        assert np.array(mine) == pytest.approx(built_in(car, dt, wanted), abs=1e-9)


def test_wheels_turn_as_fast_as_a_sliding_car_moves_along_them(car: Car) -> None:
    slide = Slide(-0.4, 2.5)
    commands = joint_commands(car, 0.3, 50.0, slide)
    for (x, y), name in zip(wheel_places(car, 0, 0, 0)[0], WHEELS, strict=True):
        steered = name.startswith("front")
        angle = getattr(commands, name.replace("front", "steering")) if steered else 0.0
        point = np.array([50.0 * car.axles.wheel_radius - slide.yaw_rate * y, slide.lateral_speed + slide.yaw_rate * x])
        along = float(point @ (math.cos(angle), math.sin(angle)))
        assert getattr(commands, name) * car.axles.wheel_radius == pytest.approx(along)


def test_gazebos_motors_make_the_cars_speed(car: Car) -> None:
    """They close on the speed that they are told within the time constant, and so never need to be limited."""
    actuators, drive, speed, dt = Actuators(car), car.drive, 0.0, 0.001
    for wanted in np.repeat([100.0, 0.0, -50.0, 20.0], 1500):
        told = actuators.step(dt, 0.0, wanted).rear_left * car.axles.wheel_radius
        push = (told - speed) / drive.time_constant
        assert abs(push) < 1.02 * drive.max_deceleration
        speed += dt * push
        assert speed == pytest.approx(actuators.speed, abs=0.01)


def test_time_that_stands_or_goes_back_moves_nothing(car: Car) -> None:
    actuators = Actuators(car)
    actuators.step(0.1, 0.2, 30.0)
    before = actuators.steering, actuators.speed
    for dt in (0.0, -1.0):
        actuators.step(dt, -0.2, 0.0)
        assert (actuators.steering, actuators.speed) == before


def test_a_car_that_was_put_somewhere_stands(car: Car) -> None:
    actuators = Actuators(car)
    turned = actuators.step(1.0, 0.2, 30.0).steering_left
    actuators.halt()
    after = actuators.step(0.0, 0.2, 0.0)
    assert after.steering_left == turned
    assert after.rear_left == 0.0
