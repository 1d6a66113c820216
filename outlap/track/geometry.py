"""Where many cars are on many tracks: progress, offset, heading, curvature and the distance to either border.

The centre line is a smooth curve through the route's rows (Akima's, which neither overshoots nor bends straights),
sampled every few centimetres. The borders stay the polylines of the route: they say what is road. Each car's search is
confined to the part of the lap around its last progress, so a road that comes close to itself is never confused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlap.track.locating import SEARCH, interpolate, locate
from outlap.track.polyline import arc_lengths
from outlap.track.sampling import (
    HALF_WIDTH,
    LEFT_X,
    LEFT_Y,
    RIGHT_X,
    RIGHT_Y,
    TX,
    TY,
    X,
    Y,
    border_rows,
    sampled,
)
from outlap.track.track import Points, Track

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Located:
    """Where n cars are; every field has the shape (n,)."""

    STATE: ClassVar = {name: name for name in ("s", "offset", "heading", "curvature", "left", "right")}

    s: Floats  # m, progress along the centre line, 0 <= s < length
    offset: Floats  # m from the centre line, left positive
    heading: Floats  # rad, of the centre line there, -pi..pi
    curvature: Floats  # 1/m, of the centre line there, left positive
    left: Floats  # m to the left border, positive on the road's side of it, negative beyond
    right: Floats  # m to the right border, likewise

    @property
    def on_road(self) -> NDArray[np.bool_]:
        """Whether the place lies between the borders."""
        return np.minimum(self.left, self.right) > 0


class TrackSet:
    """Several tracks in flat arrays; a car says by an index on which it drives.

    Attributes:
        tracks: the tracks, in the order of their indices.
        length: (T,) m, arc length of each centre line.
    """

    def __init__(self, tracks: Sequence[Track], spacing: float = 0.05) -> None:
        """Sample every track's centre line at about ``spacing`` m."""
        if not tracks:
            raise ValueError("a TrackSet needs at least one track")
        self.tracks = tuple(tracks)
        parts = [sampled(track, spacing) for track in tracks]
        self.length: Floats = np.array([length for _, length in parts])
        self._samples, self._start = _flat([samples for samples, _ in parts])
        left = [border_rows(track.left, left=False) for track in tracks]
        right = [border_rows(track.right, left=True) for track in tracks]
        self._left, self._left_start = _flat(left)
        self._right, self._right_start = _flat(right)
        self._reach = np.array([[_segments(left[i]), _segments(right[i])] for i in range(len(tracks))], dtype=np.int64)

    def locate(self, index: ArrayLike, xy: ArrayLike, hint: ArrayLike | None = None) -> Located:
        """Where places are along their tracks.

        Args:
            index: (n,) track of each place, or one for all.
            xy: (n, 2) m; a place that is not finite gets NaN everywhere.
            hint: (n,) m, last known progress: only 1 m to either side of it is searched. NaN, or no hint at all,
                searches the whole lap.
        """
        places = np.ascontiguousarray(xy, dtype=np.float64).reshape(-1, 2)
        n = len(places)
        places = np.broadcast_to(places, (n, 2))
        hints = _per_car(np.nan if hint is None else hint, n, np.float64)
        out = np.empty((6, n))
        locate(
            self._indices(index, n),
            places,
            hints,
            self.length,
            self._samples,
            self._start,
            self._left,
            self._left_start,
            self._right,
            self._right_start,
            self._reach,
            out,
        )
        return Located(*out)

    def pose(self, index: ArrayLike, s: ArrayLike, offset: ArrayLike = 0.0) -> tuple[Points, Floats]:
        """Places (n, 2) m and headings (n,) rad, -pi..pi, at progress ``s`` m (it wraps), ``offset`` m to the left."""
        row, heading = self._at(index, s)
        beside = np.broadcast_to(np.asarray(offset, dtype=np.float64), heading.shape)
        normal = np.stack([-np.sin(heading), np.cos(heading)], axis=1)
        return row[:, [X, Y]] + beside[:, None] * normal, heading

    def middle(self, index: ArrayLike, s: ArrayLike) -> tuple[Points, Floats]:
        """Middle (n, 2) m of the road beside centre point ``s`` m, and half the road's width (n,) m there."""
        row, _ = self._at(index, s)
        return 0.5 * (row[:, [LEFT_X, LEFT_Y]] + row[:, [RIGHT_X, RIGHT_Y]]), row[:, HALF_WIDTH]

    def border(self, index: ArrayLike, s: ArrayLike) -> tuple[Points, Points]:
        """Points (n, 2) m of the left and the right border beside centre point ``s`` m."""
        row, _ = self._at(index, s)
        return row[:, [LEFT_X, LEFT_Y]], row[:, [RIGHT_X, RIGHT_Y]]

    def _indices(self, index: ArrayLike, n: int) -> Indices:
        indices = _per_car(index, n, np.int64)
        # The kernels do not check: an index beyond the tracks would read other memory.
        if n and not (indices.min() >= 0 and indices.max() < len(self.tracks)):
            raise IndexError(f"track index beyond 0..{len(self.tracks) - 1}")
        return indices

    def _at(self, index: ArrayLike, s: ArrayLike) -> tuple[NDArray[np.float64], Floats]:
        """Samples interpolated at ``s``, (n, 13), and headings (n,)."""
        progress = np.atleast_1d(np.asarray(s, dtype=np.float64))
        track = np.asarray(index, dtype=np.int64)
        n = max(progress.size, track.size)
        progress, track = _per_car(progress, n, np.float64), self._indices(track, n)
        row = np.empty((n, 13))
        interpolate(track, progress, self.length, self._samples, self._start, row)
        return row, np.arctan2(row[:, TY], row[:, TX])


def _per_car(values: ArrayLike, n: int, dtype: type) -> np.ndarray:
    # Read-only always, as broadcast_to makes it: one kind of argument, so one compilation of the kernels.
    return np.broadcast_to(np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype=dtype), (n,))), (n,))


def _flat(parts: list[np.ndarray]) -> tuple[np.ndarray, Indices]:
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return np.ascontiguousarray(np.concatenate(parts)), starts


def _segments(border: np.ndarray) -> int:
    """How many segments of a border the search takes to either side: enough for its distance anywhere."""
    arc = arc_lengths(border[:, :2])
    doubled = np.concatenate([arc, arc[1:] + arc[-1]])
    return int((np.searchsorted(doubled, arc[:-1] + SEARCH) - np.arange(len(border))).max())
