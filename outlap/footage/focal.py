"""Finds a recording's focal length from its pictures: a lap turns the car once round.

Turning shifts the picture by focal length times angle. Where a frame shows what an earlier one showed, the car has
come round, and the shifts in between add up to one turn (or two, …): so many pixels are 2 pi.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.footage.tub import Tub

Floats = NDArray[np.float64]

BAND = (0.06, 0.38)  # of the height: the room above the horizon, which driving on shifts hardly
THUMBNAIL = (24, 18)  # pixels, by which places are told from one another
SAME = 0.85  # correlation of two thumbnails of one place
EVERY = 8  # frames from one that is looked for again to the next
LAP = (5.0, 90.0)  # s, the shortest and the longest after which it is
RANGE = (0.32, 1.2)  # focal length ÷ width that a lens can have; below, a half turn would pass for a whole one
TURNS = 3  # laps after which a place is still told
WIDTH = 0.03  # part of the focal length, within which two laps agree
# Part of the shift that is turning: on the outside of a bend the room is nearer, and passing it adds. Measured on two
# cars' recordings whose focal lengths were known (0.46: 0.493 found; 0.57: 0.621).
PARALLAX = 0.925
ENOUGH = 12  # places that must agree
MOST = 6000  # frames, the longest stretches first


def estimate_focal(tubs: list[Tub]) -> float | None:
    """Focal length (pixels a radian ÷ picture width) of the camera of ``tubs``; None when no lap can be told."""
    stretches = [(tub, rows) for tub in tubs for rows in np.split(np.arange(len(tub)), _cuts(tub.segment))]
    stretches.sort(key=lambda stretch: -len(stretch[1]))
    turned: list[Floats] = []
    frames = 0
    for tub, rows in stretches:
        if tub.stamp[rows[-1]] - tub.stamp[rows[0]] < LAP[0] or frames >= MOST:
            break
        rows = rows[: MOST - frames]
        frames += len(rows)
        turned.append(_turns(tub, rows))
    found = np.abs(np.concatenate(turned)) if turned else np.zeros(0)
    focal = fundamental(found)
    return None if focal is None else PARALLAX * focal


def fundamental(turned: Floats) -> float | None:
    """The focal length of which most of ``turned`` are whole multiples, or None when too few are.

    Args:
        turned: shifts between two visits to a place, as picture widths a radian if they were a turn; any sign.
    """
    candidates = np.geomspace(*RANGE, 240)
    laps = np.arange(1, TURNS + 1)
    # A lap's own peak counts in full, its multiples by their share: else half a focal length would explain as much.
    near = np.exp(-0.5 * ((turned[:, None, None] / laps - candidates[:, None]) / (WIDTH * candidates[:, None])) ** 2)
    support = (near / laps).sum(axis=(0, 2))
    best = int(support.argmax()) if len(turned) else 0
    focal = candidates[best]
    agreeing = turned[np.abs(turned - focal) < 2 * WIDTH * focal]
    return float(np.median(agreeing)) if len(agreeing) >= ENOUGH else None


def _turns(tub: Tub, rows: NDArray[np.int64]) -> Floats:
    """Shifts between visits to one place, over all pictures of a stretch; in picture widths a radian."""
    shift, thumbnails, stamps = [0.0], [], []
    before = window = None
    width = 1
    for row in rows:
        picture = tub.picture(int(row))
        if isinstance(picture, str):
            continue
        height, width = picture.shape
        band = picture[int(BAND[0] * height) : int(BAND[1] * height)].astype(np.float32)
        band -= band.mean(axis=1, keepdims=True)
        if before is not None and band.shape == before.shape:
            if window is None:
                window = cv2.createHanningWindow(band.shape[::-1], cv2.CV_32F)
            shift.append(shift[-1] + cv2.phaseCorrelate(before, band, window)[0][0])
        elif before is not None:
            continue
        before = band
        small = cv2.resize(picture, THUMBNAIL, interpolation=cv2.INTER_AREA)
        small = small.astype(np.float32).ravel() - small.mean()
        thumbnails.append(small / max(float(np.linalg.norm(small)), 1e-6))
        stamps.append(tub.stamp[row])
    total, stamp = np.array(shift), np.array(stamps)
    known = np.array(thumbnails)
    turned = []
    for row in range(0, len(stamp), EVERY):
        low, high = np.searchsorted(stamp, stamp[row] + np.array(LAP))
        if low >= high:
            break
        alike = known[low:high] @ known[row]
        if alike.max() > SAME:
            turned.append(total[low + int(alike.argmax())] - total[row])
    return np.array(turned) / (2 * np.pi * width)


def _cuts(segment: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.diff(segment)) + 1
