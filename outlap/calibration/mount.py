"""Finds how the camera is mounted from pictures of a board that lies flat on the floor.

All placements share the floor, so height, pitch and roll come from all of them together. One placement may be measured:
the board's middle straight ahead of the rear axle at a known distance; from it come yaw and x, with y as the car file
has it. How the board is turned is never asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.calibration.board import Seen
from outlap.calibration.carfile import Changes
from outlap.camera.model import mount_rotation, project, rays
from outlap.errors import OutlapError
from outlap.vehicle.car import Camera, Lens

Array = NDArray[np.float64]

# A board that lies square before the car, its printed top away from it: its axes in base_link's.
LYING = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
STEPS, SMALL = 60, 1e-7
HUBER = 1.0  # pixels
LEAST_NOISE = 0.05  # pixels; no picture is better than that
TAPE, ASIDE = 0.005, 0.003  # m, standard deviations of where the measured board lies: ahead, and to a side
LARGEST_RMS = 1.5  # pixels in a picture up to 640 wide, in proportion beyond
LIMITS = {"height": (0.0, 1.0), "pitch": (-0.5, 1.2), "roll": (-0.5, 0.5), "yaw": (-0.5, 0.5), "x": (-1.0, 1.0)}


@dataclass
class MountFound:
    """Where the camera is, with standard deviations under the same names; m and rad."""

    height: float
    pitch: float
    roll: float
    yaw: float | None  # none: no placement was measured
    x: float | None
    sigma: dict[str, float]
    rms: float  # pixels
    each: list[tuple[float, ...]]  # height, pitch and roll by each placement alone

    def changes(self) -> Changes:
        """Of the car file."""
        found = {"height": self.height, "pitch": self.pitch, "roll": self.roll, "yaw": self.yaw, "x": self.x}
        return {("camera", name): round(value, 5) for name, value in found.items() if value is not None}


def find_mount(
    placements: Sequence[Sequence[Seen]], camera: Camera, ahead: float | None, thickness: float = 0.0
) -> MountFound:
    """The mount from pictures of a board on the floor.

    Args:
        placements: for each place where the board lay, what was seen of it.
        camera: of the car file; its lens is taken to be right, and y.
        ahead: of the first placement: m from the rear axle to the board's middle, straight ahead; none: not measured.
        thickness: m, of the board.

    Raises:
        OutlapError: the board does not lie on the floor before the camera, or the lens does not fit the pictures.
    """
    if ahead is not None and not (placements and placements[0]):
        raise OutlapError(
            "the board was not found at the measured place: lay it where it is seen wholly, in good light."
        )
    placements = [placement for placement in placements if placement]
    views = [(place, seen) for place, placement in enumerate(placements) for seen in placement]
    if not views:
        raise OutlapError("the board was not found: it must be seen wholly, flat on the floor, in good light.")
    directions = rays(camera.lens)
    poses = [_posed(seen, directions) for _, seen in views]
    each = [_tilt(rotation, place, thickness) for rotation, place in poses]
    height, pitch, roll = np.median(np.array(each), axis=0)
    if not abs(roll) < 0.8:
        raise OutlapError("the camera seems to hang upside down or on its side: turn its picture upright first.")
    yaw = 0.0
    starts = _starts(views, poses, (pitch, roll), len(placements))
    if ahead is not None:
        yaw = float(np.arctan2(-camera.y, ahead - camera.x) - np.arctan2(starts[0, 1], starts[0, 0]))
    problem = _Problem(views, camera, ahead, thickness, len(placements))
    first = problem.packed(height, pitch, roll, yaw, starts, camera)
    found, covariance, rms = _least_squares(problem.residuals, first)
    if rms > LARGEST_RMS * max(camera.lens.width / 640, 1.0):
        raise OutlapError(
            f"the board's corners are off by {rms:.2f} pixels: is the board's size as given, does it lie flat, and is "
            "the lens calibrated at this picture size?"
        )
    sigma = np.sqrt(np.diag(covariance))
    names = ["height", "pitch", "roll", *(["yaw", "x"] if ahead is not None else [])]
    values = dict(zip(names, (float(value) for value in found), strict=False))
    spread = dict(zip(names, (float(value) for value in sigma), strict=False))
    if ahead is not None:
        spread["yaw"] = float(np.hypot(spread["yaw"], ASIDE / max(ahead - values["x"], 0.05)))
        spread["x"] = float(np.hypot(spread["x"], TAPE))
    for name, value in values.items():
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise OutlapError(
                f"camera.{name} would be {value:.3f}, which cannot be: where does the board lie, and is the picture "
                "upright and not mirrored?"
            )
    by_place = [
        tuple(float(v) for v in np.mean([each[i] for i, (at, _) in enumerate(views) if at == place], axis=0))
        for place in range(len(placements))
    ]
    return MountFound(
        values["height"], values["pitch"], values["roll"], values.get("yaw"), values.get("x"), spread, rms, by_place
    )


class _Problem:
    """The unknown numbers in one row: height pitch roll, yaw and x if measured, then each board's x, y and turn."""

    def __init__(
        self, views: list[tuple[int, Seen]], camera: Camera, ahead: float | None, thickness: float, places: int
    ) -> None:
        self._views, self._lens, self._y = views, camera.lens, camera.y
        self._ahead, self._thickness, self._places = ahead, thickness, places

    def packed(self, height: float, pitch: float, roll: float, yaw: float, starts: Array, camera: Camera) -> Array:
        """A row from separate numbers; ``starts`` (n, 3): the boards' places as a camera at (0, 0), yaw 0 sees them."""
        cos, sin = np.cos(yaw), np.sin(yaw)
        boards = starts @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) + np.array([0, camera.y, yaw])
        if self._ahead is None:
            return np.array([height, pitch, roll, *boards.ravel()])
        x = self._ahead - boards[0, 0]
        boards[:, 0] += x
        return np.array([height, pitch, roll, yaw, x, boards[0, 2], *boards[1:].ravel()])

    def residuals(self, numbers: Array) -> Array:
        """Expected less seen, pixels."""
        height, pitch, roll, *rest = numbers
        yaw, x = 0.0, 0.0
        if self._ahead is not None:
            yaw, x, turn, *rest = rest
            rest = [self._ahead, 0.0, turn, *rest]
        boards = np.reshape(rest, (self._places, 3))
        mount, eye = mount_rotation(pitch, roll, yaw), np.array([x, self._y, height])
        found = []
        for place, seen in self._views:
            at_x, at_y, turn = boards[place]
            cos, sin = np.cos(turn), np.sin(turn)
            floor = seen.points @ (np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ LYING).T
            pixels = project(self._lens, (floor + np.array([at_x, at_y, self._thickness]) - eye) @ mount)
            found.append(np.nan_to_num(pixels - seen.pixels, nan=1e3).ravel())
        return np.concatenate(found)


def _posed(seen: Seen, directions: Array) -> tuple[Array, Array]:
    """Rotation and place of the board in the optical frame."""
    x, y = (seen.pixels[None, :, axis].astype(np.float32) for axis in (0, 1))
    way = cv2.remap(directions.astype(np.float32), x, y, cv2.INTER_LINEAR)[0]
    flat = (way[:, :2] / np.maximum(way[:, 2:], 0.05)).astype(np.float64)
    found, turned, place = cv2.solvePnP(seen.points, flat, np.eye(3), None, flags=cv2.SOLVEPNP_IPPE)
    if not found:
        raise OutlapError("the board's place cannot be told: lay it nearer to the car.")
    return cv2.Rodrigues(turned)[0].astype(np.float64), place.ravel().astype(np.float64)


def _tilt(rotation: Array, place: Array, thickness: float) -> tuple[float, float, float]:
    """Height, pitch and roll of the camera, from a board's pose: up is against the board's z axis."""
    up = -rotation[:, 2]
    return (
        float(-up @ place) + thickness,
        float(np.arcsin(np.clip(-up[2], -1, 1))),
        float(np.arctan2(-up[0], -up[1])),
    )


def _starts(
    views: list[tuple[int, Seen]],
    poses: list[tuple[Array, Array]],
    tilt: tuple[float, float],
    places: int,
) -> Array:
    """x, y and turn of each placement, for a camera at (0, 0) that looks straight ahead."""
    mount = mount_rotation(*tilt)
    starts = np.zeros((places, 3))
    for (place, _), (rotation, middle) in zip(views, poses, strict=True):
        turned = mount @ rotation @ LYING.T
        starts[place] = *(mount @ middle)[:2], np.arctan2(turned[1, 0], turned[0, 0])
    return starts


def _least_squares(residuals: Callable[[Array], Array], first: Array) -> tuple[Array, Array, float]:
    """Levenberg and Marquardt with Huber's weights: the numbers, their covariance, and the rms error of a corner."""

    def cost(values: Array) -> float:
        size = np.abs(values)
        return float(np.sum(np.where(size < HUBER, size**2 / 2, HUBER * (size - HUBER / 2))))

    numbers, values, damping = first.copy(), residuals(first), 1e-3
    for _ in range(STEPS):
        slopes = np.stack([(residuals(numbers + SMALL * one) - values) / SMALL for one in np.eye(len(numbers))], axis=1)
        weight = np.minimum(1.0, HUBER / np.maximum(np.abs(values), 1e-12))
        matrix = slopes.T @ (weight[:, None] * slopes)
        right = -slopes.T @ (weight * values)
        while True:
            step = np.linalg.solve(matrix + (damping + 1e-12) * np.diag(np.diag(matrix) + 1e-9), right)
            new = residuals(numbers + step)
            if cost(new) < cost(values) or damping > 1e8:
                break
            damping *= 10
        done = damping > 1e8 or cost(values) - cost(new) < 1e-10 * cost(values)
        if damping <= 1e8:
            numbers, values = numbers + step, new
        damping = max(damping / 10, 1e-9)
        if done:
            break
    rms = float(np.sqrt(2 * np.mean(values**2)))
    noise = max(rms / np.sqrt(2), LEAST_NOISE)
    return numbers, noise**2 * np.linalg.pinv(matrix), rms


def usual_lens(lens: Lens) -> bool:
    """Whether a lens looks as if it had never been calibrated: no distortion, and its middle in the picture's."""
    return not any(lens.distortion) and (lens.cx, lens.cy) == ((lens.width - 1) / 2, (lens.height - 1) / 2)
