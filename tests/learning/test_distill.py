"""The student's data and schooling: which pictures belong together, and that it later sees what it learned from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.learning.config import TrainingConfig
from outlap.learning.networks.student import AUXILIARY, Student, export
from outlap.learning.recipes.distill import Distiller
from outlap.learning.recipes.shards import Shards
from outlap.learning.recipes.teacher import TeacherTraining
from outlap.learning.runs.run import contract
from outlap.policy.contract import Observation
from outlap.policy.file import load_policy, write_policy
from outlap.policy.observation import frames_to_tensor
from outlap.policy.runtime import BatchDriver
from outlap.simulation.cameras import Eyes
from outlap.simulation.randomization import OFF
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

CARS = 3
KNOWN = np.zeros((CARS, 43), np.float32)


@pytest.fixture(scope="module")
def config(tiny: Callable[..., dict[str, Any]]) -> TrainingConfig:
    return TrainingConfig.model_validate(tiny(distill={"noise": 0, "cars": CARS, "steps": 30, "batches": 4}))


@pytest.fixture
def distiller(ring: Track, car: Car, config: TrainingConfig) -> Distiller:
    """Three cars on the ring whose student drives from the first step, and an ignorant teacher."""
    torch.manual_seed(4)
    task = DrivingTask(TrackSet([ring]), car, CARS, config.task, 1, config.randomization)
    student = Student(config.student, config.observation)
    training = TeacherTraining(DrivingTask(TrackSet([ring]), car, 8, config.task, 3, OFF), config.teacher)
    training.iteration = config.teacher.iterations  # it learns no more
    schedule = config.distill.model_copy(update={"teacher_steps": 0, "look_steps": 1e9})
    made = Distiller(
        task, Eyes(task.fleet, config.view, 2, config.randomization), training, student, config.observation, schedule, 5
    )
    made._handover[:] = 0
    return made


def test_pictures_are_a_cars_own_and_never_from_before_its_episode(config: TrainingConfig) -> None:
    observation = Observation(view=config.view, frame_offsets=(0, 2, 3), commands=1)
    shards = Shards(100, 6, CARS, observation, KNOWN.shape[1], None)
    shape = (CARS, config.view.height, config.view.width)
    # Car 1 starts anew at step 3, car 2 at every step; each picture says step * 10 + car.
    for step in range(6):
        frames = np.broadcast_to((10 * step + np.arange(CARS))[:, None, None], shape).astype(np.uint8)
        age = np.array([step, step if step < 3 else step - 3, 0])
        shards.append(frames, np.zeros((CARS, 1, 2)), KNOWN, np.zeros((CARS, 2)), np.zeros((CARS, len(AUXILIARY))), age)
    assert shards.size == 6 * CARS

    def seen(step: int, car: int) -> list[int]:
        return shards.pictures(np.array([step * CARS + car]))[0, :, 0, 0].tolist()

    assert [seen(step, 0) for step in range(6)] == [
        [0, 0, 0],
        [10, 0, 0],
        [20, 0, 0],
        [30, 10, 0],
        [40, 20, 10],
        [50, 30, 20],
    ]
    assert [seen(step, 1) for step in (2, 3, 4, 5)] == [[21, 1, 1], [31, 31, 31], [41, 31, 31], [51, 31, 31]]
    assert [seen(step, 2) for step in (0, 4)] == [[2, 2, 2], [42, 42, 42]]
    assert shards.pictures(np.array([4, 9, 17])).shape == (3, 3, config.view.height, config.view.width)


def test_an_episode_older_than_the_data_begins_where_the_data_do(config: TrainingConfig) -> None:
    shards = Shards(100, 2, CARS, config.observation, KNOWN.shape[1], None)
    frames = np.zeros((CARS, config.view.height, config.view.width), np.uint8)
    nothing = np.zeros((CARS, config.observation.commands, 2))
    for step in range(2):
        shards.append(
            frames + step, nothing, KNOWN, np.zeros((CARS, 2)), np.zeros((CARS, len(AUXILIARY))), np.array([50, 0, 9])
        )
    assert shards.pictures(np.array([0, 3, 4]))[:, :, 0, 0].tolist() == [[0, 0], [1, 0], [1, 1]]


def test_what_drives_later_sees_and_does_what_the_student_did(
    distiller: Distiller, config: TrainingConfig, car: Car, tmp_path: Path
) -> None:
    path = tmp_path / "policy.onnx"
    network = export(distiller.student, config.observation, config.task.action)
    write_policy(path, network, contract(config, car, 0))
    driver = BatchDriver(load_policy(path, car=car), CARS)
    starts = 0
    for step in range(25):
        fresh = distiller._age == 0
        starts += int(fresh.sum())
        distiller.drive(step)
        rows = np.arange(step * CARS, (step + 1) * CARS)
        driver.reset(fresh)
        curvature, speed = driver.act(distiller.shards.frames[rows]).astype(float).T
        told = distiller._commands[:, 0] * [config.task.curvature_limit, config.task.speed_limit]
        same = distiller._age > 0  # of the others the command is forgotten already
        np.testing.assert_allclose(curvature[same], told[same, 0], atol=2e-2)  # half precision saw it
        np.testing.assert_allclose(speed[same], told[same, 1], atol=5e-3)
        if step == 12:
            distiller.task.age[0] = distiller.task.episode_steps  # one episode ends under way
    assert starts > CARS


@pytest.mark.slow
def test_learning_brings_the_loss_down(distiller: Distiller) -> None:
    for step in range(10):
        distiller.drive(step)
    losses = [distiller.learn() for _ in range(100)]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_a_student_that_diverges_is_stopped_in_one_sentence(distiller: Distiller) -> None:
    with torch.no_grad():
        for weights in distiller.student.parameters():
            weights.fill_(float("nan"))
    with pytest.raises(OutlapError, match=r"^the student's learning diverged: lower distill.learning_rate\.$"):
        distiller.drive(0)


def test_the_exported_network_is_the_student(config: TrainingConfig, car: Car, tmp_path: Path) -> None:
    torch.manual_seed(7)
    student, task = Student(config.student, config.observation), config.task
    with torch.no_grad():
        student.joint[-1].weight.mul_(20)  # so that some actions reach their limits
    write_policy(tmp_path / "p.onnx", export(student, config.observation, task.action), contract(config, car, 0))
    policy = load_policy(tmp_path / "p.onnx", car=car)
    rng = np.random.default_rng(0)
    frames = frames_to_tensor(rng.integers(0, 256, (40, 2, config.view.height, config.view.width), dtype=np.uint8))
    commands = rng.uniform(-1, 1, (40, config.observation.commands, 2)).astype(np.float32)
    with torch.inference_mode():
        action = student.eval()(torch.from_numpy(frames), torch.from_numpy(commands))[0].clamp(-1, 1).numpy()
    speed = task.speed_min + (action[:, 1] + 1) / 2 * (task.speed_limit - task.speed_min)
    expected = np.stack([action[:, 0] * task.curvature_limit, speed], axis=1)
    assert np.ptp(action, axis=0).min() > 0.5
    np.testing.assert_allclose(policy.infer(frames, commands), expected, atol=2e-4)
