"""Judging policies: one that goes round is clean, one that only goes straight is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.learning.evaluate import evaluate, summarise
from outlap.policy.file import load_policy
from outlap.simulation.randomization import load_randomization
from outlap.track.track import Track
from outlap.vehicle.car import Car

Constant = Callable[[float, float], Path]


def test_going_round_is_clean_and_timed(constant_policy: Constant, ring: Track, car: Car) -> None:
    policy = load_policy(constant_policy(1 / 1.2, 1.5), car=car)
    done: list[int] = []
    trials = evaluate(policy, [ring], car, 3, 1, report=done.append)
    assert done[-1] == 3
    for trial in trials:
        assert trial.completed and trial.clean and trial.off_track == 0
        assert trial.lap_time_s == pytest.approx(2 * 3.1416 * 1.2 / 1.5, rel=0.1)
        assert trial.mean_speed == pytest.approx(1.5, rel=0.1)
        assert trial.track == ring.name
    assert len({trial.start_m for trial in trials}) == 3
    assert evaluate(policy, [ring], car, 3, 1) == trials
    assert evaluate(policy, [ring], car, 3, 2) != trials
    result = summarise(trials, policy, 1, "plain")
    assert (result.clean_fraction, result.completed_fraction) == (1, 1)
    assert result.mean_lap_time_s == pytest.approx(sum(trial.lap_time_s or 0 for trial in trials) / 3)
    assert (result.digest, result.policy) == (policy.digest, str(policy.path))


def test_going_straight_is_not(constant_policy: Constant, ring: Track, car: Car) -> None:
    policy = load_policy(constant_policy(0.0, 2.0), car=car)
    straight = evaluate(policy, [ring, ring.reversed()], car, 2, 1)
    assert len(straight) == 4
    for trial in straight:
        assert trial.off_track > 0
        assert not trial.clean
    assert summarise(straight, policy, 1, "plain").clean_fraction == 0
    assert summarise(straight, policy, 1, "plain").mean_lap_time_s is None


def test_standing_still_is_not_completed(constant_policy: Constant, ring: Track, car: Car) -> None:
    policy = load_policy(constant_policy(0.0, 0.0), car=car)
    (trial,) = evaluate(policy, [ring], car, 1, 1)
    assert not trial.completed and not trial.clean
    assert trial.lap_time_s is None
    assert trial.off_track == 0
    assert trial.mean_speed == 0


def test_every_kind_of_car_and_look_can_be_drawn(constant_policy: Constant, ring: Track, car: Car) -> None:
    policy = load_policy(constant_policy(1 / 1.2, 1.0), car=car)
    varied = evaluate(policy, [ring], car, 4, 1, load_randomization("full"))
    assert len({trial.lap_time_s for trial in varied}) > 1  # other wheels, other laps
    assert evaluate(policy, [ring], car, 4, 1, load_randomization("full")) == varied
