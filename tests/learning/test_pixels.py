"""The recipe ``ppo``: what is seen and remembered, learning, choosing from a list, going on after an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from outlap.driving.actions import DiscreteAction, with_actions
from outlap.driving.reward.reward import Reward
from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.learning.config import PixelTrainingConfig, checked_training, load_training
from outlap.learning.networks.student import Student
from outlap.learning.recipes.pixels import PixelTraining
from outlap.learning.runs.control import Control, StoppedError
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.run import Progress, resume, train
from outlap.policy.file import load_policy
from outlap.simulation.cameras import Eyes
from outlap.simulation.randomization import load_randomization
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

pytestmark = pytest.mark.slow

CARS = 4
TINY: dict[str, Any] = {
    "tracks": 2,
    "student": {"channels": [4, 4], "hidden": 8},
    "ppo": {"cars": CARS, "iterations": 3, "steps": 6, "critic": [8], "epochs": 2, "minibatches": 2, "look_steps": 3},
    "validation": {"cars": 2, "tracks": ["oval"], "every": 9, "until_clean": 9, "last_cars": 2},
}


def content(**changes: dict[str, Any]) -> dict[str, Any]:
    """config/training/ppo.yaml with small numbers and these changes."""
    given = yaml.safe_load((share_directory() / "config" / "training" / "ppo.yaml").read_text())
    for change in (TINY, changes):
        for key, value in change.items():
            given[key] = {**given[key], **value} if isinstance(value, dict) else value
    return given


@pytest.fixture
def config() -> PixelTrainingConfig:
    return PixelTrainingConfig.model_validate(content(student={"frame_offsets": [0, 2]}))


def make(
    ring: Track, car: Car, config: PixelTrainingConfig, actions: Any = "continuous", reward: Reward | None = None
) -> PixelTraining:
    torch.manual_seed(3)
    described, _ = with_actions(config.task, actions, car, "x.yaml")
    task = DrivingTask(TrackSet([ring]), car, config.ppo.cars, described, 1, config.randomization, reward)
    eyes = Eyes(task.fleet, config.view, 2, config.randomization)
    student = Student(config.student, config.observation, task.table)
    return PixelTraining(task, eyes, student, config.observation, config.ppo, 5)


def test_the_shipped_file_is_read(car: Car) -> None:
    assert isinstance(load_training("ppo", car), PixelTrainingConfig)
    with pytest.raises(OutlapError, match="teacher: unknown key"):
        checked_training({**content(), "teacher": {}}, "x", "training file")


def test_what_it_is_given(ring: Track, car: Car, config: PixelTrainingConfig) -> None:
    training = make(ring, car, config.model_copy(update={"randomization": load_randomization("off")}))
    env = training._env
    env._look_chance = 0.0
    task = env.task
    seen = [env.get_observations()]
    for _ in range(4):
        observation, reward, done, extras = env.step(torch.tensor([[0.5, 1.0]]).expand(CARS, 2))
        assert not done.any()
        seen.append(observation)
    assert reward.shape == done.shape == extras["time_outs"].shape == (CARS,)
    newest, before = seen[4]["frames"][:, 0], seen[2]["frames"][:, 0]
    assert (newest != before).any()
    torch.testing.assert_close(seen[4]["frames"][:, 1], before)  # two frames back
    torch.testing.assert_close(seen[1]["frames"][:, 1], seen[0]["frames"][:, 0])  # none before the first
    np.testing.assert_allclose(seen[4]["commands"], np.broadcast_to([0.5, 1.0], (CARS, 2, 2)), rtol=1e-6)
    np.testing.assert_array_equal(seen[1]["commands"][:, 1], 0)
    np.testing.assert_array_equal(seen[4]["state"], task.teacher_observation())
    # A new episode remembers nothing of the one before.
    task.age[1] = task.episode_steps
    observation, _, done, extras = env.step(torch.zeros(CARS, 2))
    assert done.tolist() == extras["time_outs"].tolist() == [0, 1, 0, 0]
    np.testing.assert_array_equal(observation["commands"][1], 0)
    torch.testing.assert_close(observation["frames"][1, 1], observation["frames"][1, 0])
    assert (observation["commands"][0] != 0).any()


@pytest.mark.parametrize("discrete", [False, True])
def test_it_learns_and_goes_on_bit_for_bit(ring: Track, car: Car, config: PixelTrainingConfig, discrete: bool) -> None:
    rows = ((-20, 1.0), (0, 1.5), (20, 1.0))
    actions = tuple(DiscreteAction(steering_angle=angle, speed=speed) for angle, speed in rows)
    one, other = (make(ring, car, config, actions if discrete else "continuous") for _ in range(2))
    before = one.student.joint[0].weight.clone()
    measures = one.iterate()
    assert np.isfinite(list(measures.values())).all()
    assert (one.student.joint[0].weight != before).any()
    if discrete:
        table = one.task.table
        assert table is not None
        assert all((action == table).all(axis=1).any() for action in one.task.last)
    random = torch.get_rng_state()
    other.load(one.state())
    last = []
    for training in (one, other):
        torch.set_rng_state(random)
        last.append(training.iterate())
    assert last[0] == last[1]
    assert one.frames == other.frames == 2 * 6 * CARS
    for own, again in zip(one.student.parameters(), other.student.parameters(), strict=True):
        torch.testing.assert_close(own, again, atol=0, rtol=0)


def test_it_does_more_and_more_of_what_pays(ring: Track, car: Car) -> None:
    ppo = {"cars": 16, "steps": 8, "minibatches": 1, "epochs": 4}
    config = PixelTrainingConfig.model_validate(content(ppo=ppo))
    training = make(ring, car, config, reward=lambda moment: moment.curvature / 3.3)  # the more to the left the better
    rewards = [training.iterate()["reward"] for _ in range(12)]
    assert np.mean(rewards[-3:]) > np.mean(rewards[:3]) + 0.1


def test_a_run_of_it_can_be_interrupted(car: Car, tmp_path: Path) -> None:
    config = PixelTrainingConfig.model_validate(content())
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    seen: list[Progress] = []
    train(config, car, whole, 1, seen.append)
    assert [progress.done for progress in seen if progress.stage == "student"] == [1, 2, 3]
    control = Control()

    def stop(progress: Progress) -> None:
        if progress.stage == "student" and progress.done == 2:
            control.stop()

    with pytest.raises(StoppedError):
        train(config, car, broken, 1, stop, control)
    resume(broken)
    policies = [load_policy(RunFolder(folder).policy_file, car=car) for folder in (whole, broken)]
    assert policies[0].digest == policies[1].digest
    assert policies[0].contract.recipe == "ppo"
