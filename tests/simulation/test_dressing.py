"""Drawn looks: always a road that can be seen, every number usable, and walls and boxes where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.simulation.dressing import LUMA, draw_looks, settle, visible
from outlap.simulation.fleet import road_bounds
from outlap.simulation.randomization import LookRanges, load_randomization
from outlap.simulation.rendering.look import BOXES, CENTRE, FLOOR, LINE, ROAD, Looks
from outlap.simulation.rendering.tile_set import FLOORS, WALLS
from outlap.track.geometry import TrackSet

N = 3000


def drawn(name: str, seed: int, n: int = N) -> Looks:
    ranges = load_randomization(name).look
    assert ranges is not None
    return draw_looks(ranges, n, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def looks() -> Looks:
    return drawn("full", 1)


def seen(looks: Looks, row: int) -> np.ndarray:
    """Grey levels in full light."""
    value = np.minimum(looks.colours[:, row] @ LUMA * looks.scalars["gain"], 255)
    return value + looks.scalars["curve"] * value * (1 - value / 255)


@pytest.mark.parametrize("name", ["mild", "full", "validation"])
def test_a_line_stands_out_from_its_road_in_any_light(name: str) -> None:
    looks = drawn(name, 2)
    assert visible(looks).mean() > 0.99
    contrast = np.abs(seen(looks, LINE) - seen(looks, ROAD))
    assert np.quantile(contrast, 0.01) > 20
    assert (contrast > 2.5 * looks.scalars["noise"]).mean() > 0.99


def test_lines_are_mostly_lighter_and_one_may_be_missing_where_something_else_shows_the_road(looks: Looks) -> None:
    brighter = seen(looks, LINE) > seen(looks, ROAD)
    assert 0.6 < brighter.mean() < 0.98
    left, right = (looks.scalars[side] > 0 for side in ("left_line", "right_line"))
    assert (left | right).all()
    alone = left != right
    assert 0.02 < alone.mean() < 0.2
    other = np.abs(seen(looks, FLOOR) - seen(looks, ROAD)) > 15
    assert (other | (looks.scalars["centre_line"] > 0))[alone].mean() > 0.99


def test_half_the_floors_are_the_roads_own_and_half_the_roads_have_no_centre_line(looks: Looks) -> None:
    same = (looks.colours[:, FLOOR] == looks.colours[:, ROAD]).all(axis=1)
    assert 0.4 < same.mean() < 0.55
    assert 0.4 < (looks.scalars["centre_line"] == 0).mean() < 0.55
    assert 0.4 < (looks.scalars["joint_cross"] == 0).mean() < 0.6


def test_every_number_is_usable(looks: Looks) -> None:
    for name in looks.scalars.dtype.names or ():
        assert np.isfinite(looks.scalars[name]).all(), name
    assert 0 <= looks.colours.min() <= looks.colours.max() <= 255
    scalars = looks.scalars
    for name in ("line_width", "centre_half", "dash_rate", "grain_scale", "wall_height", "wall_scale", "gain"):
        assert (scalars[name] > 0).all(), name
    assert 0 <= scalars["floor_tile"].min() <= scalars["floor_tile"].max() < FLOORS
    assert 0 <= scalars["wall_tile"].min() <= scalars["wall_tile"].max() < WALLS
    np.testing.assert_allclose(np.hypot(looks.boxes[..., 5], looks.boxes[..., 6]), 1, atol=1e-5)


def test_the_same_seed_draws_the_same_looks() -> None:
    one, two, other = drawn("full", 5, 50), drawn("full", 5, 50), drawn("full", 6, 50)
    for name in ("scalars", "colours", "boxes", "box_colours"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        assert (getattr(one, name) != getattr(other, name)).any()


def test_what_has_no_distribution_stays_plain() -> None:
    given = {"noise": 9, "line_width": 0.06, "road_grey": 100, "tint": {"uniform": [-20, 20]}}
    looks = draw_looks(LookRanges.model_validate(given), 20, np.random.default_rng(0))
    plain = Looks.plain(20, np.zeros(2), np.zeros(2))
    assert (looks.scalars["noise"] == 9).all() and (looks.scalars["line_width"] == np.float32(0.06)).all()
    for name in ("gain", "left_line", "centre_line", "dash_rate", "wall_height", "floor_tile", "wear", "joint"):
        np.testing.assert_array_equal(looks.scalars[name], plain.scalars[name])
    # A tint keeps how light a colour is.
    np.testing.assert_allclose(looks.colours[:, ROAD] @ LUMA, 100, atol=0.01)
    np.testing.assert_allclose(looks.colours[:, CENTRE] @ LUMA, plain.colours[:, CENTRE] @ LUMA, atol=8)  # one clips
    assert np.ptp(looks.colours[:, ROAD, 0]) > 5
    assert not looks.boxes[..., 4].any()


def test_walls_stand_round_the_track_and_boxes_clear_of_the_road(course: TrackSet) -> None:
    looks, rng = drawn("full", 3, 200), np.random.default_rng(0)
    low, high = road_bounds(course)
    track = rng.integers(0, 2, 200)
    s = rng.uniform(0, 1, 200) * course.length[track]
    before = (looks.boxes[..., 4] > 0).mean()
    settle(looks, course, track, s, low, high)
    scalars = looks.scalars
    assert (scalars["room_west"] < low[track, 0]).all() and (scalars["room_north"] > high[track, 1]).all()
    assert (scalars["room_east"] > high[track, 0]).all() and (scalars["room_south"] < low[track, 1]).all()
    there = looks.boxes[..., 4] > 0
    assert 0.3 * before < there.mean() < before  # some had no room
    places = looks.boxes[..., :2][there].astype(float)
    located = course.locate(np.repeat(track, BOXES).reshape(-1, BOXES)[there], places)
    assert np.minimum(located.left, located.right).max() < -0.39
