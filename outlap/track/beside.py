"""The points of the borders beside each sample of a centre line.

Usually they are where the line's normal meets the borders. In a bend whose centre lies on the road the inner border
folds to a corner: there normals cross before they reach it, and go on into another leg of the road. In such bends the
points are instead the nearest ones of that piece of border which lies between those of the nearest sound normals.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from outlap.track.polyline import distinct_rows
from outlap.track.track import Points

REACH = 3.0  # m, how far beside the centre line a border is looked for
WINDOW = 3.0  # m along the lap, to either side: further apart, normals that cross belong to different bends


def beside(points: Points, tangents: Points, step: float, border: Points, other: Points, side: float) -> np.ndarray:
    """Points of ``border`` beside each sample, (n, 3): x, y, and the segment of the border's distinct rows.

    Args:
        points: (n, 2) m, samples of a closed centre line.
        tangents: (n, 2), unit vectors along it.
        step: m, between samples.
        border: (N, 2) m.
        other: (N, 2) m, the border on the other side.
        side: 1 for the left border, -1 for the right one.
    """
    line, opposite = (np.ascontiguousarray(one[distinct_rows(one)]) for one in (border, other))
    n = len(points)
    hit, at = np.empty((n, 2)), np.empty((n, 2))
    normals = side * np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)
    sound = np.empty(n, dtype=np.bool_)
    _along_normals(points, normals, line, opposite, hit, at, sound)
    _refuse_crossed(points, hit, min(int(WINDOW / step), (n - 1) // 2), sound)
    _nearest_between(points, line, hit, at, sound)
    return np.column_stack([hit, at[:, 0]])


@njit(cache=True)
def _first_met(x, y, nx, ny, line):
    """Where a ray first meets a closed line: distance, infinite if it does not, segment, and fraction along that."""
    m = len(line)
    best, at, fraction = np.inf, -1, 0.0
    ax, ay = line[m - 1, 0] - x, line[m - 1, 1] - y
    across_a = nx * ay - ny * ax
    for i in range(m):
        bx, by = line[i, 0] - x, line[i, 1] - y
        across_b = nx * by - ny * bx
        if across_a * across_b <= 0.0 and across_a != across_b:
            t = across_a / (across_a - across_b)
            distance = nx * (ax + t * (bx - ax)) + ny * (ay + t * (by - ay))
            if 0.0 < distance < best:
                best, at, fraction = distance, (i - 1) % m, t
        ax, ay, across_a = bx, by, across_b
    return best, at, fraction


@njit(cache=True)
def _along_normals(points, normals, line, opposite, hit, at, sound):
    """Where normals meet the line; unsound are those that meet the opposite border before, or none within reach."""
    for k in range(len(points)):
        x, y, nx, ny = points[k, 0], points[k, 1], normals[k, 0], normals[k, 1]
        distance, segment, t = _first_met(x, y, nx, ny, line)
        sound[k] = distance < REACH and distance <= _first_met(x, y, nx, ny, opposite)[0]
        reach = min(distance, REACH)
        hit[k, 0], hit[k, 1] = x + nx * reach, y + ny * reach
        at[k, 0], at[k, 1] = segment, t


@njit(cache=True)
def _refuse_crossed(points, hit, window, sound):
    """Mark as unsound each two normals that cross on their ways to the border."""
    n = len(points)
    for k in range(n):
        px, py = points[k, 0], points[k, 1]
        qx, qy = hit[k, 0], hit[k, 1]
        for ahead in range(1, window + 1):
            m = (k + ahead) % n
            rx, ry, sx, sy = points[m, 0], points[m, 1], hit[m, 0], hit[m, 1]
            r = (qx - px) * (ry - py) - (qy - py) * (rx - px)
            s = (qx - px) * (sy - py) - (qy - py) * (sx - px)
            p = (sx - rx) * (py - ry) - (sy - ry) * (px - rx)
            q = (sx - rx) * (qy - ry) - (sy - ry) * (qx - rx)
            if r * s < 0.0 and p * q < 0.0:
                sound[k] = sound[m] = False


@njit(cache=True)
def _nearest_between(points, line, hit, at, sound):
    """Give each unsound sample the nearest point of the piece of border between those of the sound ones around it."""
    n, m = len(points), len(line)
    first = -1
    for k in range(n):
        if sound[k]:
            first = k
            break
    if first < 0:  # then the whole border is the piece
        for k in range(n):
            _take_nearest(points, line, 0, 0.0, m - 1, 1.0, k, hit, at)
        return
    before = first
    for step in range(1, n + 1):
        k = (first + step) % n
        if not sound[k]:
            continue
        begin, end = int(at[before, 0]), int(at[k, 0])
        segments = (end - begin) % m
        if segments == 0 and at[k, 1] < at[before, 1]:
            # The two have changed places within a segment, as far as noise goes.
            at_begin, at_end = at[k, 1], at[before, 1]
        else:
            at_begin, at_end = at[before, 1], at[k, 1]
        j = (before + 1) % n
        while j != k:
            _take_nearest(points, line, begin, at_begin, segments, at_end, j, hit, at)
            j = (j + 1) % n
        before = k


@njit(cache=True)
def _take_nearest(points, line, begin, at_begin, segments, at_end, k, hit, at):
    m = len(line)
    x, y = points[k, 0], points[k, 1]
    best = np.inf
    for number in range(segments + 1):
        i = (begin + number) % m
        j = (i + 1) % m
        ax, ay = line[i, 0], line[i, 1]
        ex, ey = line[j, 0] - ax, line[j, 1] - ay
        low = at_begin if number == 0 else 0.0
        high = at_end if number == segments else 1.0
        t = ((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey)
        t = min(max(t, low), high)
        dx, dy = ax + t * ex - x, ay + t * ey - y
        if dx * dx + dy * dy < best:
            best = dx * dx + dy * dy
            hit[k, 0], hit[k, 1] = ax + t * ex, ay + t * ey
            at[k, 0], at[k, 1] = i, t
