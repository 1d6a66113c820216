"""Judging policies: one that goes round is clean, one that only goes straight is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outlap.driving.laps import LEAST_TIME
from outlap.driving.pilots import LinePilot, PolicyPilot
from outlap.evaluation.laps import SPEED, PlannedTrial, S, Trial, X, Y, batches, drive, planned
from outlap.policy.file import load_policy
from outlap.simulation.randomization import OFF, load_randomization
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

Constant = Callable[..., Path]


def drove(policy: Path, tracks: list[Track], car: Car, trials: int, seed: int, varied: str = "off") -> list[Trial]:
    pilot = PolicyPilot(load_policy(policy, car=car))
    return drive(pilot, tracks, planned(tracks, trials, [seed]), car, load_randomization(varied))[0]


@pytest.mark.slow
def test_going_round_is_clean_and_timed(constant_policy: Constant, ring: Track, car: Car) -> None:
    policy = constant_policy(1 / 1.2, 1.5)
    trials = drove(policy, [ring], car, 3, 1)
    for number, trial in enumerate(trials):
        assert trial.completed and trial.clean and trial.off_track == 0 and trial.left_road_at == []
        assert trial.lap_time_s == pytest.approx(2 * 3.1416 * 1.2 / 1.5, rel=0.1)
        assert trial.mean_speed == pytest.approx(1.5, rel=0.1)
        assert (trial.track, trial.seed, trial.number) == (ring.name, 1, number)
    assert len({trial.start_m for trial in trials}) == 3
    assert drove(policy, [ring], car, 3, 1) == trials
    assert drove(policy, [ring], car, 3, 2) != trials


def test_going_straight_is_not(constant_policy: Constant, ring: Track, car: Car) -> None:
    straight = drove(constant_policy(0.0, 2.0), [ring, ring.reversed()], car, 2, 1)
    assert len(straight) == 4
    for trial in straight:
        assert trial.off_track == len(trial.left_road_at) > 0
        assert not trial.clean
        for s, x, y in trial.left_road_at:  # outwards, whatever the direction
            assert 1.6 < np.hypot(x, y) < 2.2
            assert 0 <= s < 2 * np.pi * 1.25


@pytest.mark.slow
def test_standing_still_is_not_completed(constant_policy: Constant, ring: Track, car: Car) -> None:
    (trial,) = drove(constant_policy(0.0, 0.0), [ring], car, 1, 1)
    assert not trial.completed and not trial.clean
    assert trial.lap_time_s is None
    assert trial.off_track == 0
    assert trial.mean_speed == 0


@pytest.mark.slow
def test_every_kind_of_car_and_look_can_be_drawn(constant_policy: Constant, ring: Track, car: Car) -> None:
    policy = constant_policy(1 / 1.2, 1.0)
    varied = drove(policy, [ring], car, 4, 1, "full")
    assert len({trial.lap_time_s for trial in varied}) > 1  # other wheels, other laps
    assert drove(policy, [ring], car, 4, 1, "full") == varied


@pytest.mark.slow
def test_a_lap_is_the_same_whoever_drives_beside_it(constant_policy: Constant, ring: Track, car: Car) -> None:
    """With all randomization, and a policy whose steering depends on every pixel."""
    pilot, full = PolicyPilot(load_policy(constant_policy(1 / 1.2, 1.4, 0.2), car=car)), load_randomization("full")
    tracks = [ring, ring.reversed()]
    laps = planned(tracks, 4, [3])
    done: list[int] = []
    together, _ = drive(pilot, tracks, laps, car, full, done.append)
    assert sum(done) == 8
    assert len({trial.lap_time_s for trial in together}) > 4
    alone = [drive(pilot, tracks, [lap], car, full)[0][0] for lap in (laps[1], laps[6])]
    assert alone == [together[1], together[6]]
    backwards, _ = drive(pilot, tracks, laps[:-5:-1], car, full, threads=False)
    assert backwards == together[:-5:-1]


def test_batches_hold_every_lap_once_and_are_alike(ring: Track, car: Car) -> None:
    tracks = [ring, load_track("grand"), load_track("oval")]
    laps = planned(tracks, 5, [0, 7])
    parts = batches(tracks, laps, 8)
    assert sorted(len(part) for part in parts) == [7, 7, 8, 8]
    assert sorted(lap for part in parts for lap in part) == laps
    for part in parts:
        assert [sum(lap.track == track for lap in part) for track in range(3)] == pytest.approx([2.5] * 3, abs=0.6)


def test_traces_hold_every_step_of_a_lap(constant_policy: Constant, ring: Track, car: Car) -> None:
    pilot = PolicyPilot(load_policy(constant_policy(1 / 1.2, 1.5), car=car))
    trials, traces = drive(pilot, [ring], [PlannedTrial(0, 0, 0), PlannedTrial(0, 0, 1)], car, OFF, traced=True)
    ring_length = float(TrackSet([ring]).length[0])
    for trial, trace in zip(trials, traces, strict=True):
        time = trial.lap_time_s
        assert time is not None and time < LEAST_TIME
        assert len(trace.rows) == np.ceil(time * 30)
        # The lap begins with base_link; a trace's places are those of the car's middle.
        assert (trace.rows[0, S] - trial.start_m) % ring_length == pytest.approx(car.axles.wheelbase / 2, abs=2e-3)
        assert trace.rows[0, SPEED] == 0
        assert np.hypot(trace.rows[:, X], trace.rows[:, Y]) == pytest.approx(np.full(len(trace.rows), 1.2), abs=0.3)
    assert drive(pilot, [ring], [PlannedTrial(0, 0, 0)], car, OFF)[1] == []


def test_the_line_follower_laps_without_looking(ring: Track, car: Car) -> None:
    trials, _ = drive(LinePilot(car, 1.5, 30), [ring], planned([ring], 2, [0]), car, OFF)
    for trial in trials:
        assert trial.clean
        assert trial.mean_speed > 1.2
