"""A checkpoint that does not fit, or is of another format, is refused in one sentence that says what to do."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run

from outlap import __version__
from outlap.errors import OutlapError
from outlap.learning.config import TrainingConfig
from outlap.learning.live.lesson import Lesson, load_live
from outlap.learning.runs.checkpoint import FORMAT, load_checkpoint, save_checkpoint
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.records import Reached
from outlap.learning.runs.run import interrupted, resume, train
from outlap.policy.file import load_policy
from outlap.states import State
from outlap.track.track import Track
from outlap.vehicle.car import Car

Make = Callable[..., dict[str, Any]]


def older(run: RunFolder, outlap: str = "0.0.9") -> None:
    """Make the run's checkpoint one of format 1."""
    content = json.loads(run.checkpoint_index.read_text())
    del content["reached"]
    content["about"]["versions"]["outlap"] = outlap
    run.checkpoint_index.write_text(json.dumps({**content, "format": 1}))


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(OutlapError) as caught:
        action()
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
def test_an_unfinished_run_of_before_is_refused_in_one_sentence(half: RunFolder, tiny: Make, car: Car) -> None:
    older(half)
    config = TrainingConfig.model_validate(tiny())
    sentence = (
        f"{half.checkpoint_index}: the checkpoint is of format 1, written by Outlap 0.0.9, and this Outlap "
        f"({__version__}) goes on with format {FORMAT} only: finish the run with the version that began it, or start "
        "anew in another folder; the policy that the run has made still works."
    )
    before = half.policy_file.read_bytes()
    assert refused(lambda: resume(half.path)) == sentence
    assert refused(lambda: train(config, car, half.path, 3)) == sentence
    assert not interrupted(half.path, config, car, 3)
    assert half.policy_file.read_bytes() == before
    load_policy(half.policy_file, car=car)
    older_self = json.loads(half.checkpoint_index.read_text())
    older_self["about"]["versions"]["outlap"] = __version__
    half.checkpoint_index.write_text(json.dumps(older_self))
    assert f"written by an earlier build of Outlap {__version__}" in refused(lambda: resume(half.path))


@pytest.mark.slow
def test_a_finished_run_of_before_is_replaced_and_teaches_no_more(
    finished_run: Path, tiny: Make, ring: Track, car: Car, tmp_path: Path
) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    older(run)
    assert "to go on from this finished run, train it anew" in refused(lambda: Lesson(run.path, ring, car, load_live()))
    assert "is finished: its policy is" in refused(lambda: resume(run.path))
    digest = load_policy(run.policy_file).digest
    train(TrainingConfig.model_validate(tiny()), car, run.path, 3)
    assert load_policy(run.policy_file).digest == digest
    assert json.loads(run.checkpoint_index.read_text())["format"] == FORMAT


def without(*path: str) -> Callable[[State], None]:
    def change(state: State) -> None:
        for key in path[:-1]:
            state = state[key]
        del state[path[-1]]

    return change


def put(value: Any, *path: str) -> Callable[[State], None]:
    def change(state: State) -> None:
        for key in path[:-1]:
            state = state[key]
        state[path[-1]] = value

    return change


MISFITS: dict[str, tuple[Callable[[State], None], str]] = {
    "a key is missing": (without("student", "task", "age"), "student.task lacks age"),
    "a key is unknown": (put(1, "student", "task", "colour"), "student.task has unknown colour"),
    "a stage is missing": (without("student"), "the state lacks student"),
    "the stage is another": (put("nursery", "stage"), "stage is no stage of the recipe"),
    "the stage is no text": (put([], "stage"), "stage is no stage of the recipe"),
    "a size is another": (
        put(np.zeros(3), "student", "task", "laps", "progress"),
        "student.task.laps.progress is not an array of",
    ),
    "a type is another": (
        put(np.zeros(4), "student", "age"),
        "student.age is not an array of shape (4,) and type int64",
    ),
    "an array is a number": (put(4, "student", "eyes", "gain"), "student.eyes.gain is not an array"),
    "a number is a text": (put("4", "student", "iteration"), "student.iteration is not a number"),
    "a random stream is none": (put({}, "student", "rng"), "student.rng does not fit"),
    "the store is ahead": (
        put(9999, "student", "eyes", "new_looks", "next"),
        "student.eyes.new_looks.next is not a number",
    ),
    "a layer is missing": (put({}, "student", "student"), "student.student lacks "),
    "a layer is of another size": (
        lambda state: put(np.zeros(1), "student", "student", next(iter(state["student"]["student"])))(state),
        "is not an array of shape",
    ),
    "an optimizer has one more": (put({}, "student", "optimizer", "99"), "student.optimizer has unknown parameters 99"),
    "an optimizer's moments are others": (
        put({"momentum": np.zeros(1)}, "student", "optimizer", "0"),
        "student.optimizer.0 lacks ",
    ),
    "torch's stream is too short": (put(np.zeros(3, np.uint8), "torch"), "torch does not fit"),
    "the curves are none": (put({"rows": [[1]]}, "curves"), "curves.rows does not fit"),
    "the best is odd": (put([1], "best"), "best does not fit"),
    "the times are a list": (put([], "begun"), "begun does not fit"),
    "shards are missing": (
        put([], "student", "shards", "shards"),
        "student.shards.shards do not hold the newest steps",
    ),
    "a shard is endless": (
        put(10**15, "student", "shards", "steps"),
        "student.shards.shards do not hold the newest steps",
    ),
    "a shard is no shard": (put([[1, 2]], "student", "shards", "shards"), "student.shards.shards does not fit"),
}


@pytest.mark.slow
@pytest.mark.parametrize("misfit", MISFITS)
def test_a_state_that_does_not_fit_is_refused_before_anything_is_learned(half: RunFolder, misfit: str) -> None:
    change, words = MISFITS[misfit]
    held = load_checkpoint(half.checkpoint_folder)
    assert held is not None
    change(held.state)
    shards = [path.name for path in half.checkpoint_folder.glob("*.shard")]
    save_checkpoint(half.checkpoint_folder, "odd", held.about, Reached(stage="", done=0, total=1), held.state, shards)
    policy = half.policy_file.read_bytes()
    sentence = refused(lambda: resume(half.path))
    assert sentence.startswith(f"{half.checkpoint_index}: the checkpoint does not fit its run: ")
    assert words in sentence, sentence
    assert "Start the run anew in another folder" in sentence
    assert half.policy_file.read_bytes() == policy


def test_a_small_file_never_becomes_a_huge_array(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (arrays,) = run.checkpoint_folder.glob("*.npz")
    with zipfile.ZipFile(arrays, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.npy", b"\x93NUMPY" + bytes(1_000_000))
    index = json.loads(run.checkpoint_index.read_text())
    index["arrays"]["sha256"] = hashlib.sha256(arrays.read_bytes()).hexdigest()
    run.checkpoint_index.write_text(json.dumps(index))
    assert "is damaged" in refused(lambda: load_checkpoint(run.checkpoint_folder))


def test_a_folder_in_a_checkpoints_folder_stops_no_saving(tmp_path: Path) -> None:
    for name in (".x", "old.shard", "more.npz"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.npz").write_text("left by a run that was killed")
    (tmp_path / "link.shard").symlink_to("old.shard")
    reached = Reached(stage="", done=0, total=1)
    for name in ("1", "2"):
        save_checkpoint(tmp_path, name, {}, reached, {"number": np.arange(3)}, [])
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".x", "old.shard", "more.npz", "checkpoint.json", "state-2.npz"}


@pytest.mark.slow
def test_a_folder_named_like_what_a_killed_run_leaves_stops_no_run(half: RunFolder, finished_run: Path) -> None:
    (half.path / ".policy.onnx.abc").mkdir()
    (half.path / ".policy.onnx.def").write_text("left by a run that was killed")
    (half.checkpoint_folder / ".x").mkdir()
    assert load_policy(resume(half.path)).digest == load_policy(RunFolder(finished_run).policy_file).digest
    assert (half.path / ".policy.onnx.abc").is_dir() and not (half.path / ".policy.onnx.def").exists()
