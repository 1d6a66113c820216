"""drive.mp4: what the camera saw, with the canonical view and the commands drawn in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import av
import cv2
import numpy as np

from outlap.files import replaced
from outlap.racing.scene import Image, draw_scene

if TYPE_CHECKING:
    from cv2.typing import MatLike  # OpenCV 4.6, which Ubuntu 24.04 has, does not come with it

QUALITY = 90  # percent, of the JPEGs that are kept during the race
KEEP = 18_000  # frames, ten minutes: about 150 MB


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
        raw = np.ascontiguousarray(_picture(scene.raw, cv2.IMREAD_COLOR)[..., ::-1])
        view = _picture(scene.view, cv2.IMREAD_GRAYSCALE) if scene.view else None
        title = f"lap {scene.lap}   {scene.time:6.2f} s"
        return draw_scene(raw, view, title, scene.steering, scene.speed, self._full)


def _jpeg(picture: MatLike) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _picture(jpeg: bytes, mode: int) -> Image:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), mode)
    assert picture is not None, "a JPEG of our own making"
    return picture.astype(np.uint8, copy=False)
