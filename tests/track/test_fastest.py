"""The fastest line against laps whose best time is known, and its limits on real kinds of road."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.simulation.yardstick import limits_of
from outlap.track.check import checked_track
from outlap.track.fastest import fastest_line
from outlap.track.footing import footing
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.track.speed import Limits, fastest_speeds, lap_time
from outlap.track.track import Track
from outlap.vehicle.car import load_car

CAR = Limits(speed=2, curvature=3.3, grip=8.8, acceleration=4, deceleration=6, wheelbase=0.164, wheel_track=0.16)
WIDTH = 0.7  # m


def stadium(radius: float, straight: float) -> Track:
    """Two straights and two half circles of the centre line, counterclockwise; a circle without straights."""
    turn = np.linspace(0, np.pi, 80, endpoint=False) - np.pi / 2
    out = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    along = np.linspace(0, straight, 60, endpoint=False)[1:, None] * np.array([[1.0, 0.0]])
    lines = []
    for r in (radius, radius - WIDTH / 2, radius + WIDTH / 2):
        lower = [r * out + [straight, 0], np.array([[straight, r]]) - along] if straight else [r * out]
        upper = [-r * out, np.array([[0, -r]]) + along] if straight else [-r * out]
        lines.append(np.concatenate([*lower, *upper]))
    return checked_track("stadium", *lines)


def inside(radius: float) -> float:
    """Radius of the path whose inner rear wheel rolls along the inner border."""
    return radius - WIDTH / 2 + CAR.wheel_track / 2


@pytest.mark.parametrize("margin", [0.0, 0.1, -0.1])
def test_round_a_circle_the_inner_wheel_follows_the_inner_border(margin: float) -> None:
    line = fastest_line(stadium(1.5, 0), replace(CAR, margin=margin))
    radius = inside(1.5) + margin
    assert line.lap_time == pytest.approx(2 * np.pi * radius / CAR.speed, rel=2e-3)
    assert line.curvature == pytest.approx(1 / radius, rel=0.15)  # it feels the corners of the border's polyline
    assert line.curvature.mean() == pytest.approx(1 / radius, rel=2e-3)


@pytest.mark.parametrize("margin", [0.0, 0.05])
def test_by_the_rule_of_clean_laps_the_last_wheel_follows_the_inner_border(margin: float) -> None:
    line = fastest_line(stadium(1.5, 0), replace(CAR, margin=margin, wheels=1))
    # That is the outer front wheel, which runs furthest out.
    radius = np.sqrt((1.5 - WIDTH / 2 + margin) ** 2 - CAR.wheelbase**2) - CAR.wheel_track / 2
    assert line.lap_time == pytest.approx(2 * np.pi * radius / CAR.speed, rel=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["oval", "hairpins"])
def test_by_that_rule_a_lap_is_faster_and_clean_but_for_the_tolerance(name: str) -> None:
    track, car = load_track(name), load_car()
    one, four = (fastest_line(track, limits_of(car, 2.0, wheels=wheels)) for wheels in (1, 4))
    assert one.lap_time < 0.97 * four.lap_time
    there = footing(TrackSet([track]), 0, car, np.column_stack([one.points, one.heading]))
    assert there.clearance.max(axis=1).min() > -2e-3  # of the wheel that is left
    assert there.clearance.min() < -0.1  # the others roll where they like


@pytest.mark.slow
def test_where_the_steering_decides_several_searches_find_a_lap_both_ways() -> None:
    track, limits = load_track("coil"), limits_of(load_car(), 2.0)
    for one in (track, track.reversed()):  # one search alone found 8.8 s, and none
        assert fastest_line(one, limits).lap_time < 8.2


def test_another_number_of_wheels_is_refused() -> None:
    with pytest.raises(OutlapError, match="1 wheel on the road, or 4, not 2"):
        replace(CAR, wheels=2)


def test_round_two_straights_and_two_bends_the_lap_is_the_shortest_way() -> None:
    line = fastest_line(stadium(1.0, 4.0), CAR)
    assert line.lap_time == pytest.approx((8 + 2 * np.pi * inside(1.0)) / CAR.speed, rel=2e-3)
    assert line.length == pytest.approx(line.lap_time * CAR.speed, rel=1e-3)


def test_a_circle_too_tight_for_the_grip_is_driven_as_the_grip_lets_it() -> None:
    fast = replace(CAR, speed=10.0)
    line = fastest_line(stadium(1.5, 0), fast)
    # Time round goes with the root of the radius: the innermost circle is the fastest.
    assert line.lap_time == pytest.approx(2 * np.pi * np.sqrt(inside(1.5) / fast.grip), rel=3e-3)


def test_speeds_along_a_straight_between_slow_bends_are_those_of_even_acceleration_and_braking() -> None:
    n, step = 400, 0.01
    curvature = np.where(np.arange(n) < 100, 2.2, 0.0)
    speed = fastest_speeds(np.full(n, step), curvature, replace(CAR, speed=50, acceleration=4, deceleration=6))
    assert speed[:100] == pytest.approx(2.0, abs=0.01)
    # v² = 4 + 2·4·x up to where 4 + 2·6·(3 - x) meets it.
    assert speed.max() ** 2 == pytest.approx(4 + 2 * 4 * 3 * 6 / 10, rel=0.02)
    assert lap_time(np.full(n, step), np.full(n, 2.0)) == pytest.approx(2.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coil", "narrows"])
@pytest.mark.parametrize("speed", [2.0, 4.0])
def test_a_winding_road_keeps_all_limits(name: str, speed: float) -> None:
    track, limits = load_track(name), replace(CAR, speed=speed)
    line = fastest_line(track, limits)
    tracks = TrackSet([track])
    along = np.stack([np.cos(line.heading), np.sin(line.heading)], axis=1)
    left = np.stack([-along[:, 1], along[:, 0]], axis=1)
    for forward in (0, CAR.wheelbase):
        for side in (0.5, -0.5):
            located = tracks.locate(0, line.points + forward * along + side * CAR.wheel_track * left)
            assert np.minimum(located.left, located.right).min() > -3e-3
    assert np.abs(line.curvature).max() < CAR.curvature + 0.01
    assert line.speed.max() <= speed + 1e-9
    assert (line.speed**2 * np.abs(line.curvature)).max() < CAR.grip + 1e-6
    after = np.roll(line.speed, -1)
    length = np.hypot(*(np.roll(line.points, -1, axis=0) - line.points).T)
    push = (after**2 - line.speed**2) / (2 * length)
    assert push.max() < CAR.acceleration + 1e-6
    assert push.min() > -CAR.deceleration - 1e-6
    assert line.lap_time < float(tracks.length[0]) / line.speed.mean()
    assert line.lap_time + 0.1 < line.standing_lap_time < line.lap_time + 1.0


@pytest.mark.slow
def test_a_reversed_track_takes_the_same_time() -> None:
    track = load_track("hairpins")
    there, back = (fastest_line(one, CAR).lap_time for one in (track, track.reversed()))
    assert there == pytest.approx(back, rel=1e-3)


@pytest.mark.slow
def test_a_tighter_margin_and_a_slower_car_take_longer() -> None:
    track = load_track("oval")
    best = fastest_line(track, CAR).lap_time
    assert fastest_line(track, replace(CAR, margin=0.1)).lap_time > best
    assert fastest_line(track, replace(CAR, speed=1.0)).lap_time == pytest.approx(2 * best, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"speed": 0.0}, "speed must be a positive number, not 0"),
        ({"grip": float("nan")}, "grip must be a positive number, not nan"),
        ({"margin": float("inf")}, "margin must be a number of metres"),
    ],
)
def test_limits_that_are_none_are_refused(change: dict[str, float], words: str) -> None:
    with pytest.raises(OutlapError, match=words):
        replace(CAR, **change)


def test_a_road_without_room_is_refused() -> None:
    with pytest.raises(OutlapError, match=r"the road is 0\.700 m wide .* need 0\.760 m"):
        fastest_line(stadium(1.5, 0), replace(CAR, margin=0.3))


def test_a_road_too_winding_for_the_steering_is_refused() -> None:
    with pytest.raises(OutlapError, match=r"turns no tighter than 0\.50 1/m"):
        fastest_line(stadium(1.5, 0), replace(CAR, curvature=0.5))
