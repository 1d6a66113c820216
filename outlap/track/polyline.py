"""Closed polylines: lengths, areas, normals, crossings, distances. Points are (N, 2) float64 in metres.

Reading a track needs no more than this, and so does without Numba.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
REPEATED = 1e-6  # m, closer neighbours are one point
BLOCK = 32  # segments that have a box together, so that most pairs of segments need no look
CHUNK = 2**18  # pairs of points and segments at once: a few megabytes


def arc_lengths(points: Points) -> NDArray[np.float64]:
    """Arc length from the first point to each point and, last, all the way round; shape (N + 1,), m."""
    steps = np.hypot(*(np.roll(points, -1, axis=0) - points).T)
    return np.concatenate([[0.0], np.cumsum(steps)])


def signed_area(points: Points) -> float:
    """Area that a closed line encloses, m^2, positive when it runs counterclockwise."""
    after = np.roll(points, -1, axis=0)
    return 0.5 * float(np.sum(points[:, 0] * after[:, 1] - points[:, 1] * after[:, 0]))


def distinct_rows(points: Points) -> NDArray[np.int64]:
    """Rows of a closed line that differ from the row before them: a border may rest while the centre line goes on."""
    return np.flatnonzero(np.hypot(*(points - np.roll(points, 1, axis=0)).T) > REPEATED)


def vertex_normals(points: Points, left: bool) -> tuple[Points, Points]:
    """Unit normals of the segments and pseudonormals of the vertices, both (N, 2), on one side of the line.

    A vertex's pseudonormal is the sum of its two segments' normals: the side of the line on which a point lies is then
    right for points nearest to a vertex too, which neither segment's normal alone guarantees.
    """
    edge = np.roll(points, -1, axis=0) - points
    edge = edge / np.hypot(edge[:, 0], edge[:, 1])[:, None]
    normal = np.stack([-edge[:, 1], edge[:, 0]], axis=1) * (1.0 if left else -1.0)
    return normal, normal + np.roll(normal, 1, axis=0)


def first_crossing(a: Points, b: Points, same: bool) -> tuple[int, int]:
    """Rows (i, j) of the first crossing of closed polylines ``a`` and ``b``, or (-1, -1).

    Touching counts as crossing. With ``same`` both are one line, and neighbouring segments are not compared.
    """
    boxes_a, boxes_b = _boxes(a), _boxes(b)
    starts_a, starts_b = np.arange(0, len(a), BLOCK), np.arange(0, len(b), BLOCK)
    blocks = _touch(_united(boxes_a, starts_a)[:, None], _united(boxes_b, starts_b)[None])
    for first, row in zip(starts_a, blocks, strict=True):
        i = np.arange(first, min(first + BLOCK, len(a)))
        j = (starts_b[row][:, None] + np.arange(BLOCK)).ravel()
        j = j[j < len(b)]
        if same:
            j = j[j >= first + 2]
        near = _touch(boxes_a[i][:, None], boxes_b[j][None])
        if same:
            near &= (j >= i[:, None] + 2) & ~((i[:, None] == 0) & (j == len(a) - 1))
        at, of = np.nonzero(near)
        crossed = np.flatnonzero(_cross(a, i[at], b, j[of]))
        if len(crossed):
            return int(i[at[crossed[0]]]), int(j[of[crossed[0]]])
    return -1, -1


def _boxes(points: Points) -> NDArray[np.float64]:
    """The box of each segment, (N, 4): least x and y, greatest x and y."""
    after = np.roll(points, -1, axis=0)
    return np.concatenate([np.minimum(points, after), np.maximum(points, after)], axis=1)


def _united(boxes: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The boxes of blocks of segments."""
    least, most = np.minimum.reduceat(boxes[:, :2], starts), np.maximum.reduceat(boxes[:, 2:], starts)
    return np.concatenate([least, most], axis=1)


def _touch(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether boxes have a point in common."""
    x = (one[..., 0] <= other[..., 2]) & (other[..., 0] <= one[..., 2])
    return x & (one[..., 1] <= other[..., 3]) & (other[..., 1] <= one[..., 3])


def _cross(a: Points, i: NDArray[np.int64], b: Points, j: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether segments whose boxes touch have a point in common: neither line keeps the other's ends on one side."""
    (px, py), (qx, qy) = a[i].T, a[(i + 1) % len(a)].T
    (rx, ry), (sx, sy) = b[j].T, b[(j + 1) % len(b)].T
    r = (qx - px) * (ry - py) - (qy - py) * (rx - px)
    s = (qx - px) * (sy - py) - (qy - py) * (sx - px)
    p = (sx - rx) * (py - ry) - (sy - ry) * (px - rx)
    q = (sx - rx) * (qy - ry) - (sy - ry) * (qx - rx)
    return (r * s <= 0.0) & (p * q <= 0.0)


def local_distances(
    points: Points, arc: NDArray[np.float64], line: Points, line_arc: NDArray[np.float64], reach: float
) -> NDArray[np.float64]:
    """Distance of each point to the part of closed ``line`` that lies within ``reach`` m along the lap; shape (N,), m.

    ``arc`` (N,) and ``line_arc`` (M + 1,) give both lines' places on one lap of length ``line_arc[-1]``. It is infinite
    where no segment begins within reach.
    """
    count, length = len(line), line_arc[-1]
    along, edges = line_arc[:-1], np.roll(line, -1, axis=0) - line
    laps = np.concatenate([along - length, along, along + length])
    # A segment more than is needed at either end, for rounding; those too far are left out below.
    first = np.searchsorted(laps, arc - reach) - 1
    widest = int((np.searchsorted(laps, arc + reach, side="right") - first).max()) + 1
    window = np.arange(min(widest, count))
    out = np.empty(len(points))
    step = max(CHUNK // len(window), 1)
    for start in range(0, len(points), step):
        rows = slice(start, start + step)
        segment = (first[rows, None] + window) % count
        gap = np.abs(along[segment] - arc[rows, None])
        (x, y), (ex, ey) = np.moveaxis(points[rows, None] - line[segment], -1, 0), np.moveaxis(edges[segment], -1, 0)
        t = np.clip((x * ex + y * ey) / (ex * ex + ey * ey), 0.0, 1.0)
        square = (x - t * ex) ** 2 + (y - t * ey) ** 2
        out[rows] = np.sqrt(np.where(np.minimum(gap, length - gap) > reach, np.inf, square).min(axis=1))
    return out
