"""Laps shared among processes: the same results, and clear words when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.driving.choice import LineDriver, PolicyDriver
from outlap.errors import OutlapError
from outlap.evaluation.laps import planned
from outlap.evaluation.sharing import Task, drive_all
from outlap.simulation.randomization import OFF, load_randomization
from outlap.track.track import Track
from outlap.vehicle.car import Car

Constant = Callable[..., Path]


def test_results_do_not_depend_on_the_number_of_processes(constant_policy: Constant, ring: Track, car: Car) -> None:
    """With all randomization, and a policy whose steering depends on every pixel."""
    driver, tracks = PolicyDriver.load(constant_policy(1 / 1.2, 1.9, 0.2), car), [ring]
    tasks = [
        Task(driver, load_randomization("full"), planned(tracks, 13, [0, 1])),
        Task(LineDriver(1.8), OFF, planned(tracks, 2, [5])),
    ]
    done: list[int] = []
    shared = drive_all(tasks, tracks, car, 2, done.append)
    assert sum(done) == 28
    alone = drive_all(tasks, tracks, car, 1)
    for one, other in zip(shared, alone, strict=True):
        assert one.trials == other.trials
    assert [(trial.seed, trial.number) for trial in alone[0].trials] == [(s, k) for s in (0, 1) for k in range(13)]
    assert len({trial.lap_time_s for trial in alone[0].trials}) > 13
    assert all(trial.clean for trial in alone[1].trials)


def test_a_policy_that_is_replaced_meanwhile_is_refused(
    constant_policy: Constant, ring: Track, car: Car, tmp_path: Path
) -> None:
    path = tmp_path / "policy.onnx"
    path.write_bytes(constant_policy(1 / 1.2, 1.9).read_bytes())
    driver = PolicyDriver.load(path, car)
    path.write_bytes(constant_policy(1 / 1.2, 1.5).read_bytes())
    with pytest.raises(OutlapError, match=r"policy\.onnx was replaced while it was evaluated: evaluate a copy"):
        drive_all([Task(driver, OFF, planned([ring], 26, [0]))], [ring], car, 2)
