"""A stand-in for a USB camera as OpenCV's V4L2 backend shows it, for tests of the driver and of the camera node.

``FakeCamera`` is the device, which can be unplugged, stalled, frozen and disturbed; ``FakeCamera.open`` stands in for
cv2.VideoCapture(path, cv2.CAP_V4L2). What it imitates was read in OpenCV's modules/videoio/src/cap_v4l.cpp and in
Linux's drivers/media/usb/uvc: the nearest size is chosen instead of one that is not there, ``set`` of a format says yes
whatever comes of it, buffers that nobody takes keep the oldest frames, an unplugged camera still is opened but grabs
nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Stamps = Literal["monotonic", "none", "realtime"]

MODES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "YUYV": ((160, 120), (320, 240), (640, 480)),
    "MJPG": ((160, 120), (320, 240), (640, 480), (1280, 720)),
}
RATES = (15, 30, 60)  # Hz
EXPOSURES = (3, 2047)  # 100 µs, as many webcams have it
MENU = (1, 3)  # of V4L2_CID_EXPOSURE_AUTO: manual, aperture priority
DEFAULT_BUFFERS = 4  # OpenCV's
QUALITY = 90  # of its JPEGs
CYCLE = 64  # different pictures, so that drawing them does not cost what a camera does not


class Was(NamedTuple):
    """A property that was set; ``time`` on the steady clock, s."""

    time: float
    property: int
    value: float


def numbered(size: tuple[int, int], number: int) -> Picture:
    """(H, W, 3) bgr8: a picture that differs from number to number, by a bright bar that wanders."""
    width, height = size
    picture = np.full((height, width, 3), 60, np.uint8)
    picture[height // 2 :] = 110
    left = number * 7 % width
    picture[:, left : left + max(width // 20, 2)] = (60, 200, 230)
    return picture


class FakeCamera:
    """One camera.

    Args:
        modes: sizes that it offers by format.
        rates: Hz that it offers.
        stamps: what its driver stamps buffers with.
        picture: (size, number of the picture) to bgr8.
        timeout: s after which grab gives up a camera that sends nothing.

    Attributes:
        sets: every property that was set, oldest first.
        opened: how often it was opened.
        exposure, menu: as they were set last.
    """

    def __init__(
        self,
        modes: Mapping[str, tuple[tuple[int, int], ...]] = MODES,
        rates: tuple[int, ...] = RATES,
        stamps: Stamps = "monotonic",
        picture: Callable[[tuple[int, int], int], Picture] = numbered,
        timeout: float = 1.0,
    ) -> None:
        self.modes, self.rates, self.stamps, self.picture, self.timeout = modes, rates, stamps, picture, timeout
        self.sets: list[Was] = []
        self.opened = 0
        self.exposure, self.menu = 157, 3
        self._sent: dict[tuple[str, tuple[int, int], int], Picture] = {}
        self.changed = threading.Condition()
        self.plugged, self.stalled = True, False
        self.cut = 0  # of the next pictures, which arrive cut short
        self.frozen_at: int | None = None  # number of the picture that it shows for ever

    def open(self, path: str) -> FakeCapture:
        """What cv2.VideoCapture(path, cv2.CAP_V4L2) would be."""
        return FakeCapture(self, path)

    def unplug(self) -> None:
        self._change(plugged=False)

    def plug(self) -> None:
        self._change(plugged=True)

    def stall(self, stalled: bool = True) -> None:
        """Stay there, but send nothing."""
        self._change(stalled=stalled)

    def _change(self, **states: bool) -> None:
        with self.changed:
            vars(self).update(states)
            self.changed.notify_all()

    def sent(self, form: str, size: tuple[int, int], number: int) -> Picture:
        """A picture as it comes: (H, W, 3) bgr8, or (1, n) bytes of a JPEG or of YUYV."""
        key = form, size, number
        if key not in self._sent:
            picture = self.picture(size, number)
            if form == "YUYV":
                picture = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_YUYV).reshape(1, -1)
            elif form == "MJPG":
                picture = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))[1].reshape(1, -1)
            self._sent[key] = picture.astype(np.uint8, copy=False)
        return self._sent[key]

    def wait(self, seconds: float) -> bool:
        """Whether it is plugged in and sends after that time; ends early when it does not any more."""
        with self.changed:
            self.changed.wait_for(lambda: not self.plugged, seconds)
            return self.plugged


class _Buffer(NamedTuple):
    number: int
    captured: float  # steady s


class FakeCapture:
    """cv2.VideoCapture's interface, as far as the driver uses it."""

    def __init__(self, camera: FakeCamera, path: str) -> None:
        self.path = path
        self._camera = camera
        self._handle = camera.plugged
        self._format, self._size = next((form, sizes[-1]) for form, sizes in camera.modes.items())
        self._rate, self._buffers = 30, DEFAULT_BUFFERS
        self._width = 0
        self._convert = True
        self._begun: float | None = None  # steady s, when the stream began
        self._seen = 0  # frames of the stream that came since
        self._queue: deque[_Buffer] = deque()
        self._held: _Buffer | None = None
        if camera.plugged:
            camera.opened += 1

    def isOpened(self) -> bool:  # noqa: N802 - as OpenCV calls it
        return self._handle

    def release(self) -> None:
        self._handle = False

    def set(self, prop: int, value: float, /) -> bool:
        camera = self._camera
        camera.sets.append(Was(time.monotonic(), prop, value))
        if not self._handle or not camera.plugged:
            return False
        if prop == cv2.CAP_PROP_FOURCC:
            wanted = int(value).to_bytes(4, "little").decode("latin-1")
            self._format = wanted if wanted in camera.modes else next(iter(camera.modes))
            self._reset()
        elif prop == cv2.CAP_PROP_FRAME_WIDTH:
            self._width = int(value)
        elif prop == cv2.CAP_PROP_FRAME_HEIGHT:
            self._size = (self._width, int(value))
            self._reset()
        elif prop == cv2.CAP_PROP_BUFFERSIZE:
            self._buffers = int(value)
            self._reset()
        elif prop == cv2.CAP_PROP_FPS:
            if self._begun is not None:
                return False  # EBUSY
            self._rate = min(camera.rates, key=lambda rate: abs(rate - value))
        elif prop == cv2.CAP_PROP_CONVERT_RGB:
            self._convert = bool(value)
        elif prop == cv2.CAP_PROP_AUTO_EXPOSURE:
            if int(value) not in MENU:
                return False
            camera.menu = int(value)
        elif prop == cv2.CAP_PROP_EXPOSURE:
            if camera.menu != MENU[0]:
                return False  # EACCES: the camera chooses
            camera.exposure = int(np.clip(value, *EXPOSURES))
        else:
            return False
        return True

    def get(self, prop: int, /) -> float:
        camera = self._camera
        if prop == cv2.CAP_PROP_POS_MSEC:
            if self._held is None or camera.stamps == "none":
                return 0.0
            offset = time.time() - time.monotonic() if camera.stamps == "realtime" else 0.0
            return round(self._held.captured + offset, 6) * 1000
        values = {
            cv2.CAP_PROP_FRAME_WIDTH: self._size[0],
            cv2.CAP_PROP_FRAME_HEIGHT: self._size[1],
            cv2.CAP_PROP_FOURCC: int.from_bytes(self._format.encode(), "little"),
            cv2.CAP_PROP_BUFFERSIZE: self._buffers,
            cv2.CAP_PROP_FPS: self._rate if camera.plugged else -1,
            cv2.CAP_PROP_EXPOSURE: camera.exposure,
            cv2.CAP_PROP_AUTO_EXPOSURE: camera.menu,
            cv2.CAP_PROP_CONVERT_RGB: self._convert,
        }
        return float(values.get(prop, -1))

    def grab(self) -> bool:
        camera, give_up = self._camera, time.monotonic() + self._camera.timeout
        if not self._handle or not camera.plugged:
            return False
        if self._begun is None:
            # The backend leaves out the first frame of a stream.
            self._begun, self._seen = time.monotonic(), 1
        while not self._arrive():
            if camera.stalled and time.monotonic() > give_up:
                return False
            due = self._begun + (self._seen + 1) / self._rate
            if not camera.wait(min(max(due - time.monotonic(), 0.0005), 0.05)):
                return False
        self._held = self._queue.popleft()
        return camera.plugged

    def retrieve(self) -> tuple[bool, Picture]:
        if self._held is None:
            return False, np.empty((0, 0), np.uint8)
        camera = self._camera
        number = self._held.number if camera.frozen_at is None else camera.frozen_at
        sent = camera.sent("bgr8" if self._convert else self._format, self._size, number % CYCLE)
        if camera.cut:
            camera.cut -= 1
            sent = sent[:, : sent.size // 2]
        return True, sent.copy()

    def read(self) -> tuple[bool, Picture]:
        return self.retrieve() if self.grab() else (False, np.empty((0, 0), np.uint8))

    def _arrive(self) -> bool:
        """Fill free buffers with the frames that came; whether one is filled."""
        assert self._begun is not None
        while (captured := self._begun + (self._seen + 1) / self._rate) <= time.monotonic():
            self._seen += 1
            # A frame without a buffer is lost; the older ones stay.
            if len(self._queue) < self._buffers and not self._camera.stalled:
                self._queue.append(_Buffer(self._seen, captured))
        return bool(self._queue)

    def _reset(self) -> None:
        """Negotiate anew, as the driver does: the nearest size of the format."""
        sizes = self._camera.modes[self._format]
        wanted = self._size
        self._size = min(sizes, key=lambda size: abs(size[0] - wanted[0]) + abs(size[1] - wanted[1]))
        self._begun, self._held = None, None
        self._queue.clear()
