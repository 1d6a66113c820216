"""drive.mp4: what the camera saw, with the canonical view and the commands drawn in."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.files import replaced

if TYPE_CHECKING:
    from cv2.typing import MatLike  # OpenCV 4.6, which Ubuntu 24.04 has, does not come with it

Image = NDArray[np.uint8]

QUALITY = 90  # percent, of the JPEGs that are kept during the race
KEEP = 18_000  # frames, ten minutes: about 150 MB
WIDTH = 640  # pixels, about, of the film
PANEL = 64  # pixels, height of the strip with the bars
INK, ACCENT, DIM, BACK = (235, 235, 235), (255, 170, 60), (95, 100, 110), (24, 26, 30)  # RGB


class Scene(NamedTuple):
    """One frame of the race."""

    time: float  # s since the start
    lap: int  # that is being driven, from 1
    steering: float  # rad, left positive, as sent to the actuator
    speed: float  # m/s, likewise
    raw: bytes  # JPEG, what the camera saw
    view: bytes  # JPEG, what the policy saw; empty before the first


class Film:
    """Keeps a race's frames as JPEGs, in memory, and writes the film at the end."""

    def __init__(self, max_steering: float, max_speed: float, rate: float) -> None:
        """Full scale of the bars in rad and m/s; ``rate`` is the film's frames per second."""
        self._full = (max_steering, max_speed)
        self._rate = Fraction(rate).limit_denominator(1000)
        self._scenes: deque[Scene] = deque(maxlen=KEEP)

    def add(self, raw: Image, view: Image | None, time: float, lap: int, steering: float, speed: float) -> None:
        """Keep a frame: ``raw`` (H, W, 3) rgb8 and the canonical ``view`` (h, w) mono8, if there is one."""
        rgb = _jpeg(cv2.cvtColor(raw, cv2.COLOR_RGB2BGR) if raw.ndim == 3 else raw)
        self._scenes.append(Scene(time, lap, steering, speed, rgb, b"" if view is None else _jpeg(view)))

    def __len__(self) -> int:
        return len(self._scenes)

    def write(self, path: Path, progress: Callable[[int], None] = lambda count: None) -> None:
        """Encode all frames as H.264, which every browser plays; ``progress`` is told how many are done.

        Raises:
            OutlapError: the folder cannot be written.
        """
        with replaced(path) as temporary:
            self._encode(str(temporary), progress)

    def _encode(self, path: str, progress: Callable[[int], None]) -> None:
        # faststart puts the index in front, so that a page can play the film while it loads.
        with av.open(path, "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream = None
            for count, scene in enumerate(self._scenes, 1):
                picture = self._draw(scene)
                if stream is None:
                    stream = container.add_stream(
                        "libx264", rate=self._rate, options={"preset": "superfast", "crf": "23"}
                    )
                    stream.height, stream.width = picture.shape[:2]
                    stream.pix_fmt = "yuv420p"  # the only one that every player knows
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
                progress(count)
            if stream is not None:
                container.mux(stream.encode())

    def _draw(self, scene: Scene) -> Image:
        raw = cv2.cvtColor(_picture(scene.raw, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        scale = max(1, round(WIDTH / raw.shape[1]))
        # H.264's colour planes are of half size: both sides must be even.
        width, height = (side * scale // 2 * 2 for side in (raw.shape[1], raw.shape[0]))
        canvas = np.full((height + PANEL, width, 3), BACK, np.uint8)
        canvas[:height] = cv2.resize(raw, (width, height), interpolation=cv2.INTER_CUBIC)
        if scene.view:
            _inset(canvas, _picture(scene.view, cv2.IMREAD_GRAYSCALE), width)
        _text(canvas, f"lap {scene.lap}   {scene.time:6.2f} s", (12, 26))
        middle, top, bottom = width // 2, height + 34, height + 50
        # Steering from the middle outwards, left to the left; speed from left to right.
        left, right = middle // 2, middle + middle // 2
        reach = left - 16
        steer = int(np.clip(scene.steering / self._full[0], -1, 1) * reach)
        go = int(np.clip(scene.speed / self._full[1], -1, 1) * 2 * reach)
        cv2.rectangle(canvas, (left - reach, top), (left + reach, bottom), DIM, 1)
        cv2.rectangle(canvas, (left, top + 2), (left - steer, bottom - 2), ACCENT, cv2.FILLED)
        cv2.line(canvas, (left, top - 3), (left, bottom + 3), INK, 1)
        cv2.rectangle(canvas, (right - reach, top), (right + reach, bottom), DIM, 1)
        cv2.rectangle(canvas, (right - reach, top + 2), (right - reach + go, bottom - 2), ACCENT, cv2.FILLED)
        _text(canvas, f"steering {math.degrees(scene.steering):+5.1f} deg", (left - reach, height + 24))
        _text(canvas, f"speed {scene.speed:4.2f} m/s", (right - reach, height + 24))
        return canvas


def _inset(canvas: Image, view: Image, width: int) -> None:
    """The canonical view in the upper right corner, framed."""
    scale = max(1, width // 4 // view.shape[1])
    large = cv2.resize(view, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    y, x = 10, width - 10 - large.shape[1]
    canvas[y - 2 : y + large.shape[0] + 2, x - 2 : x + large.shape[1] + 2] = INK
    canvas[y : y + large.shape[0], x : x + large.shape[1]] = large[..., None]


def _text(canvas: Image, text: str, at: tuple[int, int]) -> None:
    for colour, thickness in ((BACK, 3), (INK, 1)):
        cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thickness, cv2.LINE_AA)


def _jpeg(picture: MatLike) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _picture(jpeg: bytes, mode: int) -> Image:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), mode)
    assert picture is not None, "a JPEG of our own making"
    return picture.astype(np.uint8, copy=False)
