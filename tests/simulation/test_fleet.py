"""Cars on tracks: placing, delays in ticks, wheels and mounts."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.simulation.clock import TICK
from outlap.simulation.fleet import Fleet, Mounts, mount_rotations
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car

RADIUS, INNER, OUTER = 1.2, 0.8, 1.6  # m, of the ring's lines


@pytest.fixture
def fleet(ring: Track, car: Car) -> Fleet:
    return Fleet(TrackSet([ring, ring.reversed()]), car, 6)


def test_a_car_is_placed_by_its_middle(fleet: Fleet) -> None:
    s = np.array([0.0, 1.0, 3.0, -0.5, 20.0])
    offset, turn = np.array([0, 0.1, -0.2, 0.3, 0]), np.array([0, 0.3, -0.3, 0, 3.0])
    fleet.place([0, 1, 2, 3, 5], [0, 1, 0, 1, 0], s, offset, turn, 0.7)
    rows = np.array([0, 1, 2, 3, 5])
    length = fleet.tracks.length[fleet.track[rows]]
    np.testing.assert_array_equal(fleet.track[rows], [0, 1, 0, 1, 0])
    apart = (fleet.located.s[rows] - s + length / 2) % length - length / 2
    np.testing.assert_allclose(apart, 0, atol=2e-3)
    np.testing.assert_allclose(fleet.located.offset[rows], offset, atol=1e-3)
    away = fleet.state[rows, dynamics.YAW] - fleet.located.heading[rows] - turn
    np.testing.assert_allclose((away + np.pi) % (2 * np.pi) - np.pi, 0, atol=5e-3)
    np.testing.assert_allclose(fleet.state[rows, dynamics.SPEED], 0.7)
    np.testing.assert_array_equal(fleet.state[4], 0)  # nobody touched that one


def test_putting_a_car_forgets_what_it_did(fleet: Fleet) -> None:
    fleet.place(np.arange(6), 0, 0.0, speed=1.0)
    fleet.step(np.full(6, 0.4), np.full(6, 50.0), 24)
    fleet.put([2], 0.3, -1.2, 0.5)
    np.testing.assert_array_equal(fleet.state[2], [0.3, -1.2, 0.5, 0, 0, 0, 0])
    middle = fleet.middle()[2]
    np.testing.assert_allclose(
        middle, np.array([0.3, -1.2]) + fleet.car.axles.wheelbase / 2 * np.array([np.cos(0.5), np.sin(0.5)])
    )
    alone = fleet.tracks.locate(0, middle[None])
    assert fleet.located.s[2] == pytest.approx(alone.s[0])  # also far from where it was
    # It rolls on as it was put until its next command arrives.
    fleet.delay[:] = 5
    fleet.put([3], 0, -1.2, 0, speed=1.5)
    fleet.step(np.full(6, 0.4), np.zeros(6), 5)
    assert fleet.state[3, dynamics.SPEED] == pytest.approx(1.5)
    assert fleet.state[3, dynamics.X] == pytest.approx(1.5 * 5 * TICK)
    assert fleet.state[3, dynamics.STEERING] == 0


@pytest.mark.parametrize("ticks", [4, 1])
def test_a_delay_of_n_ticks_acts_n_ticks_later(fleet: Fleet, ticks: int) -> None:
    delays = np.array([0, 1, 2, 3, 0, 1]) if ticks > 1 else np.array([0, 1, 0, 1, 0, 1])
    fleet.put(np.arange(6), 0, -1.2, 0, speed=1.0)
    fleet.delay[:] = delays
    expected, parameter = fleet.state.copy(), fleet.parameter
    rng = np.random.default_rng(0)
    radius = fleet.car.axles.wheel_radius
    arriving = [[(0.0, 1.0 / radius)] * delay for delay in delays]  # what each car hears tick by tick
    for _ in range(12):
        steering, wheel_speed = rng.uniform(-0.5, 0.5, 6), rng.uniform(0, 60, 6)
        fleet.step(steering, wheel_speed, ticks)
        for i in range(6):
            arriving[i] += [(steering[i], wheel_speed[i])] * ticks
    for i in range(6):
        for angle, turning in arriving[i][: 12 * ticks]:
            dynamics.advance(expected[i : i + 1], parameter[i : i + 1], np.array([angle]), np.array([turning]), TICK)
    np.testing.assert_allclose(fleet.state, expected, atol=1e-9)


def test_wheels_know_how_far_they_are_from_the_borders(fleet: Fleet, car: Car) -> None:
    fleet.place(np.arange(6), [0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2], [0, 0.35, -0.38, 0.6, -0.7, 0], 0.1)
    clearance = fleet.footing().clearance
    x, y, yaw = (fleet.state[:, column] for column in (dynamics.X, dynamics.Y, dynamics.YAW))
    half, wheelbase = car.axles.track / 2, car.axles.wheelbase
    for wheel, (ahead, left) in enumerate(((0, half), (0, -half), (wheelbase, half), (wheelbase, -half))):
        radius = np.hypot(x + ahead * np.cos(yaw) - left * np.sin(yaw), y + ahead * np.sin(yaw) + left * np.cos(yaw))
        np.testing.assert_allclose(clearance[:, wheel], np.minimum(radius - INNER, OUTER - radius), atol=2e-3)
    assert (clearance[0] > 0.25).all()
    assert (clearance[4] < 0).all()


def test_mounts_are_alike_or_each_its_own() -> None:
    alike = Mounts.alike(3, 0.1, 0.12, 0.3, yaw=0.2)
    rotations = mount_rotations(alike)
    np.testing.assert_array_equal(rotations[0], rotations[2])
    ahead = rotations[0] @ [0, 0, 1]
    np.testing.assert_allclose(ahead, [np.cos(0.3) * np.cos(0.2), np.cos(0.3) * np.sin(0.2), -np.sin(0.3)], atol=1e-12)
