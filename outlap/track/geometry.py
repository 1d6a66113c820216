"""Where many cars are on many tracks: progress, offset, heading, curvature and the distance to either border.

The centre line is a smooth curve through the route's rows (Akima's, which neither overshoots nor bends straights),
sampled every few centimetres. The borders stay the polylines of the route: they say what is road. Each car's search is
confined to the part of the lap around its last progress, so a road that comes close to itself is never confused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import Akima1DInterpolator
from scipy.ndimage import gaussian_filter1d

from outlap.track.polyline import arc_lengths, distinct_rows, nearest_in_window, vertex_normals
from outlap.track.track import Points, Track

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

SEARCH = 1.0  # m along the lap to either side of the hint (and of the place beside it, along the borders)
HEADING_SMOOTHING = 0.05  # m, deviation of the Gaussian over the tangent: routes are noisy and unevenly spaced
CURVATURE_SMOOTHING = 0.15  # m, the same over the curvature, which is noisier
BORDER_REACH = 3.0  # m, how far beside the centre line a border is looked for
# Columns of a centre sample.
X, Y, TX, TY, TURN, CURVATURE, LEFT_X, LEFT_Y, RIGHT_X, RIGHT_Y, HALF_WIDTH, LEFT_AT, RIGHT_AT = range(13)


@dataclass(frozen=True)
class Located:
    """Where n cars are; every field has the shape (n,)."""

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
        sampled = [_sampled(track, spacing) for track in tracks]
        self.length: Floats = np.array([length for _, length in sampled])
        self._samples, self._start = _flat([samples for samples, _ in sampled])
        left = [_border(track.left, left=False) for track in tracks]
        right = [_border(track.right, left=True) for track in tracks]
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
        hints = np.full(n, np.nan) if hint is None else _per_car(hint, n, np.float64)
        out = np.empty((6, n))
        _locate(
            self._indices(index, n), places, hints, self.length, self._samples, self._start, self._left,
            self._left_start, self._right, self._right_start, self._reach, out,
        )  # fmt: skip
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
        _interpolate(track, progress, self.length, self._samples, self._start, row)
        return row, np.arctan2(row[:, TY], row[:, TX])


def _per_car(values: ArrayLike, n: int, dtype: type) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype=dtype), (n,)))


def _flat(parts: list[np.ndarray]) -> tuple[np.ndarray, Indices]:
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return np.ascontiguousarray(np.concatenate(parts)), starts


def _segments(border: np.ndarray) -> int:
    """How many segments of a border the search takes to either side: enough for its distance anywhere."""
    arc = arc_lengths(border[:, :2])
    doubled = np.concatenate([arc, arc[1:] + arc[-1]])
    return int((np.searchsorted(doubled, arc[:-1] + SEARCH) - np.arange(len(border))).max())


def _border(line: Points, left: bool) -> np.ndarray:
    """A border's (M, 6) points, segment normals and vertex pseudonormals, both towards the road."""
    distinct = line[distinct_rows(line)]
    normal, pseudonormal = vertex_normals(distinct, left)
    return np.concatenate([distinct, normal, pseudonormal], axis=1)


def _sampled(track: Track, spacing: float) -> tuple[np.ndarray, float]:
    """A track's centre samples, (n, 13), evenly spaced, and its length in m."""
    chord = arc_lengths(track.center)
    n = len(track.center)
    wrap = np.arange(-4, n + 5)  # enough neighbours for the curve to be the same on both sides of the seam
    knots = chord[wrap % n] + chord[-1] * (wrap // n)
    curve = Akima1DInterpolator(knots, track.center[wrap % n])
    # Even steps of the chord are nearly even steps of the arc; one correction makes them so.
    fine = np.linspace(0.0, chord[-1], max(16, int(np.ceil(chord[-1] / spacing))) * 4 + 1)
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve(fine), axis=0).T))])
    count = max(16, int(np.ceil(arc[-1] / spacing)))
    at = np.interp(np.arange(count) * (arc[-1] / count), arc, fine)
    length = float(arc[-1])
    step = length / count
    samples = np.empty((count, 13))
    samples[:, [X, Y]] = curve(at)
    tangent = curve.derivative()(at)
    tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    tangent = gaussian_filter1d(tangent, HEADING_SMOOTHING / step, axis=0, mode="wrap")
    tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    samples[:, [TX, TY]] = tangent
    ahead = np.roll(tangent, -1, axis=0)
    turn = np.arctan2(tangent[:, 0] * ahead[:, 1] - tangent[:, 1] * ahead[:, 0], (tangent * ahead).sum(axis=1))
    samples[:, TURN] = turn
    samples[:, CURVATURE] = gaussian_filter1d(
        0.5 * (turn + np.roll(turn, 1)) / step, CURVATURE_SMOOTHING / step, mode="wrap"
    )
    for columns, line, side, at_column in (
        ([LEFT_X, LEFT_Y], track.left, 1.0, LEFT_AT),
        ([RIGHT_X, RIGHT_Y], track.right, -1.0, RIGHT_AT),
    ):
        distinct = np.ascontiguousarray(line[distinct_rows(line)])
        hit = np.empty((count, 3))
        _beside(samples, distinct, side, hit)
        samples[:, columns] = hit[:, :2]
        samples[:, at_column] = hit[:, 2]
    across = samples[:, [LEFT_X, LEFT_Y]] - samples[:, [RIGHT_X, RIGHT_Y]]
    samples[:, HALF_WIDTH] = 0.5 * np.hypot(across[:, 0], across[:, 1])
    return samples, length


@njit(cache=True)
def _beside(samples, line, side, hit):
    """Where each centre sample's normal first meets a border (x, y, segment), or the nearest point if it does not."""
    m = len(line)
    for k in range(len(samples)):
        x, y = samples[k, X], samples[k, Y]
        nx, ny = -side * samples[k, TY], side * samples[k, TX]
        best = BORDER_REACH
        at = -1
        for j in range(m):
            i = j + 1 if j + 1 < m else 0
            ax, ay, bx, by = line[j, 0] - x, line[j, 1] - y, line[i, 0] - x, line[i, 1] - y
            across_a, across_b = nx * ay - ny * ax, nx * by - ny * bx
            if across_a * across_b > 0.0 or across_a == across_b:
                continue
            t = across_a / (across_a - across_b)
            distance = nx * (ax + t * (bx - ax)) + ny * (ay + t * (by - ay))
            if 0.0 < distance < best:
                best, at = distance, j
        if at >= 0:
            hit[k, 0], hit[k, 1] = x + nx * best, y + ny * best
        else:
            _, at, t = nearest_in_window(x, y, line, 0, m, 0, m)
            i = at + 1 if at + 1 < m else 0
            hit[k, 0] = line[at, 0] + t * (line[i, 0] - line[at, 0])
            hit[k, 1] = line[at, 1] + t * (line[i, 1] - line[at, 1])
        hit[k, 2] = at


@njit(cache=True)
def _interpolate(index, s, length, samples, start, row):
    for c in range(len(index)):
        track = index[c]
        first = start[track]
        count = start[track + 1] - first
        place = (s[c] / length[track]) % 1.0 * count
        k = int(place)
        t = place - k
        k = k % count
        j = k + 1 if k + 1 < count else 0
        for column in range(13):
            row[c, column] = (1.0 - t) * samples[first + k, column] + t * samples[first + j, column]
        turned = t * samples[first + k, TURN]
        row[c, TX] = samples[first + k, TX] * np.cos(turned) - samples[first + k, TY] * np.sin(turned)
        row[c, TY] = samples[first + k, TX] * np.sin(turned) + samples[first + k, TY] * np.cos(turned)


@njit(cache=True)
def _nearest_sample(x, y, samples, first, count):
    best, nearest = np.inf, 0
    for k in range(count):
        dx, dy = samples[first + k, X] - x, samples[first + k, Y] - y
        square = dx * dx + dy * dy
        if square < best:
            best, nearest = square, k
    return nearest


@njit(cache=True)
def _border_distance(x, y, border, first, count, at, reach):
    """Signed distance to a border near its segment ``at``, positive on the road's side."""
    square, segment, t = nearest_in_window(x, y, border, first, count, at - reach, 2 * reach + 1)
    i = first + segment
    j = first + (segment + 1 if segment + 1 < count else 0)
    qx = border[i, 0] + t * (border[j, 0] - border[i, 0])
    qy = border[i, 1] + t * (border[j, 1] - border[i, 1])
    if t <= 0.0:
        side = (x - qx) * border[i, 4] + (y - qy) * border[i, 5]
    elif t >= 1.0:
        side = (x - qx) * border[j, 4] + (y - qy) * border[j, 5]
    else:
        side = (x - qx) * border[i, 2] + (y - qy) * border[i, 3]
    return np.sqrt(square) if side >= 0.0 else -np.sqrt(square)


@njit(cache=True)
def _locate(index, places, hint, length, samples, start, left, left_start, right, right_start, reach, out):
    for c in range(len(index)):
        track = index[c]
        x, y = places[c, 0], places[c, 1]
        if not (np.isfinite(x) and np.isfinite(y)):
            out[:, c] = np.nan
            continue
        first = start[track]
        count = start[track + 1] - first
        step = length[track] / count
        if np.isfinite(hint[c]):
            around = int(np.ceil(SEARCH / step))
            middle = int((hint[c] / length[track]) % 1.0 * count)
        else:
            around = 2
            middle = _nearest_sample(x, y, samples, first, count)
        _, k, t = nearest_in_window(x, y, samples, first, count, middle - around, 2 * around + 1)
        place = k + t
        # The nearest chord's foot jumps at its ends; on the smooth curve the place moves on evenly (Newton's steps).
        offset = 0.0
        for turn in range(3):
            i = int(place) % count
            f = place - int(place)
            j = i + 1 if i + 1 < count else 0
            turned = f * samples[first + i, TURN]
            cosine, sine = 1.0 - 0.5 * turned * turned, turned
            tx = samples[first + i, TX] * cosine - samples[first + i, TY] * sine
            ty = samples[first + i, TX] * sine + samples[first + i, TY] * cosine
            dx = x - samples[first + i, X] - f * (samples[first + j, X] - samples[first + i, X])
            dy = y - samples[first + i, Y] - f * (samples[first + j, Y] - samples[first + i, Y])
            offset = dy * tx - dx * ty
            if turn == 2:
                break
            slope = max(1.0 - offset * samples[first + i, TURN] / step, 0.3)
            move = (dx * tx + dy * ty) / (slope * step)
            place = (place + min(max(move, -1.0), 1.0)) % count
        i = int(place) % count
        f = place - int(place)
        j = i + 1 if i + 1 < count else 0
        s = place * step
        out[0, c] = s if s < length[track] else 0.0
        out[1, c] = offset
        out[2, c] = np.arctan2(samples[first + i, TY], samples[first + i, TX]) + f * samples[first + i, TURN]
        if out[2, c] > np.pi:
            out[2, c] -= 2 * np.pi
        elif out[2, c] < -np.pi:
            out[2, c] += 2 * np.pi
        out[3, c] = (1.0 - f) * samples[first + i, CURVATURE] + f * samples[first + j, CURVATURE]
        out[4, c] = _border_distance(
            x, y, left, left_start[track], left_start[track + 1] - left_start[track],
            int(samples[first + i, LEFT_AT]), reach[track, 0],
        )  # fmt: skip
        out[5, c] = _border_distance(
            x, y, right, right_start[track], right_start[track + 1] - right_start[track],
            int(samples[first + i, RIGHT_AT]), reach[track, 1],
        )  # fmt: skip
