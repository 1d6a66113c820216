"""Numba kernels on closed polylines: exact distances, crossings, clearance. Points are (N, 2) float64 in metres."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Points = NDArray[np.float64]
REPEATED = 1e-6  # m, closer neighbours are one point


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


@njit(cache=True)
def nearest_in_window(x, y, points, start, count, first, number):
    """Nearest point to (x, y) on ``number`` segments of a closed line, counted on from segment ``first``.

    The line is ``points[start:][:count]``.
    Returns (squared distance in m^2, segment 0..count-1, fraction 0..1 along it).
    """
    best, best_segment, best_t = np.inf, 0, 0.0
    i = first % count
    ax, ay = points[start + i, 0], points[start + i, 1]
    for _ in range(min(number, count)):
        j = i + 1 if i + 1 < count else 0
        bx, by = points[start + j, 0], points[start + j, 1]
        ex, ey = bx - ax, by - ay
        t = ((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey)
        t = 0.0 if t < 0.0 else (1.0 if t > 1.0 else t)
        dx, dy = x - ax - t * ex, y - ay - t * ey
        square = dx * dx + dy * dy
        if square < best:
            best, best_segment, best_t = square, i, t
        i, ax, ay = j, bx, by
    return best, best_segment, best_t


@njit(cache=True)
def first_crossing(a, b, same):
    """Rows (i, j) of the first crossing of closed polylines ``a`` and ``b``, or (-1, -1).

    Touching counts as crossing. With ``same`` both are one line, and neighbouring segments are not compared.
    """
    n, m = len(a), len(b)
    for i in range(n):
        px, py = a[i, 0], a[i, 1]
        qx, qy = a[(i + 1) % n, 0], a[(i + 1) % n, 1]
        low_x, high_x, low_y, high_y = min(px, qx), max(px, qx), min(py, qy), max(py, qy)
        for j in range(i + 2 if same else 0, m):
            if same and i == 0 and j == n - 1:
                continue
            rx, ry = b[j, 0], b[j, 1]
            k = j + 1 if j + 1 < m else 0
            sx, sy = b[k, 0], b[k, 1]
            if max(rx, sx) < low_x or min(rx, sx) > high_x or max(ry, sy) < low_y or min(ry, sy) > high_y:
                continue
            r = (qx - px) * (ry - py) - (qy - py) * (rx - px)
            s = (qx - px) * (sy - py) - (qy - py) * (sx - px)
            p = (sx - rx) * (py - ry) - (sy - ry) * (px - rx)
            q = (sx - rx) * (qy - ry) - (sy - ry) * (qx - rx)
            if r * s <= 0.0 and p * q <= 0.0:
                return i, j
    return -1, -1


@njit(cache=True)
def local_distances(points, arc, line, line_arc, reach):
    """Distance of each point to the part of closed ``line`` that lies within ``reach`` m along the lap; shape (N,), m.

    ``arc`` (N,) and ``line_arc`` (M + 1,) give both lines' places on one lap of length ``line_arc[-1]``.
    """
    n, m = len(points), len(line)
    length = line_arc[m]
    out = np.empty(n)
    for i in range(n):
        best = np.inf
        for j in range(m):
            gap = abs(line_arc[j] - arc[i])
            if min(gap, length - gap) > reach:
                continue
            square, _, _ = nearest_in_window(points[i, 0], points[i, 1], line, 0, m, j, 1)
            best = min(best, square)
        out[i] = np.sqrt(best)
    return out


@njit(cache=True)
def clear_of_itself(points, arc, half_width, gap):
    """Whether a road about a closed centre line keeps ``gap`` m between any two of its parts.

    ``arc`` (N + 1,) m, ``half_width`` (N,) m. Parts nearer along the lap than the half circle that the tightest
    permitted bend makes are one bend, which its curvature already keeps from folding.
    """
    n = len(points)
    length = arc[n]
    for i in range(n):
        for j in range(i + 1, n):
            along = arc[j] - arc[i]
            along = min(along, length - along)
            need = half_width[i] + half_width[j] + gap
            dx, dy = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
            if dx * dx + dy * dy < need * need and along > 0.5 * np.pi * need:
                return False
    return True
