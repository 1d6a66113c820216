"""What cars see: the same from the same seed or a saved state, plain where nothing is randomised, late or twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from outlap.camera.model import rays
from outlap.camera.view import View
from outlap.simulation.cameras import Eyes
from outlap.simulation.fleet import Fleet, Mounts, road_bounds
from outlap.simulation.randomization import OFF, Randomization, load_randomization
from outlap.simulation.rendering.ground import GroundMaps
from outlap.simulation.rendering.look import Looks
from outlap.simulation.rendering.render import Renderer
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

N = 6


@pytest.fixture
def fleet(ring: Track, car: Car) -> Fleet:
    """Cars spread over the ring, which turns left."""
    made = Fleet(TrackSet([ring, ring.reversed()]), car, N)
    made.place(np.arange(N), np.arange(N) % 2, np.arange(N), speed=1.0)
    return made


def drive(fleet: Fleet, eyes: Eyes, steps: int) -> np.ndarray:
    seen = []
    for step in range(steps):
        fleet.step(np.full(fleet.n, 0.13), np.full(fleet.n, 30.0), 4)
        if step % 3 == 2:
            eyes.reset(np.array([step % fleet.n]))
        seen.append(eyes.look().copy())
    return np.stack(seen)


def test_off_is_the_plain_look_through_a_perfect_camera(fleet: Fleet, car: Car) -> None:
    view = View()
    seen = Eyes(fleet, view, 3, OFF).look()
    low, high = road_bounds(fleet.tracks)
    looks = Looks.plain(N, low[0], high[0])
    mounts = Mounts.alike(N, car.camera.x, view.camera_height, view.pitch)
    renderer = Renderer(rays(view.lens), GroundMaps.of(fleet.tracks.tracks), channels=1, seed=3)
    looks.scalars["noise"] = 0
    apart = seen.astype(int) - fleet.pictures(renderer, mounts, looks)[..., 0]
    assert np.abs(apart).max() <= 8  # the noise
    assert apart.std() == pytest.approx(1.5, abs=0.1)


@pytest.mark.parametrize("name", ["full", "validation"])
def test_the_same_seed_sees_the_same_and_a_saved_state_goes_on_bit_for_bit(ring: Track, car: Car, name: str) -> None:
    randomization = load_randomization(name)

    def start(seed: int) -> tuple[Fleet, Eyes]:
        fleet = Fleet(TrackSet([ring, ring.reversed()]), car, N)
        fleet.place(np.arange(N), np.arange(N) % 2, np.arange(N), speed=1.0)
        return fleet, Eyes(fleet, View(), seed, randomization)

    (fleet, eyes), (other_fleet, other) = start(1), start(1)
    np.testing.assert_array_equal(drive(fleet, eyes, 6), drive(other_fleet, other, 6))
    saved = eyes.state()
    expected = drive(fleet, eyes, 8)
    # Others that began elsewhere, given what was saved, see the same.
    resumed_fleet, resumed = start(1)
    drive(resumed_fleet, resumed, 3)
    resumed.load(saved)
    vars(other_fleet)["tracks"] = resumed_fleet.tracks
    resumed.fleet = other_fleet
    np.testing.assert_array_equal(drive(other_fleet, resumed, 8), expected)
    assert (drive(*start(2), 6) != expected[:6]).any()


def test_looks_differ_from_car_to_car_and_from_reset_to_reset(fleet: Fleet) -> None:
    eyes = Eyes(fleet, View(), 1, load_randomization("full"))
    first = eyes.look().copy()
    assert len({picture.tobytes() for picture in first}) == N
    eyes.reset(np.array([2]))
    second = eyes.look()
    apart = np.abs(second.astype(int) - first).mean(axis=(1, 2))
    assert apart[2] > 10


def befalls(fleet: Fleet, **picture: Any) -> Eyes:
    return Eyes(fleet, View(), 1, Randomization.model_validate({"picture": picture, "look": {"noise": 0}}))


def test_late_pictures_are_those_of_the_step_before(fleet: Fleet) -> None:
    sharp, late = befalls(fleet), befalls(fleet, late={"constant": 1.0})
    true, seen = [], []
    for _ in range(4):
        fleet.step(np.zeros(N), np.full(N, 40.0), 4)
        true.append(sharp.look().copy())
        seen.append(late.look().copy())
    np.testing.assert_array_equal(seen[0], true[0])  # there was none before
    for step in (1, 2, 3):
        np.testing.assert_array_equal(seen[step], true[step - 1])
        assert (seen[step] != true[step]).any()


def test_a_delay_is_as_many_pictures_as_fit_into_it(fleet: Fleet) -> None:
    sharp, old = befalls(fleet), befalls(fleet, frame_delay=0.07)
    true, seen = [], []
    for _ in range(5):
        fleet.step(np.zeros(N), np.full(N, 40.0), 4)
        true.append(sharp.look().copy())
        seen.append(old.look().copy())
    np.testing.assert_array_equal(np.stack(seen[2:]), np.stack(true[:3]))


def test_dropped_pictures_are_the_last_ones_again(fleet: Fleet) -> None:
    sharp, dropped = befalls(fleet), befalls(fleet, dropped=0.5)
    before, again, fresh = None, 0, 0
    for _ in range(12):
        fleet.step(np.zeros(N), np.full(N, 40.0), 4)
        true, seen = sharp.look(), dropped.look().copy()
        for i in range(N):
            if (seen[i] == true[i]).all():
                fresh += 1
            else:
                assert before is not None and (seen[i] == before[i]).all()
                again += 1
        before = seen
    assert again > 15 and fresh > 15


def test_turning_blurs_and_shears(fleet: Fleet) -> None:
    sharp, blurred = befalls(fleet), befalls(fleet, exposure_time=0.05, readout_time=0.03)
    drive(fleet, sharp, 1)
    still = blurred.look().copy()
    for _ in range(6):
        fleet.step(np.full(N, 0.4), np.full(N, 50.0), 4)
    assert (
        np.abs(np.diff(blurred.look().astype(int), axis=2)).mean()
        < np.abs(np.diff(sharp.look().astype(int), axis=2)).mean()
    )
    assert still.shape == (N, 48, 80)


def test_what_is_kept_of_a_fleet_sees_as_before(ring: Track, car: Car) -> None:
    tracks, randomization = TrackSet([ring]), load_randomization("full")

    def start() -> tuple[Fleet, Eyes]:
        fleet = Fleet(tracks, car, N)
        fleet.place(np.arange(N), 0, np.arange(N), speed=1.0)
        return fleet, Eyes(fleet, View(), 4, randomization)

    (whole_fleet, whole), (fleet, eyes) = start(), start()
    for each in (whole, eyes):
        each.look()
    rows = np.array([4, 1])
    fleet.keep(rows)
    eyes.keep(rows)
    for _ in range(4):
        whole_fleet.step(np.full(N, 0.1), np.full(N, 40.0), 4)
        fleet.step(np.full(2, 0.1), np.full(2, 40.0), 4)
        np.testing.assert_array_equal(eyes.look(), whole.look()[rows])
