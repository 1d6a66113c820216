"""Bends the plain pinhole's picture that Gazebo draws into what the car's own lens sees."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.camera.model import project, rays
from outlap.camera.warp import denser
from outlap.vehicle.car import Lens

SAMPLES = 2  # across one pixel of the car's picture; towards its corners Gazebo's is several times as fine
NOWHERE = -1e4  # pixels; where the map points when Gazebo's picture does not hold a direction: black


def pinhole(width: int, height: int, matrix: Sequence[float]) -> Lens:
    """Gazebo's camera as it describes itself.

    Args:
        width: pixels.
        height: pixels.
        matrix: the nine numbers of CameraInfo's ``k``; Gazebo counts pixels from the first one's corner.

    Raises:
        ValueError: these are no camera's.
    """
    fx, fy, cx, cy = matrix[0], matrix[4], matrix[2] - 0.5, matrix[5] - 0.5
    return Lens(model="pinhole", width=width, height=height, fx=fx, fy=fy, cx=cx, cy=cy)


class Bend:
    """From pictures of ``seen`` to pictures of ``lens``, both looking the same way from the same place."""

    def __init__(self, lens: Lens, seen: Lens) -> None:
        self._lens, self.seen = lens, seen
        pixels = project(seen, rays(denser(lens, SAMPLES)))
        pixels = np.where(np.isnan(pixels), NOWHERE, np.clip(pixels, NOWHERE, -NOWHERE)).astype(np.float32)
        self._maps = cv2.convertMaps(pixels[..., 0], pixels[..., 1], cv2.CV_16SC2)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) of ``seen``'s size to (h, w, 3) of the lens's.

        Raises:
            ValueError: the picture is of another size.
        """
        if picture.shape != (self.seen.height, self.seen.width, 3):
            raise ValueError(
                f"a picture of shape {picture.shape} came from Gazebo's {self.seen.width}x{self.seen.height}"
            )
        bent = cv2.remap(picture, *self._maps, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, (0, 0, 0))
        size = (self._lens.width, self._lens.height)
        return cv2.resize(bent, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
