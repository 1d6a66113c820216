"""A strip of the frames in which a policy disagreed most with the human, each with both steerings drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.errors import OutlapError
from outlap.files import write_atomic
from outlap.footage.assess import Report, Shown
from outlap.footage.score import FULL, Series, shifted, smoothed

Image = NDArray[np.uint8]

COUNT = 12  # frames
APART = 2.0  # s, at least, between two of them
COLUMNS = 3
HEIGHT = 180  # pixels of a frame
REACH = 0.4  # of the width, that a full turn is drawn aside
HUMAN, POLICY, INK = (255, 200, 0), (0, 220, 255), (235, 235, 235)  # RGB
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_strip(path: Path, shown: list[Shown], report: Report, view: View) -> int:
    """Write the strip as PNG; yellow is the human's smoothed steering, blue the policy's, scaled alike.

    Returns:
        How many frames it holds.

    Raises:
        OutlapError: the file cannot be written.
    """
    human = [smoothed(one.series.stamp, one.series.segment, one.series.human) for one in shown]
    human = [
        shifted(one.series.stamp, one.series.segment, h, report.total.human.lag_s)
        for one, h in zip(shown, human, strict=True)
    ]
    scale = _scale(human), _scale([one.series.policy for one in shown])
    warp, cells = Warp(report.camera, view), []
    for number, row in _worst([one.series for one in shown], human, scale):
        one = shown[number]
        picture = one.tub.picture(row)
        if not isinstance(picture, str):
            wanted = (float(human[number][row] / scale[0]), float(one.series.policy[row] / scale[1]))
            name = f"{report.tubs[number].name}/{one.tub.images[row].name.split('_')[0]}"
            cells.append(_cell(picture, warp(picture), wanted, name))
    if not cells:
        raise OutlapError(f"{report.footage}: there is no frame to draw a strip of.")
    blank = np.zeros_like(cells[0])
    cells += [blank] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    _, content = cv2.imencode(".png", np.vstack(rows)[..., ::-1])
    write_atomic(path, content.tobytes())
    return sum(cell is not blank for cell in cells)


def _scale(values: list[NDArray[np.float64]]) -> float:
    """What is drawn as a full turn: the 90th percentile."""
    known = np.concatenate(values)
    known = np.abs(known[np.isfinite(known)])
    return max(float(np.percentile(known, FULL)), 1e-6) if len(known) else 1.0


def _worst(series: list[Series], human: list[NDArray[np.float64]], scale: tuple[float, float]) -> list[tuple[int, int]]:
    """Recording and row of the frames of largest disagreement, in that order, and none too near to a worse one."""
    candidates = [
        (-float(gap), number, row)
        for number, (one, wanted) in enumerate(zip(series, human, strict=True))
        for row, gap in enumerate(np.abs(np.clip(one.policy / scale[1], -1, 1) - np.clip(wanted / scale[0], -1, 1)))
        if np.isfinite(gap)
    ]
    chosen: list[tuple[int, int]] = []
    for _, number, row in sorted(candidates):
        stamp = series[number].stamp
        if all(number != other or abs(stamp[row] - stamp[near]) > APART for other, near in chosen):
            chosen.append((number, row))
        if len(chosen) == COUNT:
            break
    return chosen


def _cell(picture: Image, view: Image, wanted: tuple[float, float], name: str) -> Image:
    """The recorded frame beside the canonical view, with the two steerings below."""
    both = [
        cv2.resize(one, (round(one.shape[1] * HEIGHT / one.shape[0]), HEIGHT), interpolation=way)
        for one, way in ((picture, cv2.INTER_LINEAR), (view, cv2.INTER_NEAREST))
    ]
    cell = cv2.cvtColor(np.hstack(both), cv2.COLOR_GRAY2RGB)
    cell = np.vstack([cell, np.zeros((34, cell.shape[1], 3), np.uint8)])
    width, middle = cell.shape[1], cell.shape[1] // 2
    for line, (value, colour) in enumerate(zip(wanted, (HUMAN, POLICY), strict=True)):
        end = middle - round(float(np.clip(value, -1, 1)) * REACH * width)  # left positive, so to the left
        y = HEIGHT + 5 + 7 * line
        cv2.line(cell, (middle, y), (end, y), colour, 4)
    cv2.line(cell, (middle, HEIGHT), (middle, HEIGHT + 16), INK, 1)
    text = f"{name}  human {wanted[0]:+.2f}  policy {wanted[1]:+.2f}"
    cv2.putText(cell, text, (4, HEIGHT + 29), FONT, 0.38, INK, 1, cv2.LINE_AA)
    return np.asarray(cv2.copyMakeBorder(cell, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0)), np.uint8)
