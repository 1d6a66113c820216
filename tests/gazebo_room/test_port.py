"""What is decided between Gazebo and the port: commands, putting the car somewhere at rest, the clock."""

from __future__ import annotations

import math

import pytest

from outlap.errors import OutlapError
from outlap.gazebo.port import ASK_AGAIN, GIVE_UP, Motion, Place, Port, RealTime, Step
from outlap.gazebo.wheels import Slide, joint_commands
from outlap.vehicle.car import load_car

CAR = load_car("deepracer")
TICK = 0.01  # s
HERE, THERE = Place(0.0, 0.0, 0.0), Place(3.0, -1.0, 3.0)
STILL, FAST = Motion(0.0, 0.0, 0.0), Motion(2.0, 0.1, 1.0)
HELD = Slide(0.0, 0.0)  # as a car that does not move though its wheels turn


class Drive:
    """A port that is told where the car is, tick by tick."""

    def __init__(self) -> None:
        self.port, self.time = Port(CAR), 5.0

    def tick(self, place: Place = HERE, motion: Motion = STILL, ticks: int = 1) -> Step:
        for _ in range(ticks):
            self.time += TICK
            step = self.port.step(self.time, place, motion)
            assert step is not None
        return step


def test_commands_reach_the_joints_through_the_cars_servo_and_motor() -> None:
    drive = Drive()
    drive.tick()
    drive.port.steer(0.2)
    drive.port.turn(20.0)
    first, last = drive.tick(), drive.tick(ticks=200)
    assert 0 < first.joints.rear_left < last.joints.rear_left
    assert last.joints == pytest.approx(joint_commands(CAR, 0.2, 20.0, HELD), rel=1e-3)
    assert (last.shown, last.put) == (True, None)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_ignored(value: float) -> None:
    drive = Drive()
    drive.port.steer(0.1)
    drive.port.turn(10.0)
    drive.port.steer(value)
    drive.port.turn(value)
    drive.port.place(Place(value, 0.0, 0.0))
    drive.port.place(Place(0.0, 0.0, value))
    step = drive.tick(ticks=200)
    assert step.joints == pytest.approx(joint_commands(CAR, 0.1, 10.0, HELD), rel=1e-3)
    assert step.shown


def test_a_driving_car_is_put_somewhere_at_rest_and_nobody_sees_how() -> None:
    drive = Drive()
    drive.port.turn(40.0)
    drive.tick(HERE, FAST, ticks=200)
    drive.port.place(THERE)
    step = drive.tick(HERE, FAST)
    assert (step.put, step.shown) == (THERE, False)
    # Gazebo put it there with the speed that it had: it rolls on, and its wheels are stopped.
    rolled = Place(THERE.x - 0.3, THERE.y, THERE.yaw - math.tau)
    step = drive.tick(rolled, FAST, ticks=20)
    assert (step.put, step.shown) == (None, False)
    assert max(map(abs, step.joints[2:])) == 0
    # It stands: once more.
    asked = [drive.tick(rolled, STILL).put for _ in range(round(ASK_AGAIN / TICK) + 1)]
    assert [place for place in asked if place] == [THERE]
    drive.tick(Place(THERE.x + 0.01, THERE.y, THERE.yaw - math.tau), STILL)
    step = drive.tick(THERE, STILL)
    assert (step.put, step.shown, drive.port.trouble) == (None, True, "")
    assert 0 < step.joints.rear_left < 20, "it drives off from rest"


def test_the_yaw_rate_is_right_where_gazebos_is_not() -> None:
    """As the yaw passes pi, Gazebo's has a whole turn in one of its steps."""
    drive = Drive()
    drive.tick(Place(0.0, 0.0, math.pi - 0.01))
    step = drive.tick(Place(0.0, 0.0, -math.pi + 0.01), Motion(0.0, 0.0, -628.0))
    assert step.yaw_rate == pytest.approx(0.02 / TICK)
    assert step.joints.rear_right > step.joints.rear_left > -10


def test_a_place_where_the_car_cannot_stand_is_given_up_and_told() -> None:
    drive = Drive()
    drive.port.place(THERE)
    step = drive.tick(HERE, STILL, ticks=round(GIVE_UP / TICK) + 3)
    assert step.shown
    assert "(3.00, -1.00) m and stands at (0.00, 0.00) m" in drive.port.trouble
    drive.port.place(HERE)
    drive.tick(HERE, STILL, ticks=3)
    assert drive.port.trouble == ""


def test_time_counts_once_and_never_goes_back() -> None:
    drive = Drive()
    drive.tick()
    assert drive.port.step(drive.time, HERE, STILL) is None
    with pytest.raises(OutlapError, match=r"time went back from 5\.01 to 0\.00 s"):
        drive.port.step(0.0, HERE, STILL)


def test_the_real_time_factor_is_of_the_last_seconds() -> None:
    real_time = RealTime()
    assert real_time.factor(0.0) == 0
    for tick in range(1000):
        real_time.add(tick * 0.01, tick * 0.01)
    for tick in range(300):
        real_time.add(10 + tick * 0.01, 10 + tick * 0.005)
    assert real_time.factor(13.0) == pytest.approx(0.5, rel=0.02)
    assert real_time.factor(20.0) == 0, "it stands still"
