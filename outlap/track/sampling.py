"""Turns a route's rows into what the geometry searches: an evenly sampled smooth centre line, and its borders.

A centre sample is a row of 13 numbers, named by the constants below. A border keeps the polyline of the route.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.interpolate import Akima1DInterpolator
from scipy.ndimage import gaussian_filter1d

from outlap.track.beside import beside
from outlap.track.polyline import arc_lengths, distinct_rows, vertex_normals
from outlap.track.track import Points, Track

HEADING_SMOOTHING = 0.05  # m, deviation of the Gaussian over the tangent: routes are noisy and unevenly spaced
CURVATURE_SMOOTHING = 0.15  # m, the same over the curvature, which is noisier
LEAST_SAMPLES = 16  # of a centre line, however short
# Columns of a centre sample: place, unit tangent, turn to the next sample (rad), curvature (1/m), the borders beside
# it, half of the road's width (m), and the border segments beside it.
X, Y, TX, TY, TURN, CURVATURE, LEFT_X, LEFT_Y, RIGHT_X, RIGHT_Y, HALF_WIDTH, LEFT_AT, RIGHT_AT = range(13)


def border_rows(line: Points, left: bool) -> np.ndarray:
    """A border's (M, 6) points, segment normals and vertex pseudonormals, both towards the road."""
    distinct = line[distinct_rows(line)]
    normal, pseudonormal = vertex_normals(distinct, left)
    return np.concatenate([distinct, normal, pseudonormal], axis=1)


def sampled(track: Track, spacing: float) -> tuple[np.ndarray, float]:
    """A track's centre samples, (n, 13), evenly spaced, and its length in m."""
    chord = arc_lengths(track.center)
    n = len(track.center)
    wrap = np.arange(-4, n + 5)  # enough neighbours for the curve to be the same on both sides of the seam
    knots = chord[wrap % n] + chord[-1] * (wrap // n)
    curve = Akima1DInterpolator(knots, track.center[wrap % n])
    # Even steps of the chord are nearly even steps of the arc; one correction makes them so.
    fine = np.linspace(0.0, chord[-1], max(LEAST_SAMPLES, int(np.ceil(chord[-1] / spacing))) * 4 + 1)
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve(fine), axis=0).T))])
    count = max(LEAST_SAMPLES, int(np.ceil(arc[-1] / spacing)))
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
    left, right = (
        beside(samples[:, [X, Y]], tangent, step, border, other, side)
        for border, other, side in ((track.left, track.right, 1.0), (track.right, track.left, -1.0))
    )
    samples[:, [LEFT_X, LEFT_Y, LEFT_AT]], samples[:, [RIGHT_X, RIGHT_Y, RIGHT_AT]] = left, right
    across = samples[:, [LEFT_X, LEFT_Y]] - samples[:, [RIGHT_X, RIGHT_Y]]
    samples[:, HALF_WIDTH] = 0.5 * np.hypot(across[:, 0], across[:, 1])
    return samples, length


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
