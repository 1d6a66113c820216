"""Where cars are: against plain NumPy, at the seam, and where the road comes close to itself."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.track.check import checked_track
from outlap.track.formats import load_track
from outlap.track.generate import generate_track
from outlap.track.geometry import Located, TrackSet
from outlap.track.track import Points, Track

RADIUS = 2.0  # m, of the round track


def ring(clockwise: bool = False) -> Track:
    """A round track about the origin whose centre line is not midway between its borders."""
    angle = 2 * np.pi * np.arange(400) / 400
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    track = checked_track("ring", RADIUS * unit, 1.7 * unit, 2.5 * unit)
    return track.reversed() if clockwise else track


@pytest.fixture(scope="module")
def tracks() -> TrackSet:
    rng = np.random.default_rng(3)
    made = [generate_track(rng) for _ in range(6)]
    made += [load_track("coil"), load_track("hairpins"), load_track("narrows")]
    return TrackSet([*made, *(track.reversed() for track in made)])


def on_road(tracks: TrackSet, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, Points]:
    """Random cars on the road: track, progress and place."""
    rng = np.random.default_rng(seed)
    index = rng.integers(0, len(tracks.tracks), n)
    s = rng.uniform(0, 1, n) * tracks.length[index]
    left, right = tracks.border(index, s)
    share = rng.uniform(0.02, 0.98, n)[:, None]
    return index, s, share * left + (1 - share) * right


def apart(a: np.ndarray, b: np.ndarray, length: np.ndarray) -> np.ndarray:
    """How far apart two places are along the lap, the shorter way."""
    return np.abs((a - b + length / 2) % length - length / 2)


def border_distance(place: Points, line: Points) -> float:
    a, b = line, np.roll(line, -1, axis=0)
    edge = b - a
    t = np.clip(((place - a) * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-12), 0, 1)
    return float(np.linalg.norm(place - a - t[:, None] * edge, axis=1).min())


def fields(located: Located) -> np.ndarray:
    return np.stack([getattr(located, name) for name in ("s", "offset", "heading", "curvature", "left", "right")])


@pytest.mark.parametrize("clockwise", [False, True])
def test_on_a_ring_everything_is_known(clockwise: bool) -> None:
    cars = TrackSet([ring(clockwise)])
    assert cars.length[0] == pytest.approx(2 * np.pi * RADIUS, rel=1e-4)
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, 200), rng.uniform(1.5, 2.7, 200)
    xy = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    located = cars.locate(0, xy)
    way = -1 if clockwise else 1
    np.testing.assert_allclose(apart(located.s, way * angle * RADIUS, cars.length[0]), 0, atol=2e-3)
    np.testing.assert_allclose(located.offset, way * (RADIUS - radius), atol=2e-3)
    heading = angle + way * np.pi / 2
    np.testing.assert_allclose(np.cos(located.heading - heading), 1, atol=1e-5)
    assert (np.abs(located.heading) <= np.pi).all()
    np.testing.assert_allclose(located.curvature, way / RADIUS, atol=1e-3)
    inner, outer = (located.right, located.left) if clockwise else (located.left, located.right)
    np.testing.assert_allclose(inner, radius - 1.7, atol=1e-3)
    np.testing.assert_allclose(outer, 2.5 - radius, atol=1e-3)
    np.testing.assert_array_equal(located.on_road, (radius > 1.7) & (radius < 2.5))


def test_pose_and_locate_undo_each_other(tracks: TrackSet) -> None:
    rng = np.random.default_rng(1)
    n = 3000
    index = rng.integers(0, len(tracks.tracks), n)
    s = rng.uniform(0, 1, n) * tracks.length[index]
    offset = rng.uniform(-0.25, 0.25, n)
    xy, heading = tracks.pose(index, s, offset)
    located = tracks.locate(index, xy, s + rng.uniform(-0.6, 0.6, n))
    assert apart(located.s, s, tracks.length[index]).max() < 1e-3
    np.testing.assert_allclose(located.offset, offset, atol=1e-3)
    np.testing.assert_allclose(np.cos(located.heading - heading), 1, atol=1e-5)


def test_border_distances_are_exact_on_the_road(tracks: TrackSet) -> None:
    index, s, xy = on_road(tracks, 1500, seed=2)
    located = tracks.locate(index, xy, s)
    assert located.on_road.all()
    for i in range(len(xy)):
        track = tracks.tracks[index[i]]
        assert located.left[i] == pytest.approx(border_distance(xy[i], track.left), abs=1e-9)
        assert located.right[i] == pytest.approx(border_distance(xy[i], track.right), abs=1e-9)


def test_beyond_a_border_its_distance_is_negative(tracks: TrackSet) -> None:
    rng = np.random.default_rng(4)
    index = rng.integers(0, len(tracks.tracks), 2000)
    s = rng.uniform(0, 1, 2000) * tracks.length[index]
    left, right = tracks.border(index, s)
    across = (left - right) / np.linalg.norm(left - right, axis=1)[:, None]
    # 6 cm beyond is less than half of the 15 cm that no two parts of a road come closer than.
    for xy, beyond, other in ((left + 0.06 * across, "left", "right"), (right - 0.06 * across, "right", "left")):
        located = tracks.locate(index, xy, s)
        distance = getattr(located, beyond)
        assert (distance < 0).all() and (distance > -0.061).all()
        assert (getattr(located, other) > 0.3).all()
        assert not located.on_road.any()


def test_middle_is_as_far_from_one_border_as_from_the_other(tracks: TrackSet) -> None:
    index, s, _ = on_road(tracks, 1000, seed=5)
    middle, half_width = tracks.middle(index, s)
    left, right = tracks.border(index, s)
    np.testing.assert_allclose(middle, 0.5 * (left + right), atol=1e-12)
    located = tracks.locate(index, middle, s)
    np.testing.assert_allclose(located.left, located.right, atol=0.06)
    np.testing.assert_allclose(np.minimum(located.left, located.right), half_width, atol=0.05)
    off_centre = TrackSet([ring()])
    middle, half_width = off_centre.middle(0, np.arange(0, 12, 0.1))
    np.testing.assert_allclose(np.linalg.norm(middle, axis=1), 2.1, atol=1e-3)
    np.testing.assert_allclose(half_width, 0.4, atol=1e-3)


def test_across_the_seam_progress_goes_on_and_nothing_jumps(tracks: TrackSet) -> None:
    for i, length in enumerate(tracks.length):
        s = np.linspace(length - 0.2, length + 0.2, 81)
        xy, heading = tracks.pose(i, s, 0.1)
        hint = np.concatenate([[s[0]], s[:-1]]) % length
        located = tracks.locate(i, xy, hint)
        assert (located.s >= 0).all() and (located.s < length).all()
        step = (np.diff(located.s) + length / 2) % length - length / 2
        np.testing.assert_allclose(step, 0.005, atol=2e-3)
        assert np.abs(np.diff(located.offset)).max() < 2e-3
        assert np.abs(np.diff(np.unwrap(located.heading))).max() < 0.05
        assert np.abs(np.diff(located.curvature)).max() < 0.1
        assert np.abs(np.diff(located.left)).max() < 6e-3
        np.testing.assert_allclose(np.cos(heading - located.heading), 1, atol=1e-4)


def test_hints_wrap_and_may_lie_on_the_other_side_of_the_seam(tracks: TrackSet) -> None:
    for i, length in enumerate(tracks.length):
        for s, hint in ((length - 0.01, 0.3), (0.01, length - 0.3), (0.01, -0.4), (0.02, 3 * length + 0.2)):
            xy, _ = tracks.pose(i, s)
            assert apart(tracks.locate(i, xy, hint).s, np.array(s), length)[0] < 1e-3


def test_progress_wraps_in_poses(tracks: TrackSet) -> None:
    s = np.linspace(0, 5, 50)
    for shift in (-2, -1, 1, 7):
        for got, expected in zip(
            tracks.pose(2, s + shift * tracks.length[2], 0.2), tracks.pose(2, s, 0.2), strict=True
        ):
            np.testing.assert_allclose(got, expected, atol=1e-9)


def test_where_the_road_comes_close_to_itself_the_hint_decides() -> None:
    coil = TrackSet([load_track("coil")])
    length = coil.length[0]
    s = np.arange(0, length, 0.02)
    center, _ = coil.pose(0, s)
    # Two places that lie across from each other on neighbouring parts of the road.
    gap = np.linalg.norm(center[:, None] - center[None], axis=-1)
    gap[apart(s[:, None], s[None], np.array(length)) < 3.0] = np.inf
    i, j = np.unravel_index(gap.argmin(), gap.shape)
    assert gap[i, j] < 0.9
    # Off the road of the one and 2 cm towards the other from the middle between them.
    place = 0.5 * (center[i] + center[j]) + 0.02 * (center[j] - center[i]) / gap[i, j]
    for own in (s[i], s[j]):
        located = coil.locate(0, place, own + 0.5)
        assert apart(located.s, np.array(own), length)[0] < 0.1
        assert not located.on_road[0]
    assert apart(coil.locate(0, place).s, s[j], length)[0] < 0.1
    # On the road of the one, 3 cm from its border: the road of the other, 19 cm away, does not count.
    beside = center[i] + 0.32 * (center[j] - center[i]) / gap[i, j]
    located = coil.locate(0, beside, s[i])
    assert located.on_road[0]
    assert min(located.left[0], located.right[0]) == pytest.approx(0.03, abs=2e-3)


def test_a_drive_round_every_lap_never_loses_its_place(tracks: TrackSet) -> None:
    n = len(tracks.tracks)
    index = np.arange(n)
    s, offset = np.zeros(n), np.zeros(n)
    rng = np.random.default_rng(6)
    last = tracks.locate(index, tracks.pose(index, s)[0]).s
    travelled = np.zeros(n)
    for _ in range(1500):
        s = s + 0.05
        offset = np.clip(offset + rng.uniform(-0.03, 0.03, n), -0.2, 0.2)
        now = tracks.locate(index, tracks.pose(index, s, offset)[0], last).s
        travelled += (now - last + tracks.length / 2) % tracks.length - tracks.length / 2
        last = now
    np.testing.assert_allclose(travelled, 75.0, atol=0.01)


def test_with_and_without_hints_agree_on_the_road_of_tracks_with_room(tracks: TrackSet) -> None:
    index, s, _ = on_road(tracks, 800, seed=7)
    xy, _ = tracks.pose(index, s, 0.05)
    hinted, free = tracks.locate(index, xy, s), tracks.locate(index, xy)
    np.testing.assert_allclose(fields(hinted), fields(free), atol=1e-9)
    some = np.where(np.arange(800) % 2 == 0, s, np.nan)
    np.testing.assert_allclose(fields(tracks.locate(index, xy, some)), fields(free), atol=1e-9)


def test_a_set_locates_as_each_of_its_tracks_alone(tracks: TrackSet) -> None:
    index, s, xy = on_road(tracks, 400, seed=8)
    together = fields(tracks.locate(index, xy, s))
    for i, track in enumerate(tracks.tracks):
        alone = fields(TrackSet([track]).locate(0, xy[index == i], s[index == i]))
        np.testing.assert_array_equal(together[:, index == i], alone)


def test_reversed_tracks_mirror_what_is_found(tracks: TrackSet) -> None:
    half = len(tracks.tracks) // 2
    index, s, xy = on_road(tracks, 500, seed=9)
    there, back = tracks.locate(index % half, xy), tracks.locate(index % half + half, xy)
    length = tracks.length[index]
    keep = apart(there.s, s, length) < 0.5
    np.testing.assert_allclose(apart(there.s, -back.s, length)[keep], 0, atol=0.03)
    np.testing.assert_allclose(there.offset[keep], -back.offset[keep], atol=5e-3)
    np.testing.assert_allclose(there.left[keep], back.right[keep], atol=1e-9)
    assert np.abs(there.curvature + back.curvature)[keep].max() < 0.3


def test_odd_calls() -> None:
    cars = TrackSet([ring()])
    lost = fields(cars.locate(0, [[np.nan, 0.0], [np.inf, 1.0], [2.0, 0.0]]))
    assert np.isnan(lost[:, :2]).all() and np.isfinite(lost[:, 2]).all()
    assert not cars.locate(0, [[np.nan, 0.0]]).on_road[0]
    assert fields(cars.locate(0, np.zeros((0, 2)))).shape == (6, 0)
    assert np.isfinite(fields(cars.locate(0, [[0.0, 0.0], [1e6, -1e6]]))).all()
    assert cars.pose(0, 1.0)[0].shape == (1, 2)
    for index in (-1, 1):
        with pytest.raises(IndexError):
            cars.locate(index, [[0.0, 0.0]])
        with pytest.raises(IndexError):
            cars.pose(index, 0.0)
    with pytest.raises(ValueError):
        TrackSet([])
