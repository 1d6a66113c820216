"""Fault 18: the disk fills up while training: the last checkpoint stays whole, the error is clear, the run resumes."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlap.errors import OutlapError
from outlap.learning.config import TrainingConfig
from outlap.learning.runs.checkpoint import load_checkpoint
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.run import Progress, resume, train
from outlap.policy.file import load_policy
from outlap.vehicle.car import Car, load_car

pytestmark = pytest.mark.slow

SEED = 3  # as finished_run's
SIZE = 70_000_000  # bytes of the small disk: just what a tiny run asks for
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


def on_a_full_disk(content: dict[str, Any], out: Path) -> dict[str, Any]:
    """Train on a disk that is filled after the student's first iteration, then make room and go on."""
    ballast = out.parent / "ballast"
    told: list[Any] = []

    def report(progress: Progress) -> None:
        if progress.stage == "tracks":  # they are made anew when a run goes on
            return
        told.append(progress[:2])
        if told[-1] == ("student", 1):
            with ballast.open("wb") as file:
                free = shutil.disk_usage(out).free
                os.posix_fallocate(file.fileno(), 0, free - 8192)

    try:
        train(TrainingConfig.model_validate(content), load_car(), out, SEED, report)
        error = ""
    except OutlapError as caught:
        error = str(caught)
    held = load_checkpoint(RunFolder(out).checkpoint_folder)
    assert held is not None
    left = [held.state["stage"], held.state["student"]["iteration"]]
    ballast.unlink()
    resume(out, report)
    again = told[told.index(("student", 1)) + 1]
    digest = load_policy(RunFolder(out).policy_file).digest
    # Hardly any room from the first: refused before anything is made.
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(out).free - 1_000_000)
    try:
        train(TrainingConfig.model_validate(content), load_car(), out.parent / "other", SEED)
        refusal = ""
    except OutlapError as caught:
        refusal = str(caught)
    return {"error": error, "left": left, "again": again, "digest": digest, "refusal": refusal}


@pytest.mark.fault(18)
def test_a_run_on_a_disk_that_fills_up_goes_on_when_there_is_room(
    tiny: Callable[..., dict[str, Any]], finished_run: Path, tmp_path: Path
) -> None:
    disk, content, answer = tmp_path / "disk", tmp_path / "tiny.yaml", tmp_path / "answer.json"
    disk.mkdir()
    content.write_text(yaml.safe_dump(tiny()))
    mount = f"mount -t tmpfs -o size={SIZE} tmpfs {disk}"
    if subprocess.run([*NAMESPACE, "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("this machine lets no user mount a small disk")
    program = f"{mount} && exec {sys.executable} {__file__} {content} {disk / 'run'} {answer}"
    result = subprocess.run([*NAMESPACE, "sh", "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found = json.loads(answer.read_text())
    assert found["error"].startswith("there is no more room: ")
    assert "No space left on device" in found["error"]
    assert f"outlap train --resume {disk / 'run'}." in found["error"]
    assert found["left"] == ["student", 1]
    assert found["again"] == ["student", 2]
    assert found["digest"] == load_policy(RunFolder(finished_run).policy_file).digest
    assert "make room, choose another folder" in found["refusal"]
    assert "Traceback" not in result.stderr


@pytest.mark.fault(18)
def test_a_limit_on_files_is_as_a_full_disk(tiny: Callable[..., dict[str, Any]], car: Car, tmp_path: Path) -> None:
    config = TrainingConfig.model_validate(tiny())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(OutlapError, match=r"no more room: .*File too large.*--resume"):

            def report(progress: Progress) -> None:
                if progress.stage == "student":
                    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))

            train(config, car, tmp_path, SEED, report)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    held = load_checkpoint(RunFolder(tmp_path).checkpoint_folder)
    assert held is not None and held.state["student"]["iteration"] == 1
    resume(tmp_path)


if __name__ == "__main__":
    given, where, to = map(Path, sys.argv[1:])
    to.write_text(json.dumps(on_a_full_disk(yaml.safe_load(given.read_text()), where)))
