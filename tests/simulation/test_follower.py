"""The classical controller drives clean laps near the fastest ones, from anywhere on the road."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.simulation.fleet import Fleet
from outlap.simulation.follower import LineFollower
from outlap.simulation.yardstick import limits_of, yardstick
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import load_car

CAR = load_car()
SPEED, CURVATURE = 2.0, 3.3  # m/s, 1/m: those of the shipped training
STARTS = 6  # cars a track
TICKS = 4  # a command: 30 a second


@pytest.fixture(scope="module")
def tracks() -> TrackSet:
    there = [load_track(name) for name in ("coil", "narrows")]
    return TrackSet([*there, *(track.reversed() for track in there)])


@pytest.fixture(scope="module")
def follower(tracks: TrackSet) -> LineFollower:
    return LineFollower(tracks, CAR, SPEED, CURVATURE, spacing=0.09)


def drive(follower: LineFollower, fleet: Fleet) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of one lap of each car, NaN if not finished, and whether all wheels were ever off at once."""
    length = fleet.tracks.length[fleet.track]
    progress, took = np.zeros(fleet.n), np.full(fleet.n, np.nan)
    off = np.zeros(fleet.n, dtype=bool)
    for step in range(1, 800):
        before = fleet.located.s
        curvature, speed = follower.act(fleet)
        assert np.abs(curvature).max() <= CURVATURE and speed.max() <= SPEED and speed.min() > 0
        fleet.step(CAR.steering_angle(curvature), CAR.wheel_speed(speed), TICKS)
        progress += (fleet.located.s - before + length / 2) % length - length / 2
        off |= np.isnan(took) & fleet.footing().off_road
        took[np.isnan(took) & (progress >= length)] = step / 30
        if np.isfinite(took).all():
            break
    return took, off


@pytest.mark.slow
def test_laps_from_rest_are_clean_and_nearly_the_fastest(tracks: TrackSet, follower: LineFollower) -> None:
    index = np.repeat(np.arange(4), STARTS)
    fleet = Fleet(tracks, CAR, len(index))
    fleet.place(np.arange(fleet.n), index, np.random.default_rng(0).random(fleet.n) * tracks.length[index])
    fleet.delay[:] = np.arange(fleet.n) % 2 + 1
    took, off = drive(follower, fleet)
    assert np.isfinite(took).all() and not off.any()
    ratio = took / np.array([line.lap_time for line in follower.lines])[index]
    assert ratio.min() > 1.0
    assert ratio.mean() < 1.08  # a standing start is 0.03 of it


@pytest.mark.slow
def test_it_comes_back_to_the_line_from_anywhere_on_the_road(tracks: TrackSet, follower: LineFollower) -> None:
    rng = np.random.default_rng(1)
    index = np.repeat(np.arange(4), 2 * STARTS)
    fleet = Fleet(tracks, CAR, len(index))
    s = rng.random(fleet.n) * tracks.length[index]
    middle, half = tracks.middle(index, s)
    centre, heading = tracks.pose(index, s)
    offset = np.sum((middle - centre) * np.stack([-np.sin(heading), np.cos(heading)], axis=1), axis=1)
    offset += rng.choice([-1, 1], fleet.n) * (half - 0.08)  # with the wheels on a border
    fleet.place(np.arange(fleet.n), index, s, offset, rng.uniform(-0.4, 0.4, fleet.n), rng.uniform(0, SPEED, fleet.n))
    took, off = drive(follower, fleet)
    assert np.isfinite(took).all()
    assert not off.any()


def test_lines_found_before_are_taken_as_they_are(tracks: TrackSet, follower: LineFollower) -> None:
    again = LineFollower(tracks, CAR, SPEED, CURVATURE, lines=follower.lines)
    fleet = Fleet(tracks, CAR, 3)
    fleet.place([0, 1, 2], [0, 1, 3], [1.0, 2.0, 3.0])
    for one, other in zip(follower.act(fleet), again.act(fleet), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="4 tracks"):
        LineFollower(tracks, CAR, SPEED, CURVATURE, lines=follower.lines[:1])


def test_the_yardstick_keeps_the_cars_own_limits() -> None:
    assert limits_of(CAR, 50).speed == CAR.drive.max_speed
    assert limits_of(CAR, 2, 50).curvature == CAR.max_curvature
    oval = load_track("oval")
    # From rest to 2 m/s at 4 m/s² takes 0.5 s, in which the flying lap goes 1 m, this one half of it.
    assert yardstick(oval, CAR, 2.0, standing=True) - yardstick(oval, CAR, 2.0) == pytest.approx(0.25, abs=0.01)
    with pytest.raises(OutlapError, match="speed must be a positive number"):
        yardstick(oval, CAR, 0.0)
