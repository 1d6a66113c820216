"""Whole runs, tiny: from nothing to a policy that may drive, twice the same; and files that are refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.learning.config import TrainingConfig, load_training
from outlap.learning.runs.run import Progress, train
from outlap.policy.file import load_policy
from outlap.vehicle.car import Car

Make = Callable[..., dict[str, Any]]


def run(content: dict[str, Any], car: Car, out: Path, seed: int) -> list[Progress]:
    seen: list[Progress] = []
    train(TrainingConfig.model_validate(content), car, out, seed, seen.append)
    return seen


@pytest.mark.slow
def test_a_run_makes_a_policy_that_may_drive_and_twice_the_same(tiny: Make, car: Car, tmp_path: Path) -> None:
    seen = run(tiny(), car, tmp_path / "one", 3)
    policy = load_policy(tmp_path / "one" / "policy.onnx", car=car)
    summary = json.loads((tmp_path / "one" / "summary.json").read_text())
    assert summary["digest"] == policy.digest
    assert (summary["seed"], summary["car"], summary["camera_frames"]) == (3, car.name, 4 * 8)
    assert policy.contract.seed == 3
    assert policy.contract.action.curvature_limit == tiny()["task"]["curvature_limit"]
    assert summary["train_seconds"] >= summary["teacher_seconds"] + summary["student_seconds"] > 0
    assert summary["steps_per_s"] > 0
    assert 0 <= summary["clean_fraction"] <= 1
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "checkpoint",
        "curves.png",
        "evaluation.json",
        "laps.mp4",
        "policy.onnx",
        "summary.json",
        "tensorboard",
        "training.yaml",
    ]
    # The configuration beside the policy is whole: it makes the very same policy again.
    again = load_training(tmp_path / "one" / "training.yaml", car)
    assert again == TrainingConfig.model_validate(tiny())
    run(again.model_dump(mode="json"), car, tmp_path / "two", 3)
    assert load_policy(tmp_path / "two" / "policy.onnx").digest == policy.digest
    run(tiny(), car, tmp_path / "three", 4)
    assert load_policy(tmp_path / "three" / "policy.onnx").digest != policy.digest
    check_progress(seen, ("tracks", "teacher", "student"))


@pytest.mark.slow
def test_a_run_with_a_guide_tells_how_many_lines_it_has_found(tiny: Make, car: Car, tmp_path: Path) -> None:
    seen = run(tiny(task={"guide": {"grip": 0.8, "margin": 0.0}}), car, tmp_path, 0)
    check_progress(seen, ("tracks", "lines", "teacher", "student"))
    assert sum(progress.stage == "lines" for progress in seen) == tiny()["tracks"]


def check_progress(seen: Sequence[Progress], stages: Sequence[str]) -> None:
    """Each stage in turn, and each reaches its end."""
    assert list(dict.fromkeys(progress.stage for progress in seen)) == list(stages)
    for stage in stages:
        steps = [progress for progress in seen if progress.stage == stage]
        assert [step.done for step in steps] == sorted(step.done for step in steps)
        assert steps[-1].done == steps[-1].total


@pytest.mark.slow
@pytest.mark.parametrize("part", ["teacher", "distill"])
def test_learning_that_diverges_leaves_no_policy(tiny: Make, car: Car, tmp_path: Path, part: str) -> None:
    with pytest.raises(OutlapError, match=rf"learning diverged.*lower {part}.learning_rate\.$"):
        run(tiny(**{part: {"learning_rate": 1e30}}), car, tmp_path, 0)
    assert not (tmp_path / "policy.onnx").exists()


def test_a_car_that_could_not_run_the_policy_is_told_before_learning(tiny: Make, car: Car, tmp_path: Path) -> None:
    with pytest.raises(OutlapError, match="needs 60 frames per second, the car's camera gives 30"):
        run(tiny(task={"rate_hz": 60}), car, tmp_path / "out", 0)
    assert not (tmp_path / "out").exists()


def test_every_key_of_the_preset_is_explained() -> None:
    for path in (share_directory() / "config" / "training").glob("*.yaml"):
        keys = [line for line in path.read_text().splitlines() if line.startswith("  ") and ":" in line]
        assert len(keys) > 20
        known = ("discount", "desired_kl")  # the field's own terms
        bare = [line for line in keys if "#" not in line and not line.strip().startswith(known)]
        assert not bare


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour: unknown key"),
        ({"task": {"edge_bonus": 1}}, "task.edge_bonus: unknown key"),
        ({"task": {"crash_penalty": float("nan")}}, "task.crash_penalty: "),
        ({"teacher": {"learning_rate": float("inf")}}, "teacher.learning_rate: "),
        ({"task": {"rate_hz": 35}}, "task.rate_hz: 35 does not divide the simulator's 120 Hz"),
        ({"task": {"rate_hz": 1}}, "task.rate_hz: "),
        (
            {"task": {"curvature_limit": 9}},
            "task.curvature_limit is 9 1/m, but the car deepracer reaches only 3.52 1/m",
        ),
        ({"task": {"speed_limit": 5}}, "task.speed_limit is 5 m/s, but the car deepracer reaches only 4 m/s"),
        ({"task": {"speed_min": 2.5}}, "task.speed_min must be below task.speed_limit"),
        ({"teacher": {"minibatches": 1000}}, "teacher.minibatches: "),
        ({"student": {"frame_offsets": [2, 1]}}, "frame_offsets must hold 0 (the newest frame)"),
        ({"student": {"frame_offsets": []}}, "frame_offsets: "),
        ({"student": {"commands": 99}}, "commands: "),
        ({"tracks": 0}, "tracks: "),
        ({"tracks": "many"}, "tracks: "),
        ({"recipe": "guess"}, "recipe: "),
    ],
)
def test_what_is_wrong_in_a_training_file_is_named(
    tiny_file: Callable[..., Path], car: Car, changes: dict[str, Any], message: str
) -> None:
    path = tiny_file(**changes)
    with pytest.raises(OutlapError) as caught:
        load_training(path, car)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_and_a_missing_file_are_named(tiny: Make, car: Car, tmp_path: Path) -> None:
    content = tiny()
    del content["task"]["speed_min"]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(OutlapError, match=r"task.speed_min: missing\.$"):
        load_training(path, car)
    with pytest.raises(OutlapError, match=r"no training preset named 'slow'.*quick"):
        load_training("slow", car)
    with pytest.raises(OutlapError, match="cannot read the training file"):
        load_training(tmp_path / "none.yaml", car)
