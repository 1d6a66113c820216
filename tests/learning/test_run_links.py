"""A run writes in its own folder only: never through a link that somebody put there, also when it is resumed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlap.errors import OutlapError
from outlap.files import lock_folder
from outlap.learning.config import TrainingConfig
from outlap.learning.live.lesson import Lesson, load_live
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.run import resume, train
from outlap.policy.file import load_policy
from outlap.track.track import Track
from outlap.vehicle.car import Car

Make = Callable[..., dict[str, Any]]
SEED = 3


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def first_shard(run: RunFolder) -> Path:
    return next(run.checkpoint_folder.glob("*.shard"))


def state_file(run: RunFolder) -> Path:
    return next(run.checkpoint_folder.glob("*.npz"))


PLACES: dict[str, Callable[[RunFolder], Path]] = {
    **{name: lambda run, name=name: getattr(run, name) for name in (*RunFolder.FILES, *RunFolder.FOLDERS)},
    "kept policy": lambda run: run.kept_policy(9),
    "a shard": first_shard,
    "the arrays": state_file,
    "an event file": lambda run: next(run.tensorboard_folder.iterdir()),
}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_written_through_a_link(half: RunFolder, tiny: Make, car: Car, tmp_path: Path, place: str) -> None:
    path, elsewhere = PLACES[place](half), tmp_path / "elsewhere"
    if path.exists():
        path.rename(elsewhere)  # whole, so that a run could go on
    elif place in RunFolder.FOLDERS:
        elsewhere.mkdir()
    else:
        elsewhere.write_text("somebody else's")
    path.symlink_to(elsewhere)
    before = contents(tmp_path)
    for attempt in (
        lambda: resume(half.path),
        lambda: train(TrainingConfig.model_validate(tiny()), car, half.path, SEED),
    ):
        with pytest.raises(OutlapError, match=r"is a link to .*elsewhere: a run writes in its own folder only"):
            attempt()
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_a_run_reached_through_a_link_goes_on(
    half: RunFolder, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "latest").symlink_to(half.path)
    # What was being written when a run was killed is in the way of nothing, a link of its name included.
    held = json.loads(half.checkpoint_index.read_text())["state"]["student"]["shards"]
    victim = tmp_path / "victim"
    victim.write_text("somebody else's")
    check = RunFolder.check_own

    def later(run: RunFolder) -> None:
        """As if the link came after the check."""
        check(run)
        (half.checkpoint_folder / f"{held['steps']:08d}.shard").symlink_to(victim)

    monkeypatch.setattr(RunFolder, "check_own", later)
    policy = resume(tmp_path / "latest")
    assert load_policy(policy).digest == load_policy(RunFolder(finished_run).policy_file).digest
    assert victim.read_text() == "somebody else's"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["summary_file", "driving_file", "checkpoint_index", "policy_file"])
def test_no_lesson_writes_through_a_link(finished_run: Path, ring: Track, car: Car, tmp_path: Path, name: str) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    live = RunFolder(tmp_path / "run").live
    live.path.mkdir()
    getattr(live, name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutlapError, match="is a link to"):
        Lesson(tmp_path / "run", ring, car, load_live())
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_lock_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    lock = RunFolder(tmp_path).lock_file
    if kind == "link":
        lock.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(lock)
    else:
        lock.mkdir()
    with pytest.raises(OutlapError, match=r"cannot write to|must be a regular file"), lock_folder(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.slow
def test_a_file_that_leads_out_of_the_checkpoint_is_refused(half: RunFolder, tmp_path: Path) -> None:
    shard = first_shard(half)
    shard.rename(tmp_path / shard.name)
    index = half.checkpoint_index
    index.write_text(index.read_text().replace(f'"{shard.name}"', f'"../../{shard.name}"'))
    with pytest.raises(OutlapError, match=r"names the file '\.\./\.\./.*cannot be in its own folder"):
        resume(half.path)
