"""laps.mp4: what the cars of a validation saw, side by side."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from outlap.files import replaced

COLUMNS, ROWS = 3, 2  # cars shown
SCALE = 4  # pixels of the film a pixel of the canonical view
LONGEST = 15.0  # s


class LapFilm:
    """Collects pictures and writes them as H.264, which every browser plays.

    Args:
        rate_hz: pictures a second.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate = Fraction(rate_hz).limit_denominator(1000)
        self._scenes: list[NDArray[np.uint8]] = []

    def add(self, pictures: NDArray[np.uint8], driving: NDArray[np.bool_]) -> None:
        """One step: what the cars see (n, H, W), and which of them still drive (n,); the others grow dark."""
        if len(self._scenes) >= LONGEST * self._rate:
            return
        n, height, width = pictures.shape
        wall = np.zeros((ROWS * COLUMNS, height, width), np.uint8)
        shown = min(n, ROWS * COLUMNS)
        wall[:shown] = np.where(driving[:shown, None, None], pictures[:shown], pictures[:shown] // 3)
        self._scenes.append(wall.reshape(ROWS, COLUMNS, height, width).swapaxes(1, 2).reshape(ROWS * height, -1))

    def write(self, path: Path) -> None:
        """Encode all of it; without any picture nothing is written.

        Raises:
            OutlapError: the folder cannot be written.
        """
        if not self._scenes:
            return
        with replaced(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=self._rate, options={"preset": "superfast", "crf": "23"})
            stream.height, stream.width = (SCALE * side for side in self._scenes[0].shape)
            stream.pix_fmt = "yuv420p"  # the only one that every player knows
            for scene in self._scenes:
                large = np.kron(scene, np.ones((SCALE, SCALE), np.uint8))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(large, "gray")))
            container.mux(stream.encode())
