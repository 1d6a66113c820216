"""``outlap train --track``: a policy for the track that will be raced."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.learning.config import load_training
from outlap.policy.file import load_policy
from outlap.track.formats import save_track
from outlap.track.track import Track
from outlap.vehicle.car import Car


@pytest.fixture
def route(ring: Track, tmp_path: Path) -> Path:
    """The ring as a route of DeepRacer's."""
    path = tmp_path / "mine.npy"
    save_track(ring, path)
    return path


@pytest.mark.slow
def test_run_policy_and_evaluation_say_what_was_trained_on(
    outlap: Callable, tiny_file: Callable[..., Path], route: Path, tmp_path: Path, car: Car
) -> None:
    out = tmp_path / "run"
    code, stdout, stderr = outlap(
        "train", "--config", tiny_file(), "--track", route, "--both-directions", "--out", out, "--seed", 2
    )
    assert code == 0, stderr
    assert "1 given track and 2 generated tracks" in stdout + stderr
    assert (out / "tracks" / "mine.npy").read_bytes() == route.read_bytes()
    trained = load_policy(out / "policy.onnx").contract.trained_on
    assert trained is not None and trained.both_directions and (trained.generated, trained.share) == (2, 0.7)
    assert [track.name for track in trained.tracks] == ["mine"]
    laps = json.loads((out / "evaluation.json").read_text())
    assert laps["trained_on"] == ["mine"]
    assert "mine" in {lap["track"] for lap in laps["laps"]} or len(laps["laps"]) < 7
    # The folder is whole: the very same policy comes of it, without the file that was given.
    route.unlink()
    again = load_training(out / "training.yaml", car)
    assert [Path(path) for path in again.mix.files] == [out / "tracks" / "mine.npy"]
    assert again.validation.tracks == again.mix.files
    code, _, stderr = outlap("train", "--config", out / "training.yaml", "--out", tmp_path / "two", "--seed", 2)
    assert code == 0, stderr
    assert load_policy(tmp_path / "two" / "policy.onnx").digest == load_policy(out / "policy.onnx").digest
    shutil.copy(out / "tracks" / "mine.npy", tmp_path / "other.npy")
    code, stdout, stderr = outlap(
        "evaluate",
        out / "policy.onnx",
        "--track",
        tmp_path / "other.npy",
        "--track",
        "oval",
        "--trials",
        1,
        "--json",
        tmp_path / "e.json",
        "--jobs",
        1,
    )
    assert code == 0, stderr
    found = json.loads((tmp_path / "e.json").read_text())
    assert {one["track"]: one["trained_on"] for one in found["tracks"]} == {"other": True, "oval": False}
    assert found["trained_on"]["generated"] == 2
    assert "* the policy was trained on this track" in stdout
    code, stdout, _ = outlap("inspect", out / "policy.onnx")
    shown = " ".join(stdout.split())
    assert "70% of the episodes on mine (" in shown and "the others on 2 generated tracks" in shown


def test_it_cannot_be_changed_when_a_run_goes_on(refused: Callable[..., str], tmp_path: Path) -> None:
    words = refused("train", "--resume", tmp_path, "--track", "oval", "--both-directions")
    assert "leave out --track and --both-directions" in words
