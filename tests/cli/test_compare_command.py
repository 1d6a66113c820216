"""``outlap compare``: its tables, its words, its JSON, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Constant = Callable[..., Path]


def test_it_says_who_is_better_and_whether_it_could_be_chance(
    outlap: Callable, constant_policy: Constant, ring_path: Path, tmp_path: Path
) -> None:
    slow, fast, straight = constant_policy(1 / 1.2, 1.5), constant_policy(1 / 1.2, 1.8), constant_policy(0.0, 2.0)
    code, stdout, stderr = outlap(
        "compare", slow, fast, straight, "--track", ring_path, "--trials", 20, "--json", tmp_path / "found.json"
    )
    assert code == 0, stderr
    assert "B against A: the same laps are clean" in stdout
    assert "C against A: fewer clean laps than the first, beyond chance (20 of the 20 laps" in stdout
    assert "20 laps each on 1 tracks, randomization off, seed 0" in stdout
    content = json.loads((tmp_path / "found.json").read_text())
    assert [side["clean"] for side in content["sides"]] == [20, 20, 0]
    faster, worse = content["comparisons"]
    assert faster["time_difference_s"] == pytest.approx(-0.78, abs=0.1)
    assert (worse["clean_difference"], worse["only_first_clean"]) == (-1, 20)
    assert worse["p_value"] == pytest.approx(2 * 2 / 2**20, rel=0.01)  # McNemar's exact, twice for two comparisons
    assert worse["time_difference_s"] is None
    assert (content["laps_in_a_row"], content["from_line"]) == (1, False)
    words = ("--track", ring_path, "--trials", 1, "--from-line", "--laps", 2, "--json", tmp_path / "heats.json")
    code, stdout, stderr = outlap("compare", slow, fast, *words)
    assert code == 0 and "1 heats of 2 laps each on 1 tracks" in stdout, stderr
    content = json.loads((tmp_path / "heats.json").read_text())
    assert (content["laps_in_a_row"], content["from_line"]) == (2, True)


def test_what_it_cannot_compare_is_refused(
    refused: Callable[..., str], constant_policy: Constant, ring_path: Path, tmp_path: Path
) -> None:
    policy = constant_policy(1 / 1.2, 1.5)
    assert "a comparison needs two policies or more" in refused("compare", policy)
    assert str(tmp_path / "b.onnx") in refused("compare", policy, tmp_path / "b.onnx", "--track", ring_path)
    assert "is a folder" in refused("compare", policy, policy, "--track", ring_path, "--json", tmp_path)
