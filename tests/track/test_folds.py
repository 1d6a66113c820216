"""Roads whose inner border folds: their width, their own borders, and the fastest line round them."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from folded import COMB, L_SHAPE, WIDTH, folded

from outlap.errors import OutlapError
from outlap.simulation.yardstick import limits_of
from outlap.track.check import checked_track
from outlap.track.fastest import FastestLine, fastest_line
from outlap.track.footing import footing
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.track.measure import measure
from outlap.track.path import resampled
from outlap.track.polyline import arc_lengths, distinct_rows, first_crossing
from outlap.track.track import Points, Track
from outlap.track.wheels import Wheels
from outlap.vehicle.car import load_car

CAR = load_car()
SHAPES = {"L": L_SHAPE, "comb": COMB}


@pytest.fixture(params=[(name, uneven, back) for name in SHAPES for uneven in (False, True) for back in (False, True)])
def track(request: pytest.FixtureRequest) -> Track:
    name, uneven, back = request.param
    made = folded(SHAPES[name], uneven)
    return made.reversed() if back else made


def samples(tracks: TrackSet) -> np.ndarray:
    """Progress m at the samples of the one track: between them all is interpolated."""
    count = len(tracks._samples)
    return np.arange(count) * tracks.length[0] / count


def along(border: Points, places: Points) -> np.ndarray:
    """Where on a closed border places are, m."""
    border = border[distinct_rows(border)]
    edge = np.roll(border, -1, axis=0) - border
    length = np.hypot(*edge.T)
    start = np.concatenate([[0], np.cumsum(length)[:-1]])
    t = np.clip(np.sum((places[:, None] - border) * edge, axis=2) / length**2, 0, 1)
    away = np.linalg.norm(places[:, None] - border - t[..., None] * edge, axis=2)
    at = away.argmin(axis=1)
    assert away.min(axis=1).max() < 1e-9
    return start[at] + t[np.arange(len(at)), at] * length[at]


def test_the_road_is_as_wide_as_it_is_everywhere(track: Track) -> None:
    figures = measure(track)
    assert figures.greatest_width < 1.2 * WIDTH  # round the corner of a fold it is a little more
    assert figures.least_width > WIDTH - 0.02
    assert figures.mean_width == pytest.approx(WIDTH, abs=0.01)


def test_the_borders_beside_the_road_go_on_as_it_does(track: Track) -> None:
    tracks = TrackSet([track])
    for border, places in zip((track.left, track.right), tracks.border(0, samples(tracks)), strict=True):
        total = arc_lengths(border)[-1]
        step = (np.diff(along(border, places)) + total / 2) % total - total / 2
        assert step.min() > -1e-6
        assert step.max() < 0.3  # into another leg it would be metres


def test_wheels_are_on_the_road_between_its_borders_and_nowhere_else(track: Track) -> None:
    tracks = TrackSet([track])
    rng = np.random.default_rng(0)
    s = rng.uniform(0, tracks.length[0], 4000)
    left, right = tracks.border(0, s)
    share = rng.uniform(-0.15, 1.15, (len(s), 1))
    places = share * left + (1 - share) * right
    rings = [shapely.LinearRing(border) for border in (track.left, track.right)]
    points = shapely.points(places)
    distance = np.min([shapely.distance(points, ring) for ring in rings], axis=0)
    road = shapely.Polygon(rings[0]).symmetric_difference(shapely.Polygon(rings[1]))
    inside = np.asarray(shapely.contains(road, points))
    clearance = np.where(inside, distance, -distance)
    for hint in (s, None):
        there = tracks.locate(0, places, hint)
        found = np.minimum(there.left, there.right)
        np.testing.assert_allclose(found[clearance > 0], clearance[clearance > 0], atol=1e-9)
        assert (found[clearance < -1e-9] < 0).all()


def test_the_middle_of_the_road_lies_on_it(track: Track) -> None:
    tracks = TrackSet([track])
    s = np.arange(0, tracks.length[0], 0.05)
    middle, half = tracks.middle(0, s)
    there = tracks.locate(0, middle, s)
    # Where the inner border is a corner, the middle of what lies beside may be nearer to the one than to the other.
    assert np.minimum(there.left, there.right).min() > 0.85 * WIDTH / 2
    assert half.max() < 0.6 * WIDTH


def test_a_road_without_folds_is_measured_along_its_normals() -> None:
    for name in ("oval", "hairpins", "coil"):
        one = TrackSet([load_track(name)])
        s = samples(one)
        centre, heading = one.pose(0, s)
        normal = np.stack([-np.sin(heading), np.cos(heading)], axis=1)
        for side, places in zip((1, -1), one.border(0, s), strict=True):
            across = places - centre
            assert np.abs(np.sum(across * np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=1)).max() < 1e-9
            assert (side * np.sum(across * normal, axis=1)).min() > 0


def test_a_border_wholly_without_sound_normals_is_still_found() -> None:
    # A star of a centre line: its normals cross at once, nearly everywhere, and the inner border is one small square.
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    wavy = (1.0 + 0.25 * np.cos(5 * angle))[:, None] * unit
    one = TrackSet([checked_track("star", wavy, 0.3 * unit, 2.0 * unit)])
    s = np.arange(0, one.length[0], 0.05)
    middle, half = one.middle(0, s)
    assert np.isfinite(middle).all()
    assert half.max() < 0.9  # 0.85 across, were it round
    assert half.min() > 0.3


def closed_turns(line: FastestLine) -> float:
    turn = np.diff(np.append(line.heading, line.heading[0]))
    return float(((turn + np.pi) % (2 * np.pi) - np.pi).sum() / (2 * np.pi))


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("wheels", [1, 4])
def test_the_fastest_line_does_not_depend_on_its_nodes_or_the_direction(name: str, wheels: int) -> None:
    track, limits = folded(SHAPES[name]), limits_of(CAR, 2.0, wheels=wheels)
    lines = [fastest_line(track, limits, spacing) for spacing in (0.1, 0.06, 0.03)]
    back = fastest_line(track.reversed(), limits)
    for line in (*lines, back):
        points = np.ascontiguousarray(line.points)
        assert first_crossing(points, points, True) == (-1, -1)
        assert abs(closed_turns(line)) == pytest.approx(1)
        assert line.lap_time == pytest.approx(lines[1].lap_time, rel=1e-3)
        assert line.length < 0.97 * float(TrackSet([track]).length[0])


@pytest.mark.slow
@pytest.mark.parametrize("wheels", [1, 4])
def test_between_the_nodes_the_wheels_keep_to_the_road_as_well(wheels: int) -> None:
    track = folded(COMB)
    line = fastest_line(track, limits_of(CAR, 2.0, wheels=wheels))
    count = 8 * len(line.s)
    points, between = resampled(line.points, count)
    ahead = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    heading = np.arctan2(ahead[:, 1], ahead[:, 0])
    near = line.progress[between.astype(int) % len(line.s)]
    clearance = footing(TrackSet([track]), 0, CAR, np.column_stack([points, heading]), near).clearance
    kept = clearance.max(axis=1) if wheels == 1 else clearance.min(axis=1)
    # Was up to 2 cm. 1 cm between places: at a right-angled corner 0.35 of that may be cut.
    assert kept.min() > -5e-3


def test_a_line_with_a_full_circle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    track = load_track("oval")
    middle = Wheels.middle_of_the_road

    def with_a_circle(wheels: Wheels, spacing: float) -> tuple[Points, np.ndarray]:
        points, s = middle(wheels, spacing)
        onward = points[1] - points[0]
        onward /= np.hypot(*onward)
        left = np.array([-onward[1], onward[0]])
        angle = np.linspace(0, 2 * np.pi, 24)[1:, None]
        circle = points[0] + 0.3 * (np.sin(angle) * onward + (1 - np.cos(angle)) * left)
        return np.concatenate([points[:1], circle, points[1:]]), np.concatenate([s[:1], np.full(23, s[0]), s[1:]])

    monkeypatch.setattr(Wheels, "middle_of_the_road", with_a_circle)
    with pytest.raises(OutlapError, match="turns round 2 times in a lap and the track 1"):
        fastest_line(track, limits_of(CAR, 2.0))
