"""The guide: where the fastest line runs, how fast it may be driven, and a teacher that begins by following it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from outlap.driving.guide import Guide
from outlap.driving.task import AHEAD, DrivingTask, look_ahead
from outlap.driving.task_config import TaskConfig
from outlap.errors import OutlapError
from outlap.files import validate
from outlap.learning.config import TrainingConfig
from outlap.learning.recipes.teacher import Teacher, TeacherTraining, guidance, in_parts
from outlap.simulation.randomization import OFF
from outlap.simulation.yardstick import limits_of
from outlap.track.fastest import fastest_line
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car

GUIDE = {"grip": 0.7, "margin": 0.02}


@pytest.fixture(scope="module")
def oval() -> Track:
    return load_track("oval")


@pytest.fixture(scope="module")
def training(tiny: Callable[..., dict[str, Any]]) -> TrainingConfig:
    content = tiny()
    content["task"] |= {"speed_limit": 4.0, "guide": GUIDE}
    return TrainingConfig.model_validate(content)


@pytest.fixture
def task(oval: Track, car: Car, training: TrainingConfig) -> DrivingTask:
    return DrivingTask(TrackSet([oval]), car, 8, training.task, 1, OFF)


def test_a_faster_car_is_looked_further_ahead_for() -> None:
    np.testing.assert_array_equal(look_ahead(2.0), AHEAD)
    fast = look_ahead(4.0)
    np.testing.assert_array_equal(fast[: len(AHEAD)], AHEAD)
    assert 4.0 <= fast[-1] < 5.5 and np.all(np.diff(fast) > 0)


def test_the_line_is_shown_where_it_lies(oval: Track, car: Car, task: DrivingTask, training: TrainingConfig) -> None:
    guide, fleet = task.guide, task.fleet
    assert guide is not None
    limits = limits_of(car, 4.0, training.task.curvature_limit, 0.7, 0.02, wheels=4)
    line = fastest_line(oval, limits)
    fleet.place(np.arange(8), 0, np.linspace(0, 10, 8), speed=1.0, turn=0.3)
    shown = guide.seen(fleet, look_ahead(4.0)).reshape(8, 4, -1)
    state = fleet.state[:, :3]
    ahead = shown[:, 0] + look_ahead(4.0)
    cosine, sine = np.cos(state[:, [2]]), np.sin(state[:, [2]])
    x, y = state[:, [0]] + cosine * ahead - sine * shown[:, 1], state[:, [1]] + sine * ahead + cosine * shown[:, 1]
    away = np.hypot(x[..., None] - line.points[:, 0], y[..., None] - line.points[:, 1])
    nearest = away.argmin(axis=2)
    assert away.min(axis=2).max() < 0.04  # m: half a node apart
    np.testing.assert_allclose(shown[:, 2] * 4.0, line.speed[nearest], atol=0.15)
    np.testing.assert_allclose(shown[:, 3] * training.task.curvature_limit, line.curvature[nearest], atol=0.3)


def test_a_teacher_that_has_learned_nothing_follows_the_line(task: DrivingTask, training: TrainingConfig) -> None:
    torch.manual_seed(0)
    teacher = TeacherTraining(task, training.teacher).teacher
    task.fleet.stand(np.arange(8), 0, np.linspace(0, 10, 8))
    task.begin(np.arange(8))
    for _ in range(450):
        _, done, timed_out = task.step(teacher.act(task.teacher_observation()))
        assert not (done & ~timed_out).any()
        task.age[:] = 0
    assert np.all(task.laps.laps >= 1)
    assert task.fleet.state[:, dynamics.SPEED].max() > 2.5


def test_what_is_learned_is_added_to_what_follows_the_line(task: DrivingTask) -> None:
    known = task.teacher_observation()
    assert known.shape == (8, task.teacher_inputs)
    network = torch.nn.Linear(task.teacher_inputs, 2)
    with torch.no_grad():
        network.weight.zero_()
        network.bias.copy_(torch.tensor([0.1, -0.2]))
    wanted = np.clip(known[:, -2:].astype(float) + np.array([0.1, -0.2]), -1, 1)
    np.testing.assert_allclose(Teacher(network, guided=True).act(known), wanted, atol=1e-6)
    np.testing.assert_allclose(Teacher(network).act(known), np.tile([0.1, -0.2], (8, 1)), atol=1e-6)
    curvature, speed = task.guide.commands(task.fleet) if task.guide else (known, known)
    np.testing.assert_allclose(known[:, -2:], task.to_action(curvature, speed), atol=1e-6)


def test_a_choice_of_actions_is_shown_the_line_and_does_not_follow(
    oval: Track, car: Car, training: TrainingConfig
) -> None:
    table = ((1.0, 1.0), (-1.0, 1.0), (0.0, 2.0))
    listed = training.task.model_copy(update={"table": table})
    task = DrivingTask(TrackSet([oval]), car, 2, listed, 1, OFF)
    assert not task.guided and task.teacher_observation().shape == (2, task.teacher_inputs)
    chosen = in_parts(torch.tensor([[2.0], [0.0]]), task.table, guidance(torch.ones(2, 9), task.guided))
    assert task.table is not None
    np.testing.assert_array_equal(chosen, task.table[[2, 0]])


def test_no_episode_begins_faster_than_the_line_is_driven(task: DrivingTask) -> None:
    assert task.guide is not None
    for _ in range(20):
        task.reset(np.arange(8))
        speed, s = task.fleet.state[:, dynamics.SPEED], task.fleet.located.s
        assert np.all(speed <= task.guide.speed(task.fleet.track, s) + 0.2)


def test_a_guide_that_another_task_has_found_is_taken_over(
    oval: Track, car: Car, training: TrainingConfig, task: DrivingTask
) -> None:
    other = DrivingTask(TrackSet([oval]), car, 3, training.task, 2, OFF, guide=task.guide)
    assert other.guide is task.guide


def test_a_road_too_winding_for_the_margin_is_followed_with_as_much_as_there_is_room_for(
    oval: Track, car: Car, training: TrainingConfig
) -> None:
    first, s = np.zeros(1, np.int64), np.zeros(1)

    def guide(margin: float) -> Guide:
        given = training.task.model_copy(update={"guide": training.task.guide.model_copy(update={"margin": margin})})  # type: ignore[union-attr]
        return Guide(TrackSet([oval]), car, given)

    assert guide(0.6).speed(first, s) == guide(0.3).speed(first, s)  # half of it
    assert np.isfinite(guide(5.0).speed(first, s)).all()  # none of it


@pytest.mark.parametrize("guide", [{"grip": 0, "margin": 0}, {"grip": 1.2, "margin": 0}, {"grip": 1}, {"speed": 1}])
def test_numbers_that_make_no_guide_are_refused(training: TrainingConfig, guide: dict[str, float]) -> None:
    content = training.task.model_dump(mode="json") | {"guide": guide}
    with pytest.raises(OutlapError, match="guide"):
        validate(content, TaskConfig, "my.yaml", "training file")


def test_one_wheel_is_enough_where_the_task_says_so(oval: Track, car: Car, training: TrainingConfig) -> None:
    rewards = {}
    for wheels in (4, 1):
        counted = training.task.model_copy(update={"wheels": wheels, "guide": None, "edge_margin": 0.02})
        task = DrivingTask(TrackSet([oval]), car, 1, counted, 1, OFF)
        half = task.fleet.tracks.middle(np.zeros(1, np.int64), np.zeros(1))[1][0]
        task.fleet.place([0], 0, 0.0, offset=half - 0.03)  # the left wheels beyond the border, the right ones within
        task.begin(np.arange(1))
        rewards[wheels] = task.step(np.array([[0.0, -1.0]]))[0][0]
    assert rewards[1] > rewards[4] + 0.5 * training.task.edge_penalty
