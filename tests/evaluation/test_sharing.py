"""Laps shared among processes: the same results, and clear words when something goes wrong."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outlap.driving.choice import LineDriver, PolicyDriver
from outlap.errors import OutlapError
from outlap.evaluation.laps import planned
from outlap.evaluation.sharing import Task, drive_all
from outlap.simulation.randomization import OFF, load_randomization
from outlap.track.track import Track
from outlap.vehicle.car import Car

pytestmark = pytest.mark.slow

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


def test_a_process_that_dies_changes_nothing_but_is_told(constant_policy: Constant, ring: Track, car: Car) -> None:
    driver, tracks = PolicyDriver.load(constant_policy(1 / 1.2, 1.9, 0.2), car), [ring]
    tasks = [Task(driver, load_randomization("full"), planned(tracks, 30, [0]), traced=True)]
    done: list[int] = []
    warnings: list[str] = []

    def kill_one(ended: int) -> None:
        if not done:
            multiprocessing.active_children()[0].kill()
        done.append(ended)

    (disturbed,) = drive_all(tasks, tracks, car, 2, kill_one, warnings.append)
    assert len(warnings) == 1
    assert "of 2 of the laps was ended by SIGKILL" in warnings[0]
    assert sum(done) == 30
    (alone,) = drive_all(tasks, tracks, car, 1)
    assert disturbed.trials == alone.trials
    for one, other in zip(disturbed.traces, alone.traces, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)


def test_a_reward_file_at_fault_is_told_by_its_line(
    constant_policy: Constant, ring: Track, car: Car, reward_file: Callable[[str], Path]
) -> None:
    path = reward_file("""
        def reward_function(params):
            return 1 / 0
    """)
    driver = PolicyDriver.load(constant_policy(1 / 1.2, 1.9), car)
    with pytest.raises(OutlapError, match=r"my_reward\.py, line 2: .*division by zero"):
        drive_all([Task(driver, OFF, planned([ring], 26, [0]), True, path)], [ring], car, 2)
    assert not multiprocessing.active_children()
