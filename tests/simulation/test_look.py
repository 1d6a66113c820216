"""Randomised looks: always a road that can be seen, and the same draws from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.simulation.look import BOXES, LINE, ROAD, Looks
from outlap.simulation.textures import FLOORS, SIZE, WALLS, tiles

N = 3000
LUMA = [0.299, 0.587, 0.114]


def drawn(seed: int, n: int = N, rows: np.ndarray | None = None) -> Looks:
    rows = np.arange(n) if rows is None else rows
    low, high = np.zeros((len(rows), 2)), np.full((len(rows), 2), 5.0)
    looks = Looks.plain(n, np.zeros(2), np.full(2, 5.0))
    places = np.full((len(rows), BOXES, 2), 7.0)
    places[:, 0] = np.nan
    looks.randomise(rows, low, high, places, np.random.default_rng(seed))
    return looks


@pytest.fixture(scope="module")
def looks() -> Looks:
    return drawn(1)


def test_a_line_always_stands_out_from_its_road(looks: Looks) -> None:
    road, line = (looks.colours[:, row] @ LUMA for row in (ROAD, LINE))
    contrast = np.abs(line - road)
    assert np.quantile(contrast, 0.01) > 25  # grey levels, after each was tinted
    assert contrast.min() > 10
    assert ((line > road).mean() > 0.6) and ((line < road).mean() > 0.02)
    for side in ("left_line", "right_line"):
        painted = looks.scalars[side][looks.scalars[side] > 0]
        assert 0.5 < painted.min() <= painted.max() <= 1
    assert (np.maximum(looks.scalars["left_line"], looks.scalars["right_line"]) > 0).all()


def test_light_keeps_the_contrast(looks: Looks) -> None:
    both = np.stack([looks.colours[:, row] @ LUMA for row in (ROAD, LINE)]) * looks.scalars["gain"]
    value = np.clip(both, 0, 255)
    seen = value + looks.scalars["curve"] * value * (1 - value / 255)
    assert np.quantile(np.abs(seen[0] - seen[1]), 0.01) > 12
    assert (np.sign(seen[1] - seen[0]) == np.sign(both[1] - both[0]))[np.abs(both[1] - both[0]) > 20].all()


def test_every_number_is_usable(looks: Looks) -> None:
    for name in looks.scalars.dtype.names or ():
        assert np.isfinite(looks.scalars[name]).all(), name
    assert 0 <= looks.colours.min() <= looks.colours.max() <= 255
    scalars = looks.scalars
    for name in ("line_width", "centre_half", "dash_rate", "grain_scale", "wall_height", "wall_scale", "gain"):
        assert (scalars[name] > 0).all(), name
    assert 0 <= scalars["floor_tile"].min() <= scalars["floor_tile"].max() < FLOORS
    assert 0 <= scalars["wall_tile"].min() <= scalars["wall_tile"].max() < WALLS
    assert (scalars["room_west"] < 0).all() and (scalars["room_east"] > 5).all()
    assert (scalars["room_south"] < 0).all() and (scalars["room_north"] > 5).all()
    assert np.isfinite(looks.boxes).all()
    np.testing.assert_allclose(np.hypot(looks.boxes[..., 5], looks.boxes[..., 6]), 1, atol=1e-5)


def test_boxes_stand_only_where_there_is_a_place(looks: Looks) -> None:
    assert not looks.boxes[:, 0, 4].any()
    there = looks.boxes[:, 1:, 4] > 0
    assert 0.3 < there.mean() < 0.7
    assert (looks.boxes[:, 1:, :2][there] == 7).all()


def test_the_same_seed_draws_the_same_looks() -> None:
    one, two, other = drawn(5, 50), drawn(5, 50), drawn(6, 50)
    for name in ("scalars", "colours", "boxes", "box_colours"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        assert (getattr(one, name) != getattr(other, name)).any()


def test_only_the_cars_that_start_anew_get_new_looks() -> None:
    rows = np.array([1, 3])
    looks, plain = drawn(2, 5, rows), drawn(2, 5, np.arange(0))
    for name in ("scalars", "colours"):
        same = [(getattr(looks, name)[i] == getattr(plain, name)[i]).all() for i in range(5)]
        assert same == [True, False, True, False, True]


def test_tiles_are_packed_with_their_neighbours_and_wrap() -> None:
    packed = tiles(0)
    np.testing.assert_array_equal(packed, tiles(0))
    assert packed.shape == ((FLOORS + WALLS) * SIZE * SIZE,)
    for words in packed.reshape(-1, SIZE, SIZE):
        here = words & 255
        np.testing.assert_array_equal((words >> 8) & 255, np.roll(here, -1, axis=1))
        np.testing.assert_array_equal((words >> 16) & 255, np.roll(here, -1, axis=0))
        np.testing.assert_array_equal((words >> 24) & 255, np.roll(np.roll(here, -1, axis=0), -1, axis=1))
        assert here.std() > 10
