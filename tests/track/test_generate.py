"""Generated tracks are closed, smooth, as long and wide as asked, and nowhere touch themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.track.check import checked_track
from outlap.track.generate import GAP, INNER_RADIUS, generate_track
from outlap.track.geometry import TrackSet
from outlap.track.measure import measure
from outlap.track.polyline import arc_lengths, signed_area
from outlap.track.track import Points, Track

SOME = 60


@pytest.fixture(scope="module")
def some() -> list[Track]:
    rng = np.random.default_rng(0)
    return [generate_track(rng) for _ in range(SOME)]


def distances(points: Points, line: Points) -> np.ndarray:
    """Distance of each point to each segment of a closed line, (N, M) m; plain NumPy, to check the kernels against."""
    a, b = line[None], np.roll(line, -1, axis=0)[None]
    edge = b - a
    t = np.clip(((points[:, None] - a) * edge).sum(-1) / (edge**2).sum(-1), 0, 1)
    return np.linalg.norm(points[:, None] - a - t[..., None] * edge, axis=-1)


def test_every_track_passes_the_checks_that_a_file_must_pass(some: list[Track]) -> None:
    for track in some:
        checked = checked_track("again", track.center, track.left, track.right)
        np.testing.assert_array_equal(checked.left, track.left)


@pytest.mark.slow
def test_the_road_keeps_clear_of_itself(some: list[Track]) -> None:
    for track in some:
        arc = arc_lengths(track.center)
        width = np.linalg.norm(track.left - track.right, axis=1)
        for border in (track.left, track.right):
            for other in (track.left, track.right):
                gap = distances(border, other)
                along = np.abs(arc[:-1, None] - arc[None, :-1])
                along = np.minimum(along, arc[-1] - along)
                # Of one bend, opposite ends may be near each other: beyond its half circle nothing may.
                elsewhere = along > 0.5 * np.pi * (width.max() + GAP) + 0.2
                assert gap[elsewhere].min() > GAP - 0.02


def test_no_bend_is_too_sharp_for_its_road_and_no_heading_jumps(some: list[Track]) -> None:
    for track in some:
        step = np.roll(track.center, -1, axis=0) - track.center
        heading = np.arctan2(step[:, 1], step[:, 0])
        turn = (np.roll(heading, -1) - heading + np.pi) % (2 * np.pi) - np.pi
        radius = np.linalg.norm(step, axis=1) / np.maximum(np.abs(turn), 1e-9)
        half = 0.5 * np.linalg.norm(track.left - track.right, axis=1)
        assert (radius > 0.9 * (half + INNER_RADIUS)).all()
        for border in (track.left, track.right):
            along = ((np.roll(border, -1, axis=0) - border) * step).sum(axis=1)
            assert (along > 0).all()  # no fold


def test_as_asked() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        track = generate_track(rng, length=25.0, width=0.8, min_radius=0.7, tightness=0.5, width_variation=0.0)
        figures = measure(track)
        assert figures.length == pytest.approx(25.0, rel=2e-3)
        assert figures.mean_width == pytest.approx(0.8, abs=0.01)
        assert figures.greatest_width - figures.least_width < 0.03
        assert figures.tightest_radius > 0.68


def test_the_same_seed_makes_the_same_track_and_another_another() -> None:
    first, again, other = (generate_track(np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.left, again.left)
    assert first.center.shape != other.center.shape or not np.array_equal(first.center, other.center)


def test_they_are_as_varied_as_real_tracks(some: list[Track]) -> None:
    figures = [measure(track) for track in some]
    lengths = np.array([f.length for f in figures])
    widths = np.array([f.mean_width for f in figures])
    inner = np.array([f.tightest_radius - f.mean_width / 2 for f in figures])
    assert lengths.min() < 17 and lengths.max() > 60
    assert widths.min() < 0.62 and widths.max() > 1.3
    assert (inner < 0.3).mean() > 0.25 and (inner > 0.5).mean() > 0.1
    straight = np.array([f.straight for f in figures])
    assert straight.min() < 0.2 and straight.max() > 0.5
    assert 0.2 < np.mean([f.counterclockwise for f in figures]) < 0.8


def test_tighter_tracks_turn_more() -> None:
    def turning(tightness: float) -> float:
        rng = np.random.default_rng(1)
        tracks = [generate_track(rng, length=30.0, width=0.7, tightness=tightness) for _ in range(20)]
        cars = TrackSet(tracks)
        index = np.repeat(np.arange(20), 600)
        s = np.tile(np.arange(600) * 0.05, 20)
        return float(np.abs(cars.locate(index, cars.pose(index, s)[0], s).curvature).mean())

    assert turning(1.0) > 1.5 * turning(0.0)


def test_a_lap_starts_on_its_straightest_stretch(some: list[Track]) -> None:
    for i, track in enumerate(some[:20]):
        cars = TrackSet([track])
        s = np.arange(0.0, cars.length[0], 0.05)
        bend = np.abs(cars.locate(0, cars.pose(0, s)[0], s).curvature)
        assert bend[0] <= np.quantile(bend, 0.5) + 0.05, i


def test_sides_are_on_their_sides(some: list[Track]) -> None:
    for track in some:
        # Driven counterclockwise, the left border is the inner one.
        assert (abs(signed_area(track.left)) < abs(signed_area(track.right))) == (signed_area(track.center) > 0)


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"length": 3.0, "width": 1.0}, "at least 3.5 m long, not 3 m"),
        ({"length": -1.0}, "length must be between"),
        ({"length": float("nan")}, "length must be between"),
        ({"length": 20.0, "width": 0.0}, "width must be between"),
        ({"tightness": 1.5}, "tightness must be between"),
        ({"length": 20.0, "min_radius": 5.0}, "at least 31.4 m long"),
    ],
)
def test_impossible_wishes_are_refused(wish: dict[str, Any], says: str) -> None:
    with pytest.raises(OutlapError) as refusal:
        generate_track(np.random.default_rng(0), **wish)
    assert says in str(refusal.value)
