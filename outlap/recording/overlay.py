"""A canonical view with both paths drawn on the floor: the one that was driven, and the one that a policy wants."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.camera.model import mount_rotation, project
from outlap.camera.view import View
from outlap.camera.warp import denser
from outlap.files import replaced, write_atomic

Image = NDArray[np.uint8]

SCALE = 8  # pixels a pixel of the view
PANEL = 56  # pixels, height of the strip with the numbers
NEAR, FAR, STEP = 0.25, 2.0, 0.05  # m along a path
RECORDED, WANTED, INK, BACK = (255, 200, 0), (0, 200, 255), (235, 235, 235), (24, 26, 30)  # RGB
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_both(
    pixels: Image, view: View, ahead: float, title: str, recorded: NDArray[np.float64], wanted: NDArray[np.float64]
) -> Image:
    """A moment as a picture, (h, w, 3) RGB with even sides.

    Args:
        pixels: the canonical view, (H, W) mono8.
        view: its geometry.
        ahead: m that the camera stands ahead of the rear axle.
        title: what stands below.
        recorded: curvature in 1/m, left positive, and speed in m/s, as driven; NaN where unknown.
        wanted: the same, as the policy wants.
    """
    width, height = view.width * SCALE, view.height * SCALE
    canvas = np.empty((height + PANEL, width, 3), np.uint8)
    canvas[:height] = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST)[..., None]
    canvas[height:] = BACK
    for (curvature, _), colour, thickness in ((recorded, RECORDED, 6), (wanted, WANTED, 3)):
        if math.isfinite(curvature):
            path = _path(view, ahead, float(curvature))
            cv2.polylines(canvas[:height], [path], False, colour, thickness, cv2.LINE_AA)
    for text, at, colour in (
        (title, (10, height + 22), INK),
        (f"recorded {_words(recorded)}", (10, height + 44), RECORDED),
        (f"policy {_words(wanted)}", (width // 2, height + 44), WANTED),
    ):
        cv2.putText(canvas, text, at, FONT, 0.5, colour, 1, cv2.LINE_AA)
    return canvas


def write_film(path: Path, pictures: Iterable[Image], rate: float) -> None:
    """Encode pictures (h, w, 3) RGB as H.264, ``rate`` a second.

    Raises:
        OutlapError: the folder cannot be written.
    """
    import av

    with replaced(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000))
        stream.pix_fmt = "yuv420p"  # the only one that every player knows
        for row, picture in enumerate(pictures):
            if row == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.options = {"preset": "superfast", "crf": "23"}
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())


def contact_sheet(pictures: Iterable[Image], columns: int = 2) -> Image:
    """Pictures of one size side by side, row by row."""
    cells = list(pictures)
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    rows: Iterator[list[Image]] = (cells[first : first + columns] for first in range(0, len(cells), columns))
    return np.vstack([np.hstack(row) for row in rows])


def write_png(path: Path, picture: Image) -> None:
    """Write a picture (h, w, 3) RGB.

    Raises:
        OutlapError: the folder cannot be written.
    """
    write_atomic(path, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def _words(what: NDArray[np.float64]) -> str:
    curvature, speed = what
    return f"{curvature:+.2f} 1/m {speed:.2f} m/s" if math.isfinite(curvature) else "unknown"


def _path(view: View, ahead: float, curvature: float) -> NDArray[np.int32]:
    """Pixels (k, 1, 2) of the circle that the middle of the rear axle drives, as far as the enlarged view shows it."""
    along = np.arange(NEAR, FAR, STEP) + ahead
    turned = curvature * along
    # sin(t)/t and (1 - cos t)/t without dividing by a curvature of zero.
    forward = along * np.sinc(turned / np.pi)
    aside = along * np.sin(turned / 2) * np.sinc(turned / 2 / np.pi)
    points = np.stack([forward - ahead, aside, np.full_like(along, -view.camera_height)], axis=1)
    pixels = project(denser(view.lens, SCALE), points @ mount_rotation(view.pitch))
    seen = np.isfinite(pixels).all(axis=1)
    return np.round(np.clip(pixels[seen], -1e4, 1e4)).astype(np.int32)[:, None]
