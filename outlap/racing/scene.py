"""One moment of a race as a picture: what the camera saw, with the canonical view and the commands drawn in."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

WIDTH = 640  # pixels, about, of the longer side of the camera's picture
SMALLEST = 128  # pixels that either side has at least, however odd the camera's picture is
PANEL = 64  # pixels, height of the strip with the bars
INK, ACCENT, DIM, BACK = (235, 235, 235), (255, 170, 60), (95, 100, 110), (24, 26, 30)  # RGB


def draw_scene(
    raw: Image, view: Image | None, title: str, steering: float, speed: float, full: tuple[float, float]
) -> Image:
    """Draw a moment, (h, w, 3) RGB with even sides.

    Args:
        raw: what the camera saw, (H, W, 3) rgb8.
        view: the canonical view of it, (h, w) mono8, if there is one.
        title: what stands above.
        steering: rad, left positive, as sent to the actuator.
        speed: m/s, likewise.
        full: what fills the bars, rad and m/s.
    """
    scale = max(1, round(WIDTH / max(raw.shape[:2])))
    # H.264's colour planes are of half size: both sides must be even.
    width, height = (max(side * scale // 2 * 2, SMALLEST) for side in (raw.shape[1], raw.shape[0]))
    canvas = np.empty((height + PANEL, width, 3), np.uint8)
    canvas[:height] = cv2.resize(raw, (width, height), interpolation=cv2.INTER_CUBIC)
    canvas[height:] = BACK
    if view is not None:
        _inset(canvas, view, width)
    write(canvas, title, (12, 26))
    middle, top, bottom = width // 2, height + 34, height + 50
    # Steering from the middle outwards, left to the left; speed from left to right.
    left, right = middle // 2, middle + middle // 2
    reach = left - 16
    steer = int(np.clip(steering / full[0], -1, 1) * reach)
    go = int(np.clip(speed / full[1], -1, 1) * 2 * reach)
    cv2.rectangle(canvas, (left - reach, top), (left + reach, bottom), DIM, 1)
    cv2.rectangle(canvas, (left, top + 2), (left - steer, bottom - 2), ACCENT, cv2.FILLED)
    cv2.line(canvas, (left, top - 3), (left, bottom + 3), INK, 1)
    cv2.rectangle(canvas, (right - reach, top), (right + reach, bottom), DIM, 1)
    cv2.rectangle(canvas, (right - reach, top + 2), (right - reach + go, bottom - 2), ACCENT, cv2.FILLED)
    write(canvas, f"steering {math.degrees(steering):+5.1f} deg", (left - reach, height + 24))
    write(canvas, f"speed {speed:4.2f} m/s", (right - reach, height + 24))
    return canvas


def write(canvas: Image, text: str, at: tuple[int, int]) -> None:
    """Write into a picture; ``at``: (x, y) of the text's lower left corner, pixels."""
    for colour, thickness in ((BACK, 3), (INK, 1)):
        cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thickness, cv2.LINE_AA)


def _inset(canvas: Image, view: Image, width: int) -> None:
    """The canonical view in the upper right corner, framed."""
    scale = max(1, width // 4 // max(view.shape))
    large = cv2.resize(view, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    large = large[: canvas.shape[0] - 24, : width - 24]  # of one that is larger than the picture, a part
    y, x = 10, width - 10 - large.shape[1]
    canvas[y - 2 : y + large.shape[0] + 2, x - 2 : x + large.shape[1] + 2] = INK
    canvas[y : y + large.shape[0], x : x + large.shape[1]] = large[..., None]
