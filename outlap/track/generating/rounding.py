"""Makes a smooth closed line of a polygon: arcs for corners, or blurred as a whole."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.interpolate import CubicHermiteSpline
from scipy.ndimage import gaussian_filter1d

from outlap.track.polyline import arc_lengths
from outlap.track.track import Points


@njit(cache=True)
def least_radius(points, tangents):
    """Radius of the tightest bend between neighbouring points, m."""
    n = len(points)
    least = np.inf
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        step = np.hypot(points[j, 0] - points[i, 0], points[j, 1] - points[i, 1])
        cross = tangents[i, 0] * tangents[j, 1] - tangents[i, 1] * tangents[j, 0]
        dot = tangents[i, 0] * tangents[j, 0] + tangents[i, 1] * tangents[j, 1]
        turn = abs(np.arctan2(cross, dot))
        if turn > 1e-9:
            least = min(least, step / turn)
    return least


@njit(cache=True)
def fitted(corners, radii, min_radius):
    """Radii that the polygon's edges have room for, or none at all if one would be below ``min_radius``."""
    n = len(corners)
    room = np.empty(n)  # tangent length per radius at each corner
    edge = np.empty(n)  # from each corner to the next
    for i in range(n):
        a, b, c = corners[i - 1], corners[i], corners[(i + 1) % n]
        ux, uy, vx, vy = b[0] - a[0], b[1] - a[1], c[0] - b[0], c[1] - b[1]
        turn = abs(np.arctan2(ux * vy - uy * vx, ux * vx + uy * vy))
        room[i] = np.tan(0.5 * min(turn, 3.0))
        edge[i] = np.hypot(vx, vy)
    fitted = radii.copy()
    for _ in range(8):
        for i in range(n):
            j = (i + 1) % n
            used = fitted[i] * room[i] + fitted[j] * room[j]
            spare = edge[i] - min_radius * (room[i] + room[j])
            if spare < 0.0:
                return np.empty(0)
            if used > edge[i]:  # both give way, in proportion to what they have above the least
                extra = used - min_radius * (room[i] + room[j])
                fitted[i] = min_radius + (fitted[i] - min_radius) * spare / extra
                fitted[j] = min_radius + (fitted[j] - min_radius) * spare / extra
    return fitted


@njit(cache=True)
def rounded(corners, radii, count):
    """The polygon with arcs for corners: ``count`` evenly spaced points, their tangents, and the length."""
    n = len(corners)
    # Pieces: an arc at each corner, then the straight to the next one. Columns: x, y, heading, curvature, length.
    pieces = np.empty((2 * n, 5))
    cut, turn, heading, edge = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        b, c = corners[i], corners[(i + 1) % n]
        heading[i] = np.arctan2(c[1] - b[1], c[0] - b[0])
        edge[i] = np.hypot(c[0] - b[0], c[1] - b[1])
    for i in range(n):
        turn[i] = (heading[i] - heading[i - 1] + np.pi) % (2 * np.pi) - np.pi
        cut[i] = radii[i] * np.tan(0.5 * abs(turn[i]))
    for i in range(n):
        before = heading[i - 1]
        pieces[2 * i, 0] = corners[i, 0] - cut[i] * np.cos(before)
        pieces[2 * i, 1] = corners[i, 1] - cut[i] * np.sin(before)
        pieces[2 * i, 2] = before
        pieces[2 * i, 3] = np.sign(turn[i]) / radii[i]
        pieces[2 * i, 4] = radii[i] * abs(turn[i])
        pieces[2 * i + 1, 0] = corners[i, 0] + cut[i] * np.cos(heading[i])
        pieces[2 * i + 1, 1] = corners[i, 1] + cut[i] * np.sin(heading[i])
        pieces[2 * i + 1, 2] = heading[i]
        pieces[2 * i + 1, 3] = 0.0
        pieces[2 * i + 1, 4] = max(0.0, edge[i] - cut[i] - cut[(i + 1) % n])
    total = pieces[:, 4].sum()
    points, tangents = np.empty((count, 2)), np.empty((count, 2))
    piece, begun = 0, 0.0
    for k in range(count):
        s = total * k / count
        while piece < 2 * n - 1 and s - begun > pieces[piece, 4]:
            begun += pieces[piece, 4]
            piece += 1
        d, h, curvature = s - begun, pieces[piece, 2], pieces[piece, 3]
        now = h + curvature * d
        if abs(curvature) > 1e-9:
            points[k, 0] = pieces[piece, 0] + (np.sin(now) - np.sin(h)) / curvature
            points[k, 1] = pieces[piece, 1] - (np.cos(now) - np.cos(h)) / curvature
        else:
            points[k, 0] = pieces[piece, 0] + d * np.cos(h)
            points[k, 1] = pieces[piece, 1] + d * np.sin(h)
        tangents[k, 0], tangents[k, 1] = np.cos(now), np.sin(now)
    return points, tangents, total


def smoothed(corners: Points, spread: float, min_radius: float, count: int) -> tuple[Points, Points, float] | None:
    """The polygon blurred by a Gaussian of ``spread`` m deviation, or more if it bends tighter than ``min_radius``.

    Returns points, tangents and length, or None if over twice the blur would not do.
    """
    arc = arc_lengths(corners)
    even = np.linspace(0.0, arc[-1], count, endpoint=False)
    closed = np.concatenate([corners, corners[:1]])
    line = np.stack([np.interp(even, arc, closed[:, axis]) for axis in (0, 1)], axis=1)
    step = arc[-1] / count
    for rounder in (1.0, 1.35, 1.8, 2.4):
        smooth = gaussian_filter1d(line, rounder * spread / step, axis=0, mode="wrap")
        points, tangents, total = _evenly(smooth, count)
        if least_radius(points, tangents) > 1.05 * min_radius:
            return points, tangents, total
    return None


def _evenly(line: Points, count: int) -> tuple[Points, Points, float]:
    """A closed line of close points as ``count`` evenly spaced ones, with tangents and its length."""
    arc = arc_lengths(line)
    ahead, behind = np.diff(arc)[:, None], np.roll(np.diff(arc), 1)[:, None]
    onward, backward = np.roll(line, -1, axis=0) - line, line - np.roll(line, 1, axis=0)
    slope = (onward / ahead * behind + backward / behind * ahead) / (ahead + behind)
    curve = CubicHermiteSpline(arc, np.concatenate([line, line[:1]]), np.concatenate([slope, slope[:1]]))
    at = np.linspace(0.0, arc[-1], count, endpoint=False)
    tangents = curve.derivative()(at)
    return curve(at), tangents / np.hypot(tangents[:, 0], tangents[:, 1])[:, None], float(arc[-1])


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
