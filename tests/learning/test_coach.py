"""The coach knows from moments alone where a car is, when a lap was clean, and when somebody helped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from outlap.driving.task import DrivingTask
from outlap.driving.task_config import TaskConfig
from outlap.learning.live.coach import Coach, Outcome
from outlap.learning.live.moments import SECOND, Moment
from outlap.learning.recipes.teacher import Teacher
from outlap.simulation.randomization import OFF
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

RADIUS = 1.2  # m, the ring's
TURN = 0.04  # rad from moment to moment, 1.4 m/s

KNOWN = 43  # numbers that a teacher of at most 2 m/s knows without a guide


@pytest.fixture
def coach(ring: Track, car: Car, config: TaskConfig) -> Coach:
    return Coach(ring, car, config, Teacher(torch.nn.Linear(KNOWN, 2)))


@pytest.fixture
def config(tiny: Callable[..., dict[str, Any]]) -> TaskConfig:
    return TaskConfig.model_validate(tiny()["task"])


class Drive:
    """Moments of a car that goes round the ring."""

    def __init__(self, coach: Coach) -> None:
        self.coach, self.stamp, self.angle = coach, SECOND, 0.0

    def go(self, radians: float, radius: float = RADIUS) -> list[bool]:
        """Whether there was something to learn, moment by moment."""
        learned = []
        for _ in range(round(radians / TURN)):
            self.stamp, self.angle = self.stamp + SECOND // 30, self.angle + TURN
            x, y = radius * np.cos(self.angle), radius * np.sin(self.angle)
            state = np.array([x, y, self.angle + np.pi / 2, 1.4, 0, TURN * 30, 0.1])
            commands = np.full((2, 2), 0.5, np.float32)
            advice = self.coach.advise(Moment(self.stamp, np.zeros((48, 80), np.uint8), commands, state, 0))
            learned.append(advice is not None)
        return learned


def test_whole_laps_are_clean_wherever_they_begin(coach: Coach) -> None:
    drive = Drive(coach)
    assert all(drive.go(6.1))
    assert coach.outcomes == []
    drive.go(0.3)
    assert coach.outcomes == [Outcome.CLEAN]
    drive.go(6.3)
    assert coach.outcomes == [Outcome.CLEAN] * 2


def test_leaving_the_road_ends_an_episode_once_and_a_new_one_begins_where_the_car_is_put(coach: Coach) -> None:
    drive = Drive(coach)
    drive.go(3.0)
    assert not any(drive.go(0.5, radius=2.2)[1:])
    assert coach.outcomes == [Outcome.FAILED]
    coach.placed(RADIUS * np.cos(drive.angle + TURN), RADIUS * np.sin(drive.angle + TURN))
    assert not any(drive.go(0.2, radius=2.2))  # not there yet
    coach.placed(RADIUS * np.cos(drive.angle + TURN), RADIUS * np.sin(drive.angle + TURN))
    assert all(drive.go(6.2))
    assert coach.outcomes == [Outcome.FAILED]
    drive.go(0.2)
    assert coach.outcomes == [Outcome.FAILED, Outcome.CLEAN]


def test_a_car_that_is_helped_or_carried_has_no_clean_lap(coach: Coach) -> None:
    drive = Drive(coach)
    drive.go(3.0)
    coach.placed(RADIUS * np.cos(drive.angle), RADIUS * np.sin(drive.angle))  # it was stuck, and stays where it is
    drive.go(4.0)
    drive.angle += 2.0  # carried ahead
    drive.go(1.0)
    assert coach.outcomes == [Outcome.FAILED] * 2
    drive.go(5.4)
    assert coach.outcomes == [Outcome.FAILED, Outcome.FAILED, Outcome.CLEAN]


def test_a_car_that_stands_still_has_failed(coach: Coach) -> None:
    drive = Drive(coach)
    drive.go(1.0)
    standing = drive.angle
    for _ in range(6 * 30):
        drive.angle = standing - TURN
        drive.go(TURN)
    assert coach.outcomes == [Outcome.FAILED]


def test_a_time_of_which_nothing_is_known_is_no_failure_and_an_episode_begins_after_it(coach: Coach) -> None:
    drive = Drive(coach)
    drive.go(3.0)
    drive.stamp, drive.angle = drive.stamp + 10 * SECOND, drive.angle + 2.0
    drive.go(6.1)
    assert coach.outcomes == []
    drive.go(0.4)
    assert coach.outcomes == [Outcome.CLEAN]


def test_a_car_with_a_wheel_on_the_road_is_learned_from(coach: Coach, car: Car) -> None:
    beyond = RADIUS + 0.4 + car.axles.track / 2  # the inner wheels are on the border
    assert all(Drive(coach).go(0.2, radius=beyond - 0.03))
    assert not any(Drive(coach).go(0.2, radius=beyond + 0.03))


def test_a_car_that_was_never_put_where_it_should_is_learned_from_again(coach: Coach) -> None:
    drive = Drive(coach)
    drive.go(1.0)
    coach.placed(50.0, 50.0)
    assert not any(drive.go(3.0))
    assert all(drive.go(2.0)[-10:])


def test_advice_is_the_teachers_for_the_very_state_of_a_simulated_car(
    ring: Track, car: Car, config: TaskConfig
) -> None:
    teacher = Teacher(torch.nn.Linear(KNOWN, 2))
    task = DrivingTask(TrackSet([ring]), car, 1, config, 3, OFF)
    for _ in range(5):
        task.step(np.array([[0.25, 0.4]]))
    command = np.stack(task.to_command(task.last), axis=1) / [config.curvature_limit, config.speed_limit]
    moment = Moment(SECOND, np.zeros((48, 80), np.uint8), command.astype(np.float32), task.fleet.state[0].copy(), 0)
    advice = Coach(ring, car, config, teacher).advise(moment)
    assert advice is not None
    np.testing.assert_allclose(advice.known, task.teacher_observation(), atol=1e-5)
    np.testing.assert_allclose(advice.action, teacher.act(task.teacher_observation()), atol=1e-5)
