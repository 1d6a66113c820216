"""Tiles, and looks that are copied row by row."""

from __future__ import annotations

import numpy as np

from outlap.simulation.rendering.look import Looks
from outlap.simulation.rendering.textures import tiles
from outlap.simulation.rendering.tile_set import FLOORS, SIZE, WALLS


def test_rows_are_copied_and_overwritten() -> None:
    looks, other = (Looks.plain(4, np.zeros(2), np.full(2, side)) for side in (5.0, 9.0))
    other.colours[:] = 7
    part = other.part(np.array([0, 2]))
    looks.put(np.array([1, 3]), part, slice(None))
    assert looks.scalars["room_east"].tolist() == [6.5, 10.5, 6.5, 10.5]
    assert (looks.colours[[1, 3]] == 7).all() and (looks.colours[[0, 2]] != 7).any()
    part.colours[:] = 8
    assert (other.colours == 7).all()


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
