"""Action spaces: DeepRacer's files, lists in the training file, what is refused, and a policy that chooses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_learning import PPO, TASK

from outlap.camera.view import View
from outlap.driving.actions import DiscreteAction, with_actions
from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.learning.config import load_training
from outlap.learning.networks.categorical import CategoricalDistribution
from outlap.learning.networks.student import Student, StudentConfig, export
from outlap.learning.recipes.distill import symmetric
from outlap.learning.recipes.teacher import TeacherEnv, TeacherTraining
from outlap.learning.runs.results import contract
from outlap.learning.runs.run import train
from outlap.policy.contract import Observation
from outlap.policy.file import load_policy, write_policy
from outlap.policy.observation import frames_to_tensor
from outlap.simulation.randomization import OFF
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

LIST = [
    {"steering_angle": -30.0, "speed": 0.8},
    {"steering_angle": 0.0, "speed": 1.6},
    {"steering_angle": 30.0, "speed": 0.8},
    {"steering_angle": 15.0, "speed": 1.2},
]
AROUND = {  # what the files of DeepRacer's console hold besides
    "sensor": ["FRONT_FACING_CAMERA"],
    "neural_network": "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW",
    "training_algorithm": "clipped_ppo",
    "version": "5",
}


@pytest.fixture
def metadata(tmp_path: Path) -> Callable[..., Path]:
    """``metadata(space, **changes)``: a model_metadata.json with that action space."""

    def make(space: Any, **changes: Any) -> Path:
        path = tmp_path / "model_metadata.json"
        path.write_text(json.dumps({"action_space": space, **AROUND, **changes}))
        return path

    return make


def test_a_list_of_deepracers(metadata: Callable[..., Path], car: Car) -> None:
    numbered = [{**action, "index": index} for index, action in enumerate(LIST)]
    path = metadata(numbered, action_space_type="discrete")
    task, actions = with_actions(TASK, str(path), car, "x.yaml")
    limit = math.tan(math.radians(30)) / 0.164
    assert task.table is not None
    np.testing.assert_allclose(
        task.table, [(-limit, 0.8), (0, 1.6), (limit, 0.8), (math.tan(math.radians(15)) / 0.164, 1.2)]
    )
    assert (task.curvature_limit, task.speed_min, task.speed_limit) == pytest.approx((limit, 0.8, 1.6))
    assert task.curvature_limit <= car.max_curvature
    assert with_actions(TASK, actions, car, "x.yaml") == (task, actions)  # written down, it needs the file no more


def test_ranges_of_deepracers(metadata: Callable[..., Path], car: Car) -> None:
    ranges = {"steering_angle": {"high": 20.0, "low": -20.0}, "speed": {"high": 3.0, "low": 0.5}}
    task, actions = with_actions(TASK, str(metadata(ranges, action_space_type="continuous")), car, "x.yaml")
    assert actions == "continuous"
    assert task.table is None
    assert task.curvature_limit == pytest.approx(math.tan(math.radians(20)) / 0.164)
    assert (task.speed_min, task.speed_limit) == (0.5, 3.0)


@pytest.mark.parametrize(
    ("space", "changes", "said"),
    [
        ([*LIST, {"steering_angle": 45, "speed": 1}], {}, "action 4 steers 45 degrees, but the car deepracer reaches"),
        ([*LIST, {"steering_angle": 5, "speed": 9}], {}, "action 4 drives 9 m/s, but the car deepracer reaches"),
        ([*LIST, {"steering_angle": 5, "speed": -1}], {}, "action_space.4.speed: Input should be greater"),
        ([*LIST, {"steering_angle": 5, "throttle": 1}], {}, "speed: missing; action_space.4.throttle: unknown key"),
        ([*LIST, {"steering_angle": math.nan, "speed": 1}], {}, "steering_angle: Input should be a finite"),
        (LIST[:1], {}, "a list of actions needs at least two to choose from, not 1."),
        ([{**LIST[1], "speed": speed} for speed in (1, 2)], {}, "none of the 2 actions steers."),
        ([{**LIST[0], "speed": 0}, {**LIST[1], "speed": 0}], {}, "none of the 2 actions drives."),
        (LIST, {"action_space_type": "continuous"}, "action_space_type says continuous, but action_space holds a list"),
        (LIST, {"action_space_type": "fuzzy"}, "action_space_type: Input should be 'discrete' or 'continuous'"),
        (LIST, {"lanes": 2}, "lanes: unknown key"),
        ({"steering_angle": {"high": 30, "low": -20}, "speed": {"high": 1, "low": 0.5}}, {}, "must steer as far"),
        ({"steering_angle": {"high": 40, "low": -40}, "speed": {"high": 1, "low": 0.5}}, {}, "steers 40 degrees"),
        ({"steering_angle": {"high": 30, "low": -30}, "speed": {"high": 1, "low": 1}}, {}, "speed must reach from"),
        ({"steering_angle": {"high": 30, "low": -30}}, {}, "action_space.speed: missing"),
        ("left", {}, "action_space: Input should be a valid tuple"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    metadata: Callable[..., Path], car: Car, space: Any, changes: dict[str, Any], said: str
) -> None:
    path = metadata(space, **changes)
    with pytest.raises(OutlapError) as caught:
        with_actions(TASK, str(path), car, "x.yaml")
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "7", "\udcff"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, car: Car, content: str) -> None:
    path = tmp_path / "model_metadata.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(OutlapError, match=r"^\S+model_metadata.json: the DeepRacer action space is "):
        with_actions(TASK, str(path), car, "x.yaml")


def test_the_training_file_names_its_own_files(
    tiny_file: Callable[..., Path], metadata: Callable[..., Path], reward_file: Callable[[str], Path], car: Car
) -> None:
    metadata(LIST)
    reward_file("def reward_function(params):\n    return 1.0\n")
    path = tiny_file(reward="my_reward.py", actions="model_metadata.json")  # beside it, not in the working directory
    config = load_training(path, car)
    assert config.reward == str(path.with_name("my_reward.py"))
    assert config.task.speed_limit == 1.6
    assert len(config.task.table or ()) == 4
    inline = load_training(tiny_file(actions=LIST), car)
    assert inline.task == config.task
    for changes, said in (
        ({"reward": "none.py"}, "reward must be progress or a Python file"),
        ({"reward": "training.yaml"}, "reward must be progress or a Python file"),
        ({"actions": "none.json"}, "none.json: cannot read the DeepRacer action space"),
        ({"actions": [{**LIST[0], "sped": 1}]}, "actions.list.0.sped: unknown key"),
    ):
        with pytest.raises(OutlapError, match=said):
            load_training(tiny_file(**changes), car)


def test_a_choice_as_a_distribution() -> None:
    torch.manual_seed(0)
    distribution = CategoricalDistribution(1, 3)
    scores = torch.tensor([[0.0, 1.0, 2.0], [5.0, 0.0, 0.0]])
    distribution.update(scores)
    expected = torch.distributions.Categorical(logits=scores)
    torch.testing.assert_close(distribution.entropy, expected.entropy())
    picked = torch.tensor([[2.0], [1.0]])
    torch.testing.assert_close(distribution.log_prob(picked), expected.log_prob(picked[:, 0]))
    old = distribution.params
    other = CategoricalDistribution(1, 3)
    other.update(scores.flip(1))
    torch.testing.assert_close(
        distribution.kl_divergence(old, other.params),
        torch.distributions.kl_divergence(expected, torch.distributions.Categorical(logits=scores.flip(1))),
    )
    torch.testing.assert_close(distribution.deterministic_output(scores), torch.tensor([[2.0], [0.0]]))
    drawn = torch.stack([distribution.sample() for _ in range(2000)])[:, 0, 0]
    shares = torch.bincount(drawn.long(), minlength=3) / len(drawn)
    torch.testing.assert_close(shares, expected.probs[0], atol=0.05, rtol=0)


def test_lists_with_and_without_a_mirror_image() -> None:
    assert symmetric(np.array([[-1, 0.2], [0, 1], [1, 0.2]]))
    assert not symmetric(np.array([[-1, 0.2], [0, 1], [1, 0.3]]))


@pytest.fixture
def chooser(ring: Track, car: Car) -> DrivingTask:
    task, _ = with_actions(TASK, tuple(DiscreteAction(**action) for action in LIST), car, "x.yaml")
    return DrivingTask(TrackSet([ring]), car, PPO.cars, task, 1, OFF)


def test_a_teacher_learns_to_choose(chooser: DrivingTask) -> None:
    torch.manual_seed(1)
    training = TeacherTraining(chooser, PPO)
    for _ in range(2):
        assert np.isfinite(list(training.iterate().values())).all()
    table = chooser.table
    assert table is not None
    assert in_table(chooser.last, table)
    assert in_table(training.teacher.act(chooser.teacher_observation()), table)
    again = TeacherTraining(chooser, PPO)
    again.load(training.state())
    observation = chooser.teacher_observation()
    np.testing.assert_array_equal(again.teacher.act(observation), training.teacher.act(observation))


def in_table(action: NDArray[np.float64], table: NDArray[np.float64]) -> bool:
    """Whether all actions (n, 2) are rows of the table."""
    return bool((np.abs(action[:, None] - table).sum(axis=2).min(axis=1) < 1e-9).all())


def test_the_environment_takes_numbers_of_actions(chooser: DrivingTask) -> None:
    env = TeacherEnv(chooser)
    assert env.num_actions == 1
    env.step(torch.tensor([[0.0], [3], [2], [3]]))
    assert chooser.table is not None
    np.testing.assert_array_equal(chooser.last, chooser.table[[0, 3, 2, 3]])


def test_a_policy_file_gives_exactly_the_actions_of_its_list(
    tiny_file: Callable[..., Path], car: Car, tmp_path: Path
) -> None:
    torch.manual_seed(7)
    config = load_training(tiny_file(actions=LIST), car)
    table = config.task.table
    assert table is not None
    parts = np.array(table) / [config.task.curvature_limit, 1]
    student = Student(config.student, config.observation, parts)
    with torch.no_grad():
        student.joint[-1].bias[2] = student.joint[-1].bias[0]  # two equal scores now and then: the first counts
        student.joint[-1].weight[2] = student.joint[-1].weight[0]
    write_policy(tmp_path / "p.onnx", export(student, config.observation, config.task.action), contract(config, car, 0))
    policy = load_policy(tmp_path / "p.onnx", car=car)
    assert policy.contract.action.table == table
    view = config.view
    rng = np.random.default_rng(0)
    frames = frames_to_tensor(
        rng.integers(0, 256, (60, len(config.observation.frame_offsets), view.height, view.width), dtype=np.uint8)
    )
    commands = rng.uniform(-9, 9, (60, config.observation.commands, 2)).astype(np.float32)
    with torch.inference_mode():
        scores = student.eval()(torch.from_numpy(frames), torch.from_numpy(commands))[0].numpy()
    chosen = scores.argmax(axis=1)
    assert len(set(chosen)) > 1
    np.testing.assert_allclose(policy.infer(frames, commands), np.array(table)[chosen], rtol=1e-6)


def test_what_a_student_is_taught_of_a_list_is_which_one() -> None:
    table = np.array([[-1.0, 0.5], [0, 1], [1, 0.5]])
    observation = Observation(view=View(), frame_offsets=(0,), commands=1)
    student = Student(
        StudentConfig(frame_offsets=(0,), commands=1, first_row=8, channels=(2,), hidden=4), observation, table
    )
    action = torch.from_numpy(table[[2, 0]]).float()
    right = torch.tensor([[0.0, 0, 9], [9, 0, 0]])
    assert student.imitation_loss(right, action) < 0.01
    assert student.imitation_loss(right.flip(0), action) > 5
    torch.testing.assert_close(student.decided(right), action)


@pytest.mark.slow
def test_a_run_with_a_reward_and_a_list_of_ones_own(
    tiny_file: Callable[..., Path], reward_file: Callable[[str], Path], car: Car, tmp_path: Path
) -> None:
    reward_file("def reward_function(params):\n    print(params['steps'])\n    return params['speed']\n")
    out = tmp_path / "run"
    train(load_training(tiny_file(reward="my_reward.py", actions=LIST), car), car, out, 3)
    table = load_policy(out / "policy.onnx", car=car).contract.action.table
    assert table is not None
    assert [speed for _, speed in table] == [action["speed"] for action in LIST]
    assert (out / "reward.log").read_text().startswith("1\n")
    # What the run left can be given to the next one.
    (tmp_path / "my_reward.py").unlink()
    again = load_training(out / "training.yaml", car)
    assert again.reward == str(out / "reward.py")
    assert again.task.table == table
