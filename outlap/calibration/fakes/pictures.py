"""Pictures of a board through a hidden lens: rays through every pixel, averaged, blurred and with noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.calibration.board import Board, Grey
from outlap.camera.model import mount_rotation, project, rays
from outlap.camera.warp import denser
from outlap.vehicle.car import Camera, Lens

Array = NDArray[np.float64]
SAMPLES = 2  # across a pixel
TEXTURE = 48  # pixels to a square of the board's pattern
FLOOR = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])  # a board that lies square before the car


@dataclass
class Photographer:
    """A camera that sees one board before a plain wall."""

    lens: Lens
    board: Board
    rng: np.random.Generator
    blur: float = 0.6  # pixels
    noise: float = 3.0  # grey levels

    def __post_init__(self) -> None:
        self._rays = rays(denser(self.lens, SAMPLES))
        across, down = self.board.squares
        margin = TEXTURE // 2
        self._texture = np.pad(self.board.drawn(TEXTURE), margin, constant_values=255)
        self._middle = np.array([across, down]) * TEXTURE / 2 + margin - 0.5

    def take(self, rotation: Array, place: Array) -> Grey:
        """The board's picture where a point p of the board is at ``rotation @ p + place`` in the optical frame."""
        eye, directions = -rotation.T @ place, self._rays @ rotation
        with np.errstate(divide="ignore", invalid="ignore"):
            far = -eye[2] / directions[..., 2]
        on_board = eye[:2] + far[..., None] * directions[..., :2]
        pixels = on_board * (TEXTURE / self.board.square) + self._middle
        pixels[~(far > 0) | (directions[..., 2] <= 0)] = -1e4  # behind the camera, or the board's back
        maps = np.clip(pixels, -1e4, 1e4).astype(np.float32)
        height, width = maps.shape[:2]
        slope = self.rng.uniform(-1, 1, 2)
        wall = 110 + 30 * (slope[0] * np.linspace(-1, 1, width) + slope[1] * np.linspace(-1, 1, height)[:, None])
        seen = cv2.remap(
            self._texture.astype(np.float32), maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderValue=(-1.0,)
        )
        light = self.rng.uniform(0.7, 0.95)
        picture = np.where(seen < 0, wall, 20 + light * 0.85 * seen).astype(np.float32)
        picture = cv2.resize(picture, (self.lens.width, self.lens.height), interpolation=cv2.INTER_AREA)
        picture = cv2.GaussianBlur(picture, (0, 0), self.blur)
        return np.clip(picture + self.rng.normal(0, self.noise, picture.shape), 0, 255).astype(np.uint8)

    def held(self) -> Grey:
        """A picture of the board held somewhere before the camera, wholly seen, tilted by up to 45 degrees."""
        reach = np.linalg.norm(self.board.points[0]) + self.board.square
        for _ in range(1000):
            pixel = self.rng.uniform(0.05, 0.95, 2) * (self.lens.width - 1, self.lens.height - 1)
            x, y = (pixel * SAMPLES).astype(int)
            distance = reach * self.rng.uniform(1.2, 3.5)
            towards = self._rays[y, x]
            place = towards * distance
            rotation = cv2.Rodrigues(self.rng.uniform(-1, 1, 3) * (0.6, 0.6, 0.5))[0] @ _facing(towards)
            outline = self.board.points @ rotation.T + place
            seen = project(self.lens, outline)
            inside = (seen > 4) & (seen < np.array([self.lens.width, self.lens.height]) - 5)
            if np.all(inside) and np.all(outline[:, 2] > 0.15 * reach):
                return self.take(rotation, place)
        raise AssertionError("the board never fits into the picture")

    def lying(self, camera: Camera, x: float, y: float, yaw: float, thickness: float = 0.0) -> Grey:
        """A picture of the board on the floor, its middle at (x, y) m from the rear axle and turned by ``yaw`` rad."""
        mount = mount_rotation(camera.pitch, camera.roll, camera.yaw)
        turned = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]]) @ FLOOR
        middle = np.array([x - camera.x, y - camera.y, thickness - camera.height])
        return self.take(mount.T @ turned, mount.T @ middle)


def _facing(direction: Array) -> Array:
    """The rotation of a board that faces the camera from ``direction``, its y axis about downwards."""
    right = np.cross([0.0, 1.0, 0.0], direction)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(direction, right), direction], axis=1)
