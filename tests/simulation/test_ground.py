"""The ground maps against distances to every segment of a track's lines."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from slow_renderer import distance_to_line, inside, road_distance

from outlap.simulation.rendering.ground import DISTANCE_UNIT, GRADIENT_UNIT, LAP_UNITS, MARGIN, GroundMaps, bounds
from outlap.track.formats import load_track
from outlap.track.generate import generate_track
from outlap.track.geometry import TrackSet
from outlap.track.track import Track

Floats = NDArray[np.float64]
NEAR = 0.06  # m from a line, where paint may be


@pytest.fixture(scope="module")
def tracks() -> list[Track]:
    coil, hairpins = load_track("coil"), load_track("hairpins")  # whose road comes close to itself
    return [generate_track(np.random.default_rng(5)), coil, hairpins, hairpins.reversed()]


@pytest.fixture(scope="module")
def maps(tracks: list[Track]) -> GroundMaps:
    return GroundMaps.of(tracks)


def sampled(maps: GroundMaps, k: int, places: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Distance to the road's edge, its gradient (n, 2), offset, its gradient, and progress in m, at places (n, 2)."""
    corner, per_m, last = maps.frame[k, :2], maps.frame[k, 2], maps.frame[k, 3:].astype(int)
    texel = np.clip(np.floor((places - corner) * per_m).astype(int), 0, last)
    away = places - corner - (texel + 0.5) / per_m
    at = maps.start[k] + texel[:, 1] * (last[0] + 1) + texel[:, 0]

    def unpacked(words: NDArray[np.int32]) -> tuple[Floats, Floats]:
        gradient = np.stack([(words >> 8).astype(np.int8), words.astype(np.int8)], axis=1) * GRADIENT_UNIT
        return (words >> 16) * DISTANCE_UNIT + (gradient * away).sum(axis=1), gradient

    edge, edge_gradient = unpacked(maps.edge[at])
    offset, centre_gradient = unpacked(maps.centre[at])
    forward = np.stack([centre_gradient[:, 1], -centre_gradient[:, 0]], axis=1)  # the offset grows to the left
    along = maps.along[at] * maps.lap[k] / LAP_UNITS + (forward * away).sum(axis=1)
    return edge, edge_gradient, offset, centre_gradient, along


def beside(line: Floats, n: int, reach: float, rng: np.random.Generator) -> Floats:
    """Random places within ``reach`` of a closed line, in both axes."""
    row, part = rng.integers(0, len(line), n), rng.random((n, 1))
    on_line = line[row] + part * (line[(row + 1) % len(line)] - line[row])
    return on_line + rng.uniform(-reach, reach, (n, 2)) / np.sqrt(2)


@pytest.mark.slow
@pytest.mark.parametrize("k", range(4))
def test_distance_to_the_roads_edge_is_right_within_3_mm(tracks: list[Track], maps: GroundMaps, k: int) -> None:
    track, rng = tracks[k], np.random.default_rng(k)
    places = np.concatenate([beside(line, 1500, NEAR, rng) for line in (track.left, track.right)])
    true, _ = road_distance(track, places)
    edge, gradient, *_ = sampled(maps, k, places)
    # Where the middle between two lines falls into a texel, distance has a crease that no plane follows.
    one, other = (distance_to_line(places, line)[0] for line in (track.left, track.right))
    clear = np.abs(one - other) > 0.06
    wrong = np.abs(edge - true)[clear]
    assert clear.mean() > 0.9
    assert np.quantile(wrong, 0.99) < 3e-3
    assert np.median(wrong) < 0.2e-3
    assert wrong.max() < 0.012  # within a texel of a kink
    step = 1e-4
    for axis in range(2):
        ahead = places.copy()
        ahead[:, axis] += step
        slope = (road_distance(track, ahead)[0] - true) / step
        assert np.median(np.abs(slope - gradient[:, axis])[clear]) < 0.01


@pytest.mark.parametrize("k", range(4))
def test_offset_and_progress_are_right_beside_the_centre_line(tracks: list[Track], maps: GroundMaps, k: int) -> None:
    track, rng = tracks[k], np.random.default_rng(10 + k)
    seam = track.center[0] + rng.uniform(-0.06, 0.06, (400, 2))
    places = np.concatenate([beside(track.center, 1500, NEAR, rng), seam])
    off, s = distance_to_line(places, track.center)
    *_, offset, _, along = sampled(maps, k, places)
    side = inside(places, track.center) == _anticlockwise(track)
    wrong = np.abs(offset - np.where(side, off, -off))
    assert np.quantile(wrong, 0.99) < 3e-3
    assert wrong.max() < 0.012
    lap = float(maps.lap[k])
    assert lap == pytest.approx(np.hypot(*(np.roll(track.center, -1, axis=0) - track.center).T).sum(), rel=1e-5)
    apart = np.abs((along - s + lap / 2) % lap - lap / 2)
    # Progress turns faster than the place does on the inner side of a bend, so a dash may be a little crooked there.
    assert np.quantile(apart, 0.98) < 0.01
    assert np.quantile(apart[-400:], 0.98) < 0.01


def test_the_road_is_positive_everywhere_and_only_there(tracks: list[Track], maps: GroundMaps) -> None:
    rng = np.random.default_rng(20)
    for k, track in enumerate(tracks):
        low, high = bounds(track)
        places = rng.uniform(low - 1, high + 1, (4000, 2))
        edge, *_ = sampled(maps, k, places)
        true, _ = road_distance(track, places)
        sure = np.abs(true) > 5e-3
        np.testing.assert_array_equal(edge[sure] > 0, true[sure] > 0)
        far = true < -MARGIN - 0.06
        assert far.any()
        np.testing.assert_allclose(edge[far], -MARGIN, atol=1e-3)


def test_left_of_the_road_is_positive_in_either_direction(tracks: list[Track], maps: GroundMaps) -> None:
    cars = TrackSet(tracks)
    for k in range(len(tracks)):
        s = np.linspace(0, cars.length[k], 50, endpoint=False)
        for side in (0.1, -0.1):
            places, _ = cars.pose(k, s, side)
            *_, offset, _, along = sampled(maps, k, places)
            np.testing.assert_allclose(offset, side, atol=0.02)
            apart = np.abs((along - s + cars.length[k] / 2) % cars.length[k] - cars.length[k] / 2)
            assert np.median(apart) < 0.05


def test_a_line_through_the_middles_of_texels_is_drawn_as_any_other() -> None:
    corners = np.array([[0, 0], [2.4, 0], [2.4, 1.6], [0, 1.6]])  # with the borders below, on texel centres

    def square(grown: float) -> Floats:
        return corners + grown * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])

    track = Track("square", square(0), square(-0.4), square(0.37))
    maps = GroundMaps.of([track])
    for line in (track.left, track.right, track.center):
        places = beside(line, 2000, NEAR, np.random.default_rng(1))
        edge, _, offset, *_ = sampled(maps, 0, places)
        off, _ = distance_to_line(places, line)
        if line is track.center:
            wrong = offset - np.where(inside(places, line), off, -off)
        else:
            wrong = edge - road_distance(track, places)[0]
        assert np.quantile(np.abs(wrong), 0.95) < 1e-3  # the rest lies at the corners


def test_width_is_the_roads(ring: Track) -> None:
    maps = GroundMaps.of([ring])
    assert maps.width[0] == pytest.approx(0.8, rel=0.02)


def _anticlockwise(track: Track) -> bool:
    x, y = track.center.T
    return bool((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() > 0)
