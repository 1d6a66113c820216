"""Drawn cars: trim, play, delays that jitter, and numbers that stay what they were where nothing is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from outlap.simulation.bodies import SCALED, draw_bodies
from outlap.simulation.clock import TICK
from outlap.simulation.fleet import Fleet
from outlap.simulation.randomization import CarRanges, load_randomization
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car

N = 40


@pytest.fixture
def fleet(ring: Track, car: Car) -> Fleet:
    return Fleet(TrackSet([ring]), car, N)


def draw(fleet: Fleet, seed: int = 0, **given: Any) -> None:
    draw_bodies(CarRanges.model_validate(given), fleet, np.arange(fleet.n), np.random.default_rng(seed))


def test_nothing_drawn_changes_nothing(fleet: Fleet, car: Car) -> None:
    draw_bodies(None, fleet, np.arange(N), np.random.default_rng(0))
    draw(fleet)
    np.testing.assert_array_equal(fleet.parameter, dynamics.parameters(car, N))
    for values in (fleet.delay, fleet.jitter, fleet.trim, fleet.backlash):
        assert not values.any()


def test_each_factor_scales_its_own_numbers_of_the_drawn_cars_only(fleet: Fleet, car: Car) -> None:
    nominal = dynamics.parameters(car, N)
    for name, columns in SCALED.items():
        fleet.parameter[:] = nominal
        draw_bodies(
            CarRanges.model_validate({name: {"uniform": [1.1, 1.3]}}), fleet, np.array([3, 5]), np.random.default_rng(0)
        )
        factor = fleet.parameter / nominal
        changed = {dynamics.ACCELERATION} if name == "mass" else set()
        assert set(np.flatnonzero((factor != 1).any(axis=0))) == {*columns, *changed}
        assert set(np.flatnonzero((factor != 1).any(axis=1))) == {3, 5}
        assert ((factor[[3, 5]][:, columns] >= 1.1) & (factor[[3, 5]][:, columns] <= 1.3)).all()


def test_full_draws_cars_that_all_differ_and_the_same_from_the_same_seed(fleet: Fleet) -> None:
    ranges = load_randomization("full").car
    seen = []
    for seed in (1, 1, 2):
        draw_bodies(ranges, fleet, np.arange(N), np.random.default_rng(seed))
        seen.append(np.column_stack([fleet.parameter, fleet.trim, fleet.backlash, fleet.delay, fleet.jitter]))
    np.testing.assert_array_equal(seen[0], seen[1])
    assert (seen[0] != seen[2]).any()
    assert len(np.unique(seen[0], axis=0)) == N
    assert set(fleet.delay) <= {0, 1, 3} and set(fleet.jitter) <= {0, 1, 2, 3}


def test_a_trim_turns_a_wheel_that_is_held_straight(fleet: Fleet) -> None:
    draw(fleet, steering_trim={"choice": [-0.05, 0.05]})
    fleet.place(np.arange(N), 0, 0.0, speed=1.0)
    fleet.step(np.zeros(N), np.full(N, 33.0), 24)
    np.testing.assert_allclose(fleet.state[:, dynamics.STEERING], fleet.trim, atol=2e-3)
    assert {-0.05, 0.05} == set(fleet.trim)


def test_play_holds_the_wheel_until_it_is_used_up(fleet: Fleet) -> None:
    draw(fleet, steering_backlash=0.04)
    fleet.place(np.arange(N), 0, 0.0, speed=1.0)

    def steer(angle: float) -> float:
        fleet.step(np.full(N, angle), np.full(N, 33.0), 60)
        return float(fleet.state[0, dynamics.STEERING])

    assert steer(0.015) == pytest.approx(0)
    assert steer(0.10) == pytest.approx(0.08, abs=1e-3)
    assert steer(0.07) == pytest.approx(0.08, abs=1e-3)
    assert steer(0.0) == pytest.approx(0.02, abs=1e-3)


def test_jitter_adds_up_to_its_most_from_step_to_step(fleet: Fleet) -> None:
    draw(fleet, delay_jitter=2.5 * TICK)
    assert (fleet.jitter == 2).all()
    fleet.place(np.arange(N), 0, 0.0, speed=1.0)
    moved = []
    for step in range(20):
        before = fleet.state[:, dynamics.STEERING].copy()
        fleet.step(np.full(N, 0.52 if step % 2 else -0.52), np.full(N, 33.0), 4)
        moved.append(np.abs(fleet.state[:, dynamics.STEERING] - before))
    # As many ticks as it comes late the wheel goes on turning to the other side, at the servo's rate.
    ticks = np.round(np.concatenate(moved[2:]) / (fleet.car.steering.max_rate * TICK)).astype(int)
    part = np.bincount(ticks, minlength=5) / len(ticks)
    assert part[[0, 2, 4]] == pytest.approx([1 / 3] * 3, abs=0.1)
