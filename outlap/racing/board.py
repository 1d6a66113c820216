"""The board beside the road: what the camera sees, the track from above with the car, and how things stand."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.racing.scene import ACCENT, BACK, DIM, INK, Image, draw_scene, write
from outlap.track.track import Track
from outlap.vehicle.car import Car
from outlap.vehicle.outline import wheel_places

MAP = 544  # pixels, side of the map, which is as high as the scene beside it
MARGIN = 20  # pixels around the road
LINE = 24  # pixels, height of a line of text
SPACING = 0.06  # m between two points of the driven line
CARRIED = 0.3  # m from one point to the next, and nobody drove there
KEEP = 400  # points of the driven line, 24 m
FAR = 10_000  # pixels, beyond which no place is told from another, so that OpenCV can count them
SUBPIXEL = 4  # bits: OpenCV draws to a sixteenth of a pixel
ROAD = (62, 66, 74)  # RGB
QUALITY = 85  # percent
BRIGHT = 0.8  # of the colours, up to which they are bright: the line's highest speed has this one


class Board:
    """Keeps the newest of what it is shown and draws it."""

    def __init__(self, track: Track, car: Car) -> None:
        self.raw: Image | None = None  # (H, W, 3), what the camera sees
        self.view: Image | None = None  # (h, w), the canonical view of it
        self.sent = (0.0, 0.0)  # (rad, m/s), what the actuator got last
        self._car = car
        points = np.concatenate([track.left, track.right])
        self._corner = points.min(axis=0)
        self._scale = (MAP - 2 * MARGIN) / float(np.ptp(points, axis=0).max())  # pixels a metre
        self._centring = (MAP - self._scale * np.ptp(points, axis=0)) / 2
        self._empty = self._draw_track(track)
        self._pose: tuple[float, float, float] | None = None
        self._line: deque[tuple[float, float, float]] = deque(maxlen=KEEP)  # x, y, m/s

    def move(self, x: float, y: float, yaw: float, speed: float) -> None:
        """The car's base_link is there now (m, m, rad) and drives at ``speed`` m/s."""
        self._pose = (x, y, yaw)
        if not self._line or math.hypot(x - self._line[-1][0], y - self._line[-1][1]) > SPACING:
            self._line.append((x, y, speed))

    def jpeg(self, lines: Sequence[str]) -> bytes:
        """The board as a JPEG, with ``lines`` of text below."""
        picture = cv2.cvtColor(self.draw(lines), cv2.COLOR_RGB2BGR)
        return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()

    def draw(self, lines: Sequence[str]) -> Image:
        """The board, (h, w, 3) RGB, with ``lines`` of text below."""
        steering, speed = self.sent
        raw = np.zeros((120, 160, 3), np.uint8) if self.raw is None else self.raw
        full = (self._car.steering.max_angle, self._car.drive.max_speed)
        scene = draw_scene(raw, self.view, "" if self.raw is not None else "no picture yet", steering, speed, full)
        height, width = max(MAP, len(scene)), scene.shape[1]
        canvas = np.zeros((height + LINE * len(lines) + MARGIN, width + MAP, 3), np.uint8)
        canvas[: len(scene), :width] = scene
        canvas[:MAP, width:] = self._draw_map()
        canvas[height:] = BACK
        for number, line in enumerate(lines, 1):
            write(canvas, line, (MARGIN, height + LINE * number))
        return canvas

    def _draw_map(self) -> Image:
        canvas = self._empty.copy()
        if self._pose is None:
            return canvas
        if len(self._line) > 1:
            places = np.array(self._line)
            pixels = self._pixels(places[:, :2])
            driven = np.hypot(*np.diff(places[:, :2], axis=0).T) < CARRIED
            part = np.clip(places[1:, 2] / max(places[:, 2].max(), 0.1), 0, 1) * BRIGHT * 255
            colours = cv2.applyColorMap(part.astype(np.uint8)[:, None], cv2.COLORMAP_TURBO)[:, 0, ::-1].tolist()
            for index in np.flatnonzero(driven):
                ends = pixels[index], pixels[index + 1]
                cv2.line(canvas, *ends, colours[index], 2, cv2.LINE_AA, SUBPIXEL)
        wheels = wheel_places(self._car, *self._pose)[0]
        outline = self._pixels(wheels[[0, 1, 3, 2]])
        cv2.fillPoly(canvas, [outline], ACCENT, cv2.LINE_AA, SUBPIXEL)
        cv2.polylines(canvas, [outline], True, INK, 2, cv2.LINE_AA, SUBPIXEL)
        return canvas

    def _draw_track(self, track: Track) -> Image:
        canvas = np.full((MAP, MAP, 3), BACK, np.uint8)
        left, right, centre = (self._pixels(line) for line in (track.left, track.right, track.center))
        cv2.fillPoly(canvas, [left, right], ROAD, cv2.LINE_AA, SUBPIXEL)  # even-odd: what lies between the two
        for line, colour, width in ((left, INK, 2), (right, INK, 2), (centre, DIM, 1)):
            cv2.polylines(canvas, [line], True, colour, width, cv2.LINE_AA, SUBPIXEL)
        return canvas

    def _pixels(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """(n, 2) m on the ground as pixels of the map, x to the right and y up, in OpenCV's fixed point."""
        pixels = (points - self._corner) * self._scale + self._centring
        pixels = np.clip(np.stack([pixels[:, 0], MAP - pixels[:, 1]], axis=1), -FAR, FAR)
        return np.round(pixels * 2**SUBPIXEL).astype(np.int32)
