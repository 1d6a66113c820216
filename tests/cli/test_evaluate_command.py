"""``outlap evaluate``: its table, its JSON, its exit codes, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from outlap.errors import OutlapError
from outlap.evaluation import assess
from outlap.policy.file import load_policy
from outlap.track.fastest import FastestLine
from outlap.track.speed import Limits
from outlap.track.track import Track

Constant = Callable[..., Path]
Refused = Callable[..., str]


def test_its_json_says_of_every_lap_how_it_went(
    outlap: Callable, constant_policy: Constant, ring_path: Path, tmp_path: Path
) -> None:
    policy, report = constant_policy(1 / 1.2, 1.5), tmp_path / "deep" / "report.json"
    code, stdout, stderr = outlap(
        "evaluate",
        policy,
        "--track",
        ring_path,
        "--trials",
        2,
        "--seed",
        4,
        "--seed",
        5,
        "--json",
        report,
        "--require",
        1,
    )
    assert code == 0, stderr
    assert "4 of 4 laps clean (100.0%, 95 % interval 39.8% to 100.0%), randomization off, seeds 4, 5" in stdout
    assert "mean lap time ÷ time-optimal lap: 2." in stdout  # which would drive up to 4 m/s
    content = json.loads(report.read_text())
    assert list(content) == [
        "outlap_version",
        "policy",
        "digest",
        "car",
        "seeds",
        "randomization",
        "laps_in_a_row",
        "from_line",
        "trained_on",
        "clean_fraction",
        "clean_interval",
        "completed_fraction",
        "mean_lap_time_s",
        "over_optimal",
        "over_flying",
        "tracks",
        "perturbations",
        "trials",
    ]
    assert content["clean_fraction"] == content["completed_fraction"] == 1
    assert content["digest"] == load_policy(policy).digest
    assert content["perturbations"] == []
    (track,) = content["tracks"]
    assert (track["track"], track["laps"], track["clean"], track["off_track"]) == ("ring", 4, 4, 0)
    assert track["optimal"]["flying_s"] < track["optimal"]["standing_s"] < track["mean_lap_time_s"]
    assert track["over_optimal"] == pytest.approx(track["mean_lap_time_s"] / track["optimal"]["standing_s"], abs=1e-3)
    assert len(content["trials"]) == 4
    for trial in content["trials"]:
        assert list(trial) == [
            "track",
            "seed",
            "number",
            "completed",
            "clean",
            "lap_time_s",
            "off_track",
            "put_back",
            "laps",
            "left_road_at",
            "start_m",
            "mean_speed",
        ]
        assert (trial["track"], trial["completed"], trial["clean"], trial["off_track"]) == ("ring", True, True, 0)
        assert trial["lap_time_s"] == pytest.approx(5.0, abs=0.6)


def test_a_lap_that_beats_the_yardstick_ends_it_with_both_times_after_all_is_written(
    outlap: Callable, constant_policy: Constant, ring_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = assess.fastest_line
    monkeypatch.setattr(assess, "fastest_line", lambda *words: replace(find(*words), lap_time=60.0))
    report = tmp_path / "report.json"
    words = ("--track", ring_path, "--trials", 1, "--json", report)
    code, stdout, stderr = outlap("evaluate", constant_policy(1 / 1.2, 1.5), *words)
    assert code == 2
    assert "1 of 1 laps clean" in stdout and "time-optimal" not in stdout
    (track,) = json.loads(report.read_text())["tracks"]
    assert track["beaten"] and track["over_optimal"] is None and track["over_flying"] is None
    assert f"track ring: a clean lap took {track['mean_lap_time_s']:.3f} s, and the time-optimal" in stderr
    assert "one takes 60.000 s" in stderr


def test_a_track_is_searched_anew_before_a_lap_counts_as_faster_than_possible(
    outlap: Callable, constant_policy: Constant, ring_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = assess.fastest_line

    def coarsely(track: Track, limits: Limits, spacing: float) -> FastestLine:
        line = find(track, limits, spacing)
        return replace(line, lap_time=60.0) if spacing == assess.SPACING else line

    monkeypatch.setattr(assess, "fastest_line", coarsely)
    report = tmp_path / "report.json"
    code, *_ = outlap("evaluate", constant_policy(1 / 1.2, 1.5), "--track", ring_path, "--trials", 1, "--json", report)
    (track,) = json.loads(report.read_text())["tracks"]
    assert code == 0 and not track["beaten"] and track["optimal"]["flying_s"] < 6


def test_why_there_is_no_time_optimal_lap_is_told(
    outlap: Callable, constant_policy: Constant, ring_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OutlapError("track ring: no lap was found.")

    monkeypatch.setattr(assess, "fastest_line", none)
    code, stdout, stderr = outlap("evaluate", constant_policy(1 / 1.2, 1.5), "--track", ring_path, "--trials", 1)
    assert code == 0, stderr
    assert "no ÷ optimal: track ring: no lap was found." in stdout


@pytest.mark.slow
def test_a_heat_is_laps_in_a_row_from_the_start_line(
    outlap: Callable, constant_policy: Constant, ring_path: Path, tmp_path: Path
) -> None:
    report = tmp_path / "heats.json"
    words = ("--track", ring_path, "--trials", 2, "--from-line", "--laps", 3, "--json", report)
    code, stdout, stderr = outlap("evaluate", constant_policy(1 / 1.2, 1.5), *words)
    assert code == 0, stderr
    assert "2 of 2 heats of 3 laps clean" in stdout
    content = json.loads(report.read_text())
    assert (content["laps_in_a_row"], content["from_line"]) == (3, True)
    for trial in content["trials"]:
        times = [lap["time_s"] for lap in trial["laps"]]
        assert len(times) == 3 and times[0] > times[1]  # the first begins at rest
        assert trial["start_m"] == 0
        assert trial["lap_time_s"] == pytest.approx(sum(times) / 3, abs=1e-3)
    code, stdout, _ = outlap("evaluate", constant_policy(0.0, 2.0), *words)
    assert code == 0 and "0 of 2 heats of 3 laps clean" in stdout
    code, _, stderr = outlap("evaluate", "line", "--track", ring_path, "--from-line", "--trials", 3)
    assert code == 0 and "heats on one track differ only in how late commands are (2 ways)" in stderr
    rewarded = ("--laps", 2, "--out", tmp_path / "looks", "--reward", __file__)
    code, _, stderr = outlap("evaluate", "line", "--track", ring_path, *rewarded)
    assert code == 2 and "a reward file knows episodes of one lap" in stderr
    code, _, stderr = outlap("evaluate", "line", "--track", ring_path, "--laps", 0)
    assert code == 2 and "--laps" in stderr


@pytest.mark.slow
def test_a_policy_that_only_goes_straight_is_found_out_in_both_directions(
    outlap: Callable, constant_policy: Constant, ring_path: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    code, stdout, stderr = outlap(
        "evaluate",
        constant_policy(0.0, 2.0),
        "--track",
        ring_path,
        "--trials",
        1,
        "--both-directions",
        "--randomization",
        "full",
        "--row",
        "dark",
        "--json",
        report,
        "--require",
        0.5,
        "--require-rows",
        0.9,
    )
    assert code == 1, stderr
    assert "0 of 2 laps clean (0.0%, 95 % interval 0.0% to 84.2%), randomization full, seed 0" in stdout
    assert "required: 50.0% of the laps clean, found: 0.00%" in stdout
    assert "required: 90.0% of the laps clean under every row, found less under: dark (0.00%)" in stdout
    content = json.loads(report.read_text())
    assert content["clean_fraction"] == 0
    assert [trial["track"] for trial in content["trials"]] == ["ring", "ring reversed"]
    for trial in content["trials"]:
        assert trial["off_track"] == len(trial["left_road_at"]) > 0
        assert trial["clean"] is False
    (row,) = content["perturbations"]
    assert (row["name"], row["laps"], row["clean"]) == ("dark", 2, 0)
    assert row["clean_by_track"] == {"ring": 0, "ring reversed": 0}
    assert row["randomization"]["look"]["gain"] == 0.33


@pytest.mark.slow
def test_the_line_follower_takes_a_policys_place(outlap: Callable, ring_path: Path, tmp_path: Path) -> None:
    code, stdout, stderr = outlap(
        "evaluate", "line", "--speed", 1.5, "--track", ring_path.parent, "--trials", 2, "--out", tmp_path / "looks"
    )
    assert code == 0, stderr
    assert "2 of 2 laps clean" in stdout
    assert f"wrote 1 pictures to {tmp_path / 'looks'}" in stdout
    assert [path.name for path in (tmp_path / "looks").iterdir()] == ["ring.png"]


def test_what_it_cannot_do_is_refused(
    refused: Refused, constant_policy: Constant, ring_path: Path, tmp_path: Path
) -> None:
    policy = constant_policy(0.0, 2.0)
    assert "there is no randomization named 'fancy'" in refused("evaluate", policy, "--randomization", "fancy")
    assert "nowhere" in refused("evaluate", policy, "--track", "nowhere")
    assert "holds no track" in refused("evaluate", policy, "--track", tmp_path)
    assert str(tmp_path) in refused("evaluate", tmp_path / "none.onnx", "--track", ring_path)
    assert "is a folder" in refused("evaluate", policy, "--track", ring_path, "--json", tmp_path)
    assert "the suite has no row 'icy': choose from" in refused("evaluate", policy, "--row", "icy")
    assert "there is no suite named 'hard'" in refused("evaluate", policy, "--perturbations", "--suite", "hard")
    assert "add --perturbations, or --row" in refused("evaluate", policy, "--require-rows", 0.9)
    assert "the same seed twice" in refused("evaluate", policy, "--track", ring_path, "--seed", 1, "--seed", 1)
    assert "there is no such file" in refused("evaluate", policy, "--reward", tmp_path / "none.py")
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in refused("evaluate", policy, "--track", ring_path, "--out", tmp_path / "file")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(policy.read_bytes()[:-1])
    assert str(broken) in refused("evaluate", broken, "--track", ring_path)


def test_wrong_usage_is_told_without_a_traceback(outlap: Callable, constant_policy: Constant, ring_path: Path) -> None:
    for words in (
        ("--track", ring_path, "--trials", 0),
        ("--jobs", 0),
        ("--track", ring_path, "--colour", "red"),
        ("--require", 1.5),
        ("--seed", -1),
    ):
        code, _, stderr = outlap("evaluate", constant_policy(0.0, 2.0), *words)
        assert code == 2
        assert "Traceback" not in stderr
        assert "Usage" in stderr
