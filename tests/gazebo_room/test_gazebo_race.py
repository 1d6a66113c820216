"""``outlap race --simulator gazebo`` where Gazebo is not there: one sentence, and nothing is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.cli.race import Simulator, run_race
from outlap.errors import OutlapError


@pytest.fixture
def race(
    constant_policy: Callable[[float, float], Path], ring_path: Path, tmp_path: Path
) -> Callable[..., Callable[[], int]]:
    """``race(simulator)``: starts a race whose folder holds an earlier one's result."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text("old")

    def make(simulator: Simulator, world: str | None = None, window: bool = False) -> Callable[[], int]:
        policy, out = constant_policy(0.0, 1.0), tmp_path / "out"
        return lambda: run_race(policy, str(ring_path), 1, None, out, simulator=simulator, world=world, window=window)

    return make


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("", r"the program `gz` is missing: install Gazebo Harmonic \(apt install ros-jazzy-ros-gz\)"),
        ("echo 9.2.0", r"`gz` knows gz-sim 9.2.0, and Outlap's worlds are for gz-sim 8"),
        (
            "echo 8.9.0",
            r"no program 'parameter_bridge' of the package 'ros_gz_bridge' is installed; .*ros-jazzy-ros-gz-bridge",
        ),
    ],
)
def test_what_is_missing_is_named_before_anything_is_touched(
    race: Callable[..., Callable[[], int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    if program:
        (tmp_path / "gz").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "gz").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with pytest.raises(OutlapError, match=words):
        race(Simulator.GAZEBO)()
    assert (tmp_path / "out" / "result.json").read_text() == "old"


@pytest.mark.parametrize("options", [{"world": "garage.sdf"}, {"window": True}])
def test_what_only_gazebo_has_is_refused_elsewhere(race: Callable[..., Callable[[], int]], options: dict) -> None:
    with pytest.raises(OutlapError, match="--world and --window are Gazebo's: add --simulator gazebo"):
        race(Simulator.BUILTIN, **options)()
