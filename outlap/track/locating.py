"""Numba kernels that find and place cars on the sampled tracks of :mod:`outlap.track.sampling`."""

from __future__ import annotations

import numpy as np
from numba import njit

from outlap.track.sampling import CURVATURE, LEFT_AT, RIGHT_AT, TURN, TX, TY, X, Y, nearest_in_window

SEARCH = 1.0  # m along the lap to either side of the hint (and of the place beside it, along the borders)


@njit(cache=True)
def interpolate(index, s, length, samples, start, row):
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
def _nearest_sample(x, y, samples, first, count, step):
    best, nearest = np.inf, 0
    for k in range(0, count, 16):
        distance = np.hypot(samples[first + k, X] - x, samples[first + k, Y] - y)
        if distance < best:
            best, nearest = distance, k
    k = 0
    while k < count:
        distance = np.hypot(samples[first + k, X] - x, samples[first + k, Y] - y)
        if distance < best:
            best, nearest = distance, k
        # From one sample to the next the distance changes by a step at most: none before these can be nearer.
        k += max(1, int((distance - best) / (1.01 * step)))
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
def locate(index, places, hint, length, samples, start, left, left_start, right, right_start, reach, out):
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
            middle = _nearest_sample(x, y, samples, first, count, step)
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
            x,
            y,
            left,
            left_start[track],
            left_start[track + 1] - left_start[track],
            int(samples[first + i, LEFT_AT]),
            reach[track, 0],
        )
        out[5, c] = _border_distance(
            x,
            y,
            right,
            right_start[track],
            right_start[track + 1] - right_start[track],
            int(samples[first + i, RIGHT_AT]),
            reach[track, 1],
        )
