"""What befalls small grey pictures on their way from the lens: blur, glare, compression, and what no lens covers.

These are cheap stand-ins, made for training: blur and the rolling shutter move whole rows, as turning does; glare is a
Gaussian spot; compression quantises 8×8 blocks of the picture as JPEG does, but of the canonical view, not the raw one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np
from numba import float32 as f4
from numpy.typing import NDArray

from outlap.camera.view import View
from outlap.camera.warp import FILL
from outlap.simulation.rendering.compiling import FAST, part

Floats = NDArray[np.float32]
BLOCK = 8  # pixels, JPEG's
PAD = 20  # pixels beyond a row's ends, into which blur and shear may reach
COARSER = (
    0.5  # how much coarser each higher frequency is quantised, as a part of the finest step; JPEG's tables are alike
)
STREAK = 3  # how much longer than broad a lamp's mirror image on a floor is
REACH = 4  # deviations, beyond which a spot is dark
SPOT = 5  # numbers of a spot: x, y (pixels), 1 / deviation across and down (1/pixel), grey levels

# Rows are JPEG's eight cosine waves, orthonormal.
WAVES = np.array(
    [
        [math.sqrt((1 if k == 0 else 2) / BLOCK) * math.cos((x + 0.5) * k * math.pi / BLOCK) for x in range(BLOCK)]
        for k in range(BLOCK)
    ],
    dtype=np.float32,
)
BACK = np.ascontiguousarray(WAVES.T)


def befall(
    pictures: NDArray[np.uint8],
    effects: Floats,
    spots: Floats,
    masks: NDArray[np.uint8],
    mask: NDArray[np.int64],
    share: Callable[..., None],
) -> None:
    """Change pictures in place.

    Args:
        pictures: (n, H, W) mono8; H and W are multiples of 8.
        effects: (n, 4): blur along rows (pixels), shift of the last row against the first (pixels), defocus (pixels,
            deviation), finest step of the compression (grey levels). Zero leaves all as it is.
        spots: (n, S, 5), light that is added: x, y (pixels), 1 / deviation across and down (1/pixel), grey levels.
        masks: (M, H, W) how well each pixel is covered, 0 to 255; the first is not used.
        mask: (n,) which mask each picture gets; 0 for none.
        share: calls, for a number of rows, a function with arguments and the first and last row of parts of them.
    """
    share(len(pictures), _befall, pictures, effects, spots, masks, mask)


def lamp_spots(lamps: NDArray[np.float64], yaw: NDArray[np.float64], pitch: NDArray[np.float64], view: View) -> Floats:
    """Where cameras see their far-away lamps and the mirror images of them on the floor, as spots for :func:`befall`.

    Args:
        lamps: (n, L, 5) azimuth, elevation, size (rad), strength, strength of the mirror image (grey levels).
        yaw, pitch: (n,) rad, where the cameras look.
        view: the canonical view.

    Returns:
        (n, 2 L, 5), for as many lamps as any of the cars has.
    """
    used = (lamps[..., 3:] > 0).any(axis=(0, 2))
    lamps, focal = lamps[:, used], view.focal_length
    spots = np.zeros((len(lamps), 2, lamps.shape[1], SPOT), np.float32)
    azimuth, elevation = lamps[..., 0] - yaw[:, None], lamps[..., 1]
    level, cosine, sine = np.cos(elevation) * np.cos(azimuth), np.cos(pitch)[:, None], np.sin(pitch)[:, None]
    across = -np.cos(elevation) * np.sin(azimuth)
    deviation = 1 / np.maximum(focal * lamps[..., 2], 0.3)
    for index, sign in enumerate((1, -1)):
        up = sign * np.sin(elevation)
        depth = np.maximum(level * cosine - up * sine, 0.05)
        down = -up * cosine - level * sine
        spots[:, index, :, 0] = focal * across / depth + (view.width - 1) / 2
        spots[:, index, :, 1] = focal * down / depth + (view.height - 1) / 2
        spots[:, index, :, 2] = deviation
        spots[:, index, :, 3] = deviation / (1 if sign > 0 else STREAK)
        spots[:, index, :, 4] = np.where(depth > 0.05, lamps[..., 3 + index], 0)
    # A spot far outside lights nothing.
    x, y, wide, high = (spots[..., k] for k in range(4))
    outside = np.maximum(np.abs(x - view.width / 2) - view.width / 2, 0) * wide > REACH
    outside |= np.maximum(np.abs(y - view.height / 2) - view.height / 2, 0) * high > REACH
    spots[outside, 4] = 0
    return spots.reshape(len(lamps), -1, SPOT)


@part
def _mix(source, target, by):
    """Each eight rows of ``target`` are sums of eight of ``source``, weighed ``by`` (8, 8)."""
    for top in range(0, source.shape[0], 8):
        a, b, c, d = source[top], source[top + 1], source[top + 2], source[top + 3]
        e, f, g, h = source[top + 4], source[top + 5], source[top + 6], source[top + 7]
        for k in range(8):
            m, out = by[k], target[top + k]
            m0, m1, m2, m3, m4, m5, m6, m7 = m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7]
            for x in range(source.shape[1]):
                out[x] = m0 * a[x] + m1 * b[x] + m2 * c[x] + m3 * d[x] + m4 * e[x] + m5 * f[x] + m6 * g[x] + m7 * h[x]


@part
def _transpose(source, target):
    for y in range(source.shape[0]):
        row = source[y]
        for x in range(source.shape[1]):
            target[x, y] = row[x]


@numba.njit(nogil=True, cache=True, **FAST)
def _befall(pictures, effects, spots, masks, mask, first, last):
    height, width = pictures.shape[1], pictures.shape[2]
    sums = np.zeros(width + 2 * PAD + 1, np.int32)
    work = np.empty((height, width), np.float32)
    across = np.empty(width, np.float32)
    mixed = np.empty((height, width), np.float32)
    turned, quantised = np.empty((width, height), np.float32), np.empty((width, height), np.float32)
    for c in range(first, last):
        picture = pictures[c]
        blur, shear, defocus, step = effects[c, 0], effects[c, 1], effects[c, 2], effects[c, 3]
        lit = False
        for k in range(spots.shape[1]):
            lit = lit or spots[c, k, 4] != 0
        turning = blur > f4(0.1) or abs(shear) > f4(0.1) or defocus > f4(0.1)
        if not (turning or lit or step > f4(0.1) or mask[c] > 0):
            continue
        if turning:
            # A box as wide as all blurs together, by running sums.
            broad = f4(1) + blur
            broad = min(np.sqrt(broad * broad + f4(12) * defocus * defocus), f4(PAD))
            for y in range(height):
                row, blurred = picture[y], work[y]
                total, before, after = np.int32(0), np.int32(row[0]), np.int32(row[width - 1])
                for x in range(PAD):
                    total += before
                    sums[x + 1] = total
                inner = sums[PAD + 1 :]
                for x in range(width):
                    total += np.int32(row[x])
                    inner[x] = total
                inner = inner[width:]
                for x in range(PAD):
                    total += after
                    inner[x] = total
                shift = shear * ((f4(y) + f4(0.5)) / f4(height) - f4(0.5))
                low = min(max(f4(PAD) + f4(0.5) + shift - broad * f4(0.5), f4(0)), f4(2 * PAD - 1))
                high = min(low + broad, f4(2 * PAD) - f4(1e-3))
                a, b = int(low), int(high)
                per = f4(1) / (high - low)
                fa, fb = (low - f4(a)) * per, (high - f4(b)) * per
                ga, gb = per - fa, per - fb
                start, end, next_start, next_end = sums[a:], sums[b:], sums[a + 1 :], sums[b + 1 :]
                for x in range(width):
                    value = gb * f4(end[x]) + fb * f4(next_end[x]) - ga * f4(start[x]) - fa * f4(next_start[x])
                    blurred[x] = value
            side = min(f4(0.5) * defocus * defocus, f4(0.3))
            if side > f4(0.005):
                for y in range(height):
                    above, here, below = work[max(y - 1, 0)], work[y], work[min(y + 1, height - 1)]
                    softer = mixed[y]
                    for x in range(width):
                        softer[x] = here[x] + side * (above[x] + below[x] - f4(2) * here[x])
                work, mixed = mixed, work
        else:
            for y in range(height):
                for x in range(width):
                    work[y, x] = f4(picture[y, x])
        for k in range(spots.shape[1]):
            strength = spots[c, k, 4]
            if strength != 0:
                for x in range(width):
                    away = (f4(x) - spots[c, k, 0]) * spots[c, k, 2]
                    across[x] = strength * np.exp(f4(-0.5) * away * away)
                for y in range(height):
                    away = (f4(y) - spots[c, k, 1]) * spots[c, k, 3]
                    if abs(away) < f4(REACH):
                        down = np.exp(f4(-0.5) * away * away)
                        row = work[y]
                        for x in range(width):
                            row[x] += down * across[x]
        if step > f4(0.1):
            _mix(work, mixed, WAVES)
            _transpose(mixed, turned)
            _mix(turned, quantised, WAVES)
            for x in range(width):
                row = quantised[x]
                for y in range(height):
                    finest = step * (f4(1) + f4(COARSER) * f4((x & 7) + (y & 7)))
                    row[y] = np.rint(row[y] / finest) * finest
            _mix(quantised, turned, BACK)
            _transpose(turned, mixed)
            _mix(mixed, work, BACK)
        cover = masks[mask[c]]
        for y in range(height):
            row, covered, out = work[y], cover[y], picture[y]
            for x in range(width):
                value = min(max(row[x], f4(0)), f4(255)) - f4(FILL)
                out[x] = np.uint8(f4(FILL + 0.5) + value * f4(covered[x]) * f4(1 / 255))
