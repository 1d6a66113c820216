"""How fast a recorded car turned, from its pictures alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.camera.model import mount_rotation, project
from outlap.vehicle.car import Camera

ABOVE, BELOW = 0.30, 0.05  # rad of elevation; the band of the room that turning moves sideways, and driving hardly


class YawMeter:
    """Angles turned between pictures, by phase correlation of the band around the horizon.

    The shift of that band is the same for all its columns in a fisheye picture, whose columns are nearly azimuths.
    """

    def __init__(self, camera: Camera) -> None:
        lens = camera.lens
        mount = mount_rotation(camera.pitch, camera.roll, camera.yaw)
        ahead = np.array([[np.cos(a), 0.0, np.sin(a)] for a in (ABOVE, -BELOW)])
        top, bottom = project(lens, ahead @ mount)[:, 1]
        self._rows = slice(max(round(top), 0), max(round(bottom), 8))
        self._focal = lens.fx
        self._window: NDArray[np.float32] | None = None
        self._before: NDArray[np.float32] | None = None

    def __call__(self, picture: NDArray[np.uint8]) -> float:
        """Angle in rad, left positive, turned since the picture shown before; NaN for the first."""
        band = picture[self._rows].astype(np.float32)
        band -= band.mean(axis=1, keepdims=True)
        if self._window is None:
            self._window = np.asarray(cv2.createHanningWindow(band.shape[::-1], cv2.CV_32F), np.float32)
        before, self._before = self._before, band
        if before is None:
            return float("nan")
        (shift, _), _ = cv2.phaseCorrelate(before, band, self._window)
        return shift / self._focal
