"""Finds the row of a recording's horizon from its pictures: above it things rise as a car drives on, below they sink.

That holds at every distance. What is as high as the camera stays on its row, and turning moves it along the horizon.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.footage.tub import Tub

Floats = NDArray[np.float64]

APART = (0.04, 0.09, 0.14)  # s, at least, between the two pictures of a pair: slow cars need longer, fast ones less
PAIRS = 300
WIDTH = 160  # pixels across, to which larger pictures are reduced
CORNERS, QUALITY, SPACING, WINDOW = 60, 0.02, 4, (9, 9)  # of the corners that are followed
RETURN = 0.5  # pixels by which a corner may miss its place when it is followed there and back
MIDDLE = 0.25  # of the width to either side, in which the horizon of a lens that is pitched down is level
LEAST, MOST = 0.3, 3.0  # pixels of rising or sinking that count, and that count in full
WRONG = 0.3  # part of the motion that may go the wrong way, as a passer-by's does
ENOUGH = 200  # corners
BETWEEN = (0.05, 0.8)  # of the height, where a horizon is looked for


def estimate_horizon(tubs: list[Tub], seed: int = 0) -> float | None:
    """The horizon's row in the middle of the picture ÷ picture height; None when the pictures do not tell."""
    rng = np.random.default_rng(seed)
    sizes = np.cumsum([0, *map(len, tubs)])
    places = rng.permutation(sizes[-1])[:PAIRS]
    numbers = np.searchsorted(sizes, places, side="right") - 1
    found = []
    for apart in APART:
        motions = []
        for number, row in zip(numbers, places - sizes[numbers], strict=True):
            tub = tubs[number]
            later = int(np.searchsorted(tub.stamp, tub.stamp[row] + apart))
            if later < len(tub) and tub.segment[later] == tub.segment[row]:
                motions.append(_rising(tub.picture(int(row)), tub.picture(later)))
        if motions:
            found.append(level(np.concatenate(motions)))
    told = [horizon for wrong, horizon in found if wrong < WRONG]
    return float(np.median(told)) if told else None


def level(motions: Floats) -> tuple[float, float]:
    """The height that best parts what rises from what sinks.

    Args:
        motions: (n, 2) row ÷ picture height, and pixels sunk.

    Returns:
        Part of the motion that goes the wrong way (1 when there is too little to tell), and the height.
    """
    row, sunk = motions[np.abs(motions[:, 1]) > LEAST].T
    if len(row) < ENOUGH:
        return 1.0, 0.0
    weight = np.minimum(np.abs(sunk), MOST)
    candidates = np.linspace(*BETWEEN, 151)
    wrong = np.array([weight[(sunk > 0) != (row > candidate)].sum() for candidate in candidates]) / weight.sum()
    # The least is flat where few corners are: its middle.
    least = candidates[wrong <= wrong.min() + 0.002]
    inside = BETWEEN[0] < least[0] and least[-1] < BETWEEN[1]
    return (float(wrong.min()) if inside else 1.0), float(least.mean())


def _rising(one: NDArray[np.uint8] | str, two: NDArray[np.uint8] | str) -> Floats:
    """Rows and sinking (n, 2) of corners in the middle of a picture that are found again in a later one."""
    nothing = np.zeros((0, 2))
    if isinstance(one, str) or isinstance(two, str) or one.shape != two.shape:
        return nothing
    one, two = _small(one), _small(two)
    height, width = one.shape
    mask = np.zeros_like(one)
    mask[:, int((0.5 - MIDDLE) * width) : int((0.5 + MIDDLE) * width)] = 255
    corners = cv2.goodFeaturesToTrack(one, CORNERS, QUALITY, SPACING, mask=mask)
    if corners is None:
        return nothing
    there, found, _ = cv2.calcOpticalFlowPyrLK(one, two, corners, np.zeros_like(corners), winSize=WINDOW, maxLevel=2)
    back, again, _ = cv2.calcOpticalFlowPyrLK(two, one, there, np.zeros_like(there), winSize=WINDOW, maxLevel=2)
    missed = np.linalg.norm(back - corners, axis=-1)
    good = ((found > 0) & (again > 0) & (missed < RETURN)).ravel()
    rows, sunk = corners[good, 0, 1], (there - corners)[good, 0, 1]
    return np.stack([rows / height, sunk], axis=1).astype(float)


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape
    if width <= WIDTH:
        return picture
    return np.asarray(
        cv2.resize(picture, (WIDTH, round(height * WIDTH / width)), interpolation=cv2.INTER_AREA), np.uint8
    )
