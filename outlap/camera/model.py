"""Camera model: which way each pixel looks, and which pixel sees a point.

Optical frame as in REP-103: x right, y down, z forward. Pixel (0, 0) is the middle of the first pixel.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlap.vehicle.car import Lens

Array = NDArray[np.float64]

# Optical axes in base_link axes (x forward, y left, z up) for a camera that looks straight ahead.
OPTICAL_TO_BASE = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
SEARCH_STEPS = 4096  # samples when looking for the angle or radius at which a distortion curve turns back
NEWTON_STEPS = 20  # from a good start, far more than double precision needs


def rays(lens: Lens) -> Array:
    """Unit vectors in the optical frame through the pixel centres, shape (height, width, 3).

    Right for fisheye lenses beyond 180 degrees. A pixel outside the circle that the lens can see (its distortion
    curve has turned back) gets the ray of the nearest pixel on that circle.
    """
    u, v = np.meshgrid(np.arange(lens.width, dtype=float), np.arange(lens.height, dtype=float))
    x, y = (u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy
    if lens.model == "fisheye":
        radius = np.hypot(x, y)
        angle = _fisheye_angle(lens, radius)
        across = np.where(radius > 0, np.sin(angle) / np.maximum(radius, 1e-12), 1.0)
        return np.stack([x * across, y * across, np.cos(angle)], axis=-1)
    if any(lens.distortion):
        pixels = np.stack([u, v], axis=-1).reshape(-1, 1, 2)
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-10)
        flat = cv2.undistortPointsIter(pixels, _matrix(lens), _coefficients(lens, 5), np.eye(3), np.eye(3), criteria)
        x, y = flat[:, 0, 0].reshape(x.shape), flat[:, 0, 1].reshape(x.shape)
    through = np.stack([x, y, np.ones_like(x)], axis=-1)
    return through / np.linalg.norm(through, axis=-1, keepdims=True)


def project(lens: Lens, points: ArrayLike) -> Array:
    """Pixels (..., 2) at which the lens sees ``points`` (..., 3) of the optical frame, in any unit of length.

    NaN for a point that it cannot see at any radius: behind a pinhole, or beyond the angle at which the distortion
    curve turns back. The pixel may lie outside the picture.
    """
    x, y, z = np.moveaxis(np.asarray(points, dtype=float), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if lens.model == "fisheye":
            across = np.hypot(x, y)
            angle = np.arctan2(across, z)
            scale = np.where(across > 0, _fisheye_radius(lens, angle) / np.maximum(across, 1e-300), 0.0)
            a, b = x * scale, y * scale
            visible = (angle <= _fisheye_limit(lens)) & ((across > 0) | (z > 0))
        else:
            a, b = x / z, y / z
            k1, k2, p1, p2, k3 = _coefficients(lens, 5)
            square = a * a + b * b
            visible = (z > 0) & (square <= _pinhole_limit(lens) ** 2)
            radial = 1 + square * (k1 + square * (k2 + square * k3))
            a, b = (
                a * radial + 2 * p1 * a * b + p2 * (square + 2 * a * a),
                b * radial + p1 * (square + 2 * b * b) + 2 * p2 * a * b,
            )
        pixels = np.stack([lens.fx * a + lens.cx, lens.fy * b + lens.cy], axis=-1)
    return np.where(visible[..., None], pixels, np.nan)


def mount_rotation(pitch: float, roll: float = 0.0, yaw: float = 0.0) -> Array:
    """Rotation (3, 3) that turns vectors of the optical frame into base_link (x forward, y left, z up).

    Angles in rad, applied as yaw about z, then pitch about y (positive looks down), then roll about the forward axis
    (positive tips the camera to its right), as in REP-103.
    """
    (cp, sp), (cr, sr), (cy, sy) = ((math.cos(a), math.sin(a)) for a in (pitch, roll, yaw))
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return about_z @ about_y @ about_x @ OPTICAL_TO_BASE


def _coefficients(lens: Lens, count: int) -> Array:
    coefficients = np.zeros(count)
    given = lens.distortion[:count]
    coefficients[: len(given)] = given
    return coefficients


def _matrix(lens: Lens) -> Array:
    return np.array([[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1]])


def _fisheye_radius(lens: Lens, angle: Array) -> Array:
    """Kannala-Brandt: distance from the middle, in focal lengths, at ``angle`` rad off the optical axis."""
    k1, k2, k3, k4 = _coefficients(lens, 4)
    square = angle * angle
    return angle * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))


def _fisheye_slope(lens: Lens, angle: Array) -> Array:
    k1, k2, k3, k4 = _coefficients(lens, 4)
    square = angle * angle
    return 1 + square * (3 * k1 + square * (5 * k2 + square * (7 * k3 + square * 9 * k4)))


def _fisheye_limit(lens: Lens) -> float:
    """Largest angle (rad, at most pi) up to which the radius grows."""
    angles = np.linspace(0, math.pi, SEARCH_STEPS)
    turned = np.flatnonzero(_fisheye_slope(lens, angles) <= 0)
    return float(angles[max(turned[0] - 1, 0)] if len(turned) else math.pi)


def _fisheye_angle(lens: Lens, radius: Array) -> Array:
    """Inverse of the fisheye radius, saturated at its limit."""
    limit = _fisheye_limit(lens)
    table = np.linspace(0, limit, SEARCH_STEPS)
    angle = np.interp(radius, _fisheye_radius(lens, table), table)
    for _ in range(NEWTON_STEPS):
        step = (_fisheye_radius(lens, angle) - radius) / np.maximum(_fisheye_slope(lens, angle), 1e-6)
        angle = np.clip(angle - step, 0, limit)
    return angle


def _pinhole_limit(lens: Lens) -> float:
    """Largest undistorted radius (in focal lengths) up to which the distorted one grows."""
    k1, k2, _, _, k3 = _coefficients(lens, 5)
    radii = np.tan(np.linspace(0, math.pi / 2 - 1e-3, SEARCH_STEPS))
    square = radii * radii
    slope = 1 + square * (3 * k1 + square * (5 * k2 + square * 7 * k3))
    turned = np.flatnonzero(slope <= 0)
    return float(radii[max(turned[0] - 1, 0)]) if len(turned) else math.inf
