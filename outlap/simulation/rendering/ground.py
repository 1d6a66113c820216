"""Ground maps: per track a grid of distances to the road's lines, from which the renderer draws any look sharply.

A texel holds the signed distance to the road's edge (positive on the road) and the signed offset from the centre line,
each with its gradient, and the place along the lap. A distance field is nearly linear within a texel, so first order
around the texel's centre is exact to about r²κ/8 (0.7 mm at 4 cm texels and 3.5 1/m), and one small map serves every
colour, line width and dash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numba import float32 as f4
from numba import int32 as i4
from numpy.typing import NDArray

from outlap.simulation.rendering.compiling import part
from outlap.track.polyline import signed_area
from outlap.track.track import Track

TEXEL = 0.04  # m
MARGIN = 0.45  # m of distances drawn beyond the border; further out everything is surroundings
NOWHERE = 4.0  # m, offset from the centre line where none is near
DISTANCE_UNIT = 1 / 4096  # m, of the packed 16-bit distances: +-8 m
GRADIENT_UNIT = 1 / 127  # of the packed 8-bit gradients
LAP_UNITS = 65536  # of the packed 16-bit place along the lap, which wraps where the lap does

Grid = NDArray[np.float64]


@dataclass(frozen=True)
class GroundMaps:
    """The maps of several tracks, one after the other in flat arrays; row k of ``frame`` describes track k's grid."""

    edge: NDArray[np.int32]  # distance (high 16 bits), gradient x, gradient y (8 bits each)
    centre: NDArray[np.int32]  # offset from the centre line, left positive, packed likewise
    along: NDArray[np.uint16]  # place along the lap, LAP_UNITS a lap
    start: NDArray[np.int64]  # (T,) first texel of each track
    frame: NDArray[np.float32]  # (T, 5) x, y of the grid's corner in m, texels per m, last column, last row
    lap: NDArray[np.float32]  # (T,) length of the lap, m
    width: NDArray[np.float32]  # (T,) mean width of the road, m

    @classmethod
    def of(cls, tracks: Sequence[Track]) -> GroundMaps:
        """Draw the maps of ``tracks``."""
        maps = [_draw(track) for track in tracks]
        sizes = [edge.size for edge, *_ in maps]
        return cls(
            edge=np.concatenate([m[0] for m in maps]),
            centre=np.concatenate([m[1] for m in maps]),
            along=np.concatenate([m[2] for m in maps]),
            start=np.cumsum([0, *sizes[:-1]]).astype(np.int64),
            frame=np.stack([m[3] for m in maps]),
            lap=np.array([m[4] for m in maps], dtype=np.float32),
            width=np.array([abs(signed_area(t.left) - signed_area(t.right)) for t in tracks], dtype=np.float32)
            / np.array([m[4] for m in maps], dtype=np.float32),
        )


@part
def packed_distance(word, x, y):
    """The distance (m) that a packed word gives beside its texel's middle, and its gradient x, y in GRADIENT_UNITs.

    ``x`` and ``y`` are the way from the middle, in m times GRADIENT_UNIT.
    """
    gx, gy = f4(i4(word << 16) >> 24), f4(i4(word << 24) >> 24)
    return f4(i4(word) >> 16) * f4(DISTANCE_UNIT) + gx * x + gy * y, gx, gy


def bounds(track: Track) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest x, y of the road, m, each of shape (2,)."""
    points = np.concatenate([track.center, track.left, track.right])
    return points.min(axis=0), points.max(axis=0)


def _draw(track: Track) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint16], NDArray[np.float32], float]:
    low, high = bounds(track)
    corner = low - MARGIN - TEXEL
    columns, rows = np.ceil((high - low + 2 * (MARGIN + TEXEL)) / TEXEL).astype(int)
    sides = [np.linalg.norm(border - track.center, axis=1).max() for border in (track.left, track.right)]
    reach = max(MARGIN, max(sides) + 0.1)
    edges = _empty(rows, columns)
    _splat(track.left, -1.0, corner, TEXEL, reach, edges)
    _splat(track.right, 1.0, corner, TEXEL, reach, edges)
    centre = _empty(rows, columns)
    lap = _splat(track.center, 1.0, corner, TEXEL, reach, centre)
    edge, edge_x, edge_y, _ = _field(edges, -MARGIN)
    beyond = edge < -MARGIN
    offset, offset_x, offset_y, along = _field(centre, NOWHERE)
    frame = np.array([*corner, 1 / TEXEL, columns - 1, rows - 1], dtype=np.float32)
    return (
        _pack(np.where(beyond, -MARGIN, edge), np.where(beyond, 0, edge_x), np.where(beyond, 0, edge_y)),
        _pack(offset, offset_x, offset_y),
        (along / lap * LAP_UNITS).astype(np.int64).astype(np.uint16).ravel(),
        frame,
        lap,
    )


def _empty(rows: int, columns: int) -> Grid:
    """Nearest so far, per texel: squared distance, vector from the line (x, y), signed distance off the line, along."""
    grid = np.zeros((rows, columns, 5))
    grid[..., 0] = np.inf
    return grid


@numba.njit(cache=True)
def _splat(
    line: NDArray[np.float64], side: float, corner: NDArray[np.float64], texel: float, reach: float, grid: Grid
) -> float:
    """Enter a closed line into the grid wherever it is nearer than what is there; returns the line's length.

    ``side`` is 1 where left of the line counts as positive, -1 where right does.
    """
    rows, columns, _ = grid.shape
    along = 0.0
    for i in range(len(line)):
        ax, ay = line[i, 0], line[i, 1]
        bx, by = line[(i + 1) % len(line), 0], line[(i + 1) % len(line), 1]
        length = np.hypot(bx - ax, by - ay)
        if length < 1e-9:
            continue
        ux, uy = (bx - ax) / length, (by - ay) / length
        first_column = max(int((min(ax, bx) - reach - corner[0]) / texel), 0)
        last_column = min(int((max(ax, bx) + reach - corner[0]) / texel) + 1, columns - 1)
        first_row = max(int((min(ay, by) - reach - corner[1]) / texel), 0)
        last_row = min(int((max(ay, by) + reach - corner[1]) / texel) + 1, rows - 1)
        for row in range(first_row, last_row + 1):
            for column in range(first_column, last_column + 1):
                x = corner[0] + (column + 0.5) * texel
                y = corner[1] + (row + 0.5) * texel
                t = min(max((x - ax) * ux + (y - ay) * uy, 0.0), length)
                dx, dy = x - ax - t * ux, y - ay - t * uy
                square = dx * dx + dy * dy
                off = side * (ux * (y - ay) - uy * (x - ax))
                if square < 1e-12:  # on the line itself: there the gradient is the segment's normal
                    square, off, dx, dy = 1e-12, 1e-6, -side * uy * 1e-6, side * ux * 1e-6
                cell = grid[row, column]
                # At a corner two segments are equally near: the one that the texel is further off knows its side.
                tie = abs(square - cell[0]) < 1e-12 and abs(off) > abs(cell[3])
                if square < reach * reach and (square < cell[0] - 1e-12 or tie):
                    cell[0], cell[1], cell[2], cell[3], cell[4] = square, dx, dy, off, along + t
        along += length
    return along


def _field(grid: Grid, missing: float) -> tuple[Grid, Grid, Grid, Grid]:
    """Signed distance (``missing`` where no line is near), its gradient x and y, and the place along the line."""
    found = np.isfinite(grid[..., 0])
    distance = np.sqrt(np.where(found, grid[..., 0], 0))
    sign = np.where(grid[..., 3] < 0, -1.0, 1.0)
    scale = np.where(found, sign / np.maximum(distance, 1e-9), 0)
    return np.where(found, sign * distance, missing), grid[..., 1] * scale, grid[..., 2] * scale, grid[..., 4]


def _pack(distance: Grid, x: Grid, y: Grid) -> NDArray[np.int32]:
    """Distance and gradient in one 32-bit word a texel, so that the renderer fetches both at once."""
    high = np.round(distance / DISTANCE_UNIT).astype(np.int32) << 16
    middle = (np.round(x / GRADIENT_UNIT).astype(np.int32) & 255) << 8
    return (high | middle | (np.round(y / GRADIENT_UNIT).astype(np.int32) & 255)).astype(np.int32).ravel()
