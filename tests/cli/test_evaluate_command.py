"""``outlap evaluate``: its table, its JSON, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.policy.file import load_policy

Constant = Callable[[float, float], Path]
Refused = Callable[..., str]


def test_its_json_says_of_every_lap_how_it_went(
    outlap: Callable, constant_policy: Constant, ring_path: Path, tmp_path: Path
) -> None:
    policy, report = constant_policy(1 / 1.2, 1.5), tmp_path / "deep" / "report.json"
    code, stdout, stderr = outlap(
        "evaluate", policy, "--track", ring_path, "--trials", 2, "--seed", 4, "--json", report
    )
    assert code == 0, stderr
    assert "2 of 2 laps clean (100.0%), look plain, seed 4" in stdout
    content = json.loads(report.read_text())
    assert list(content) == [
        "policy", "digest", "seed", "look", "trials", "clean_fraction", "completed_fraction", "mean_lap_time_s",
    ]  # fmt: skip
    assert content["clean_fraction"] == content["completed_fraction"] == 1
    assert content["digest"] == load_policy(policy).digest
    assert len(content["trials"]) == 2
    for trial in content["trials"]:
        assert list(trial) == [
            "track", "completed", "clean", "lap_time_s", "off_track", "start_m", "mean_speed",
        ]  # fmt: skip
        assert (trial["track"], trial["completed"], trial["clean"], trial["off_track"]) == ("ring", True, True, 0)
        assert trial["lap_time_s"] == pytest.approx(5.0, abs=0.6)


def test_a_policy_that_only_goes_straight_is_found_out_in_both_directions(
    outlap: Callable, constant_policy: Constant, ring_path: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    code, stdout, stderr = outlap(
        "evaluate", constant_policy(0.0, 2.0), "--track", ring_path, "--trials", 1, "--both-directions",
        "--look", "random", "--json", report,
    )  # fmt: skip
    assert code == 0, stderr
    assert "0 of 2 laps clean (0.0%), look random, seed 0" in stdout
    content = json.loads(report.read_text())
    assert content["clean_fraction"] == 0
    assert [trial["track"] for trial in content["trials"]] == ["ring", "ring reversed"]
    for trial in content["trials"]:
        assert trial["off_track"] > 0
        assert trial["clean"] is False


def test_what_it_cannot_do_is_refused(
    refused: Refused, constant_policy: Constant, ring_path: Path, tmp_path: Path
) -> None:
    policy = constant_policy(0.0, 2.0)
    assert refused("evaluate", policy, "--track", ring_path, "--look", "fancy") == (
        "--look 'fancy': choose plain or random."
    )
    assert "nowhere" in refused("evaluate", policy, "--track", "nowhere")
    assert str(tmp_path) in refused("evaluate", tmp_path / "none.onnx", "--track", ring_path)
    assert "is a folder" in refused("evaluate", policy, "--track", ring_path, "--json", tmp_path)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(policy.read_bytes()[:-1])
    assert str(broken) in refused("evaluate", broken, "--track", ring_path)


def test_wrong_usage_is_told_without_a_traceback(outlap: Callable, constant_policy: Constant, ring_path: Path) -> None:
    for words in (("--track", ring_path, "--trials", 0), (), ("--track", ring_path, "--colour", "red")):
        code, _, stderr = outlap("evaluate", constant_policy(0.0, 2.0), *words)
        assert code == 2
        assert "Traceback" not in stderr
        assert "Usage" in stderr
