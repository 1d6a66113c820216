"""Turns a raw picture into the canonical view: undistorted, levelled, and at the canonical height above the ground."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.camera.model import mount_rotation, project, rays
from outlap.camera.view import View
from outlap.errors import OutlapError
from outlap.vehicle.car import Camera, Lens

MAX_SUPERSAMPLING = 8  # samples across one canonical pixel; enough for a 640 pixel wide raw picture
NOWHERE = -1e4  # pixels; where the map points when the lens does not see a direction
FILL = 128  # grey level of what the lens does not cover


class Warp:
    """One camera's way into one view: all geometry is worked out once, each picture then costs a remap.

    Directions below the horizon are taken to end on the ground, which is moved from the real camera's height and
    sideways offset to the canonical ones; everything above is turned only. For a camera at the canonical height in
    the car's middle the whole warp is a pure rotation.

    Attributes:
        coverage: part of the view's pixels that the lens sees, 0 to 1; the others get the ``fill`` grey level.
    """

    def __init__(self, camera: Camera, view: View, fill: int = FILL) -> None:
        self.camera = camera
        self.view = view
        self.fill = fill
        plain = _source_pixels(camera, view, 1)
        self.coverage = float(_inside(plain, camera.lens).mean())
        # The raw picture is often finer than the view. Sampling it there point by point would let far lines flicker, so
        # it is averaged down as far as the view is coarser everywhere, and where it is coarser still the view is
        # sampled more densely and averaged.
        finest, coarsest = _steps(plain)
        self._reduction = _reduction(finest, camera.lens)
        self._supersampling = int(np.clip(np.ceil(coarsest / self._reduction - 0.25), 1, MAX_SUPERSAMPLING))
        dense = (_source_pixels(camera, view, self._supersampling) + 0.5) / self._reduction - 0.5
        dense = np.where(np.isnan(dense), NOWHERE, np.clip(dense, NOWHERE, -NOWHERE)).astype(np.float32)
        self._maps = cv2.convertMaps(dense[..., 0], dense[..., 1], cv2.CV_16SC2)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Warp one raw picture, (H, W, 3) rgb8 or (H, W) mono8, into the view, (h, w) mono8.

        Raises:
            OutlapError: the picture is not of the size that the car file gives.
        """
        lens = self.camera.lens
        if image.shape[:2] != (lens.height, lens.width) or image.shape[2:] not in ((), (3,)):
            raise OutlapError(
                f"a camera picture of shape {image.shape} came, the car file's camera.lens says {lens.width}x"
                f"{lens.height} pixels, rgb8 or mono8: correct camera.lens or the camera's settings."
            )
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
        if self._reduction > 1:
            size = lens.width // self._reduction, lens.height // self._reduction
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        dense = cv2.remap(grey, *self._maps, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, self.fill)
        if self._supersampling > 1:
            dense = cv2.resize(dense, (self.view.width, self.view.height), interpolation=cv2.INTER_AREA)
        return dense.astype(np.uint8, copy=False)


def _source_pixels(camera: Camera, view: View, samples: int) -> NDArray[np.float64]:
    """Raw pixels (h * samples, w * samples, 2) that each (part of a) canonical pixel shows; NaN where unseen."""
    directions = rays(denser(view.lens, samples)) @ mount_rotation(view.pitch).T
    # A ground point at t * d from the canonical camera (0, 0, h) is, seen from the real one at (0, y, H),
    # t * d + (0, -y, h - H); divided by t = h / -d_z that has no infinity at the horizon.
    down = np.minimum(directions[..., 2], 0) / view.camera_height
    directions[..., 1] += camera.y * down
    directions[..., 2] += (camera.height - view.camera_height) * down
    mount = mount_rotation(camera.pitch, camera.roll, camera.yaw)
    return project(camera.lens, directions @ mount)


def denser(lens: Lens, samples: int) -> Lens:
    """The same lens with ``samples`` times as many pixels both ways."""
    return lens.model_copy(
        update={
            "width": lens.width * samples,
            "height": lens.height * samples,
            "fx": lens.fx * samples,
            "fy": lens.fy * samples,
            "cx": (lens.cx + 0.5) * samples - 0.5,
            "cy": (lens.cy + 0.5) * samples - 0.5,
        }
    )


def _inside(pixels: NDArray[np.float64], lens: Lens) -> NDArray[np.bool_]:
    """Which pixels (..., 2) lie in the picture; NaN does not."""
    x, y = pixels[..., 0], pixels[..., 1]
    return (x >= -0.5) & (x <= lens.width - 0.5) & (y >= -0.5) & (y <= lens.height - 0.5)


def _steps(pixels: NDArray[np.float64]) -> tuple[float, float]:
    """How many raw pixels the step from one canonical pixel to the next spans, at least and at most (5% aside)."""
    steps = [np.linalg.norm(np.diff(pixels, axis=axis), axis=-1) for axis in (0, 1)]
    bounds = [np.nanpercentile(step, (5, 95)) for step in steps if np.isfinite(step).any()] or [np.ones(2)]
    return float(min(low for low, _ in bounds)), float(max(high for _, high in bounds))


def _reduction(finest: float, lens: Lens) -> int:
    """By which power of two the raw picture may be averaged down, so that no step becomes shorter than two pixels."""
    reduction = 1
    while 4 * reduction <= finest and lens.width % (2 * reduction) == lens.height % (2 * reduction) == 0:
        reduction *= 2
    return reduction
