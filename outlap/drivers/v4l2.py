"""A camera on Video4Linux through OpenCV: the newest frame only, stamped at capture, and found again after a loss.

What OpenCV's backend does was read in its source, modules/videoio/src/cap_v4l.cpp (4.x): properties are set before the
first grab, which starts the stream; ``set`` succeeds also where the driver then chose another format or size, so what
counts is what ``get`` says; CAP_PROP_POS_MSEC is the time stamp of the buffer, on CLOCK_MONOTONIC unless the driver is
set up otherwise; exposure controls are V4L2's own values.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.camera.capturing import open_capture
from outlap.camera.frame import Frame, fits, from_bgr, from_jpeg, from_yuyv
from outlap.errors import OutlapError
from outlap.vehicle.car import Camera

BUFFERS = 2  # one is filled while the other is read; more could only hold older frames
FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0  # s between attempts to reach a lost camera; doubled from the one to the other
OLDEST_FIRST = 0.5  # s, the age up to which the first frame of a stream is believed to have a capture's stamp
AHEAD = 0.001  # s by which a stamp may lie in the future
# V4L2_CID_EXPOSURE_AUTO's menu and the unit of V4L2_CID_EXPOSURE_ABSOLUTE (Linux media documentation, Camera Control
# Reference). UVC cameras know manual and aperture priority, others manual and auto.
AUTO, MANUAL, APERTURE_PRIORITY = 0, 1, 3
EXPOSURE_UNIT = 100e-6  # s
TOLERANCE = 0.1  # part by which a rate or an exposure may differ from what was asked for before it is told
DECODED = ("MJPG", "YUYV")  # formats that are taken as they come; OpenCV turns others into bgr8


class Capture(Protocol):
    """What is used of cv2.VideoCapture."""

    def isOpened(self) -> bool: ...  # noqa: N802 - as OpenCV calls it
    def set(self, prop: int, value: float, /) -> bool: ...
    def get(self, prop: int, /) -> float: ...
    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, NDArray]: ...
    def release(self) -> None: ...


class Mode(NamedTuple):
    """How pictures come."""

    width: int  # pixels
    height: int  # pixels
    format: str  # four characters
    rate: float  # Hz; not above 0: unknown

    def __str__(self) -> str:
        rate = f"{self.rate:g} Hz" if self.rate > 0 else "an unknown rate"
        return f"{self.width}x{self.height} {self.format} at {rate}"


class UnusableError(OutlapError):
    """The camera is there, but what it delivers is of no use."""


class _Taken(NamedTuple):
    data: NDArray[np.uint8]
    captured: float
    mode: Mode


def open_device(path: str) -> Capture:
    """OpenCV's capture of a device file; maybe not opened."""
    return open_capture(path, cv2.CAP_V4L2)


class V4l2Camera:
    """The car's camera, read by a thread of its own until ``close``.

    Args:
        camera: of the car file; with a section ``device``.
        say: told each event in one sentence, from whichever thread.
        opener: of the device; None: OpenCV's.

    Attributes:
        problem: why there are no frames at present, in one sentence; empty: nothing is known to be wrong.

    Raises:
        OutlapError: the car file names no device, or what that delivers is of no use. A device that is not there is
            waited for.
    """

    ended = False  # as a source of frames; a camera never does

    def __init__(
        self, camera: Camera, say: Callable[[str], object], opener: Callable[[str], Capture] | None = None
    ) -> None:
        if camera.device is None:
            raise OutlapError("the car file has no section camera.device: it names no real camera.")
        self.problem = ""
        self._camera, self._device, self._say, self._opener = camera, camera.device, say, opener or open_device
        self._name = f"the camera at {self._device.path}"
        self._said = ""  # how it differs from what was asked for
        self._newest: _Taken | None = None
        self._failure: Exception | None = None
        self._fresh = threading.Condition()
        self._closing = threading.Event()
        first = self._open()
        if isinstance(first, str):
            self._lose(f"{first} (camera.device of the car file): waiting for it")
        self._thread = threading.Thread(target=self._run, args=(first,), name="v4l2", daemon=True)
        self._thread.start()

    def next(self, timeout: float) -> Frame | None:
        """The newest frame that was not taken yet; waits up to ``timeout`` s for one, then there is none.

        Raises:
            OutlapError: this one is damaged.
        """
        with self._fresh:
            self._fresh.wait_for(lambda: self._newest is not None or self._closing.is_set(), timeout)
            taken, self._newest = self._newest, None
        if taken is None:
            if self._failure is not None:
                raise RuntimeError(f"the thread that reads {self._name} has ended") from self._failure
            return None
        data, captured, mode = taken
        lens = self._camera.lens
        if mode.format == "MJPG":
            return from_jpeg(data.tobytes(), captured, lens)
        if mode.format == "YUYV":
            wanted = mode.height * mode.width * 2
            if data.size < wanted:
                raise OutlapError("a picture is cut short.")
            return from_yuyv(data.reshape(-1)[:wanted].reshape(mode.height, mode.width, 2), captured, lens)
        return from_bgr(data, captured, lens)

    def close(self) -> None:
        """Let go of the device. Never raises, and may be called again."""
        self._closing.set()
        with self._fresh:
            self._fresh.notify_all()
        self._thread.join(3.0)

    def _run(self, first: tuple[Capture, Mode] | str) -> None:
        try:
            self._read(first)
        except Exception as error:  # told by next
            self._failure = error

    def _read(self, first: tuple[Capture, Mode] | str) -> None:
        opened, wait = first, FIRST_WAIT
        while not self._closing.is_set():
            if isinstance(opened, str):
                self._closing.wait(wait)
                wait = min(2 * wait, LONGEST_WAIT)
                try:
                    opened = self._open()
                except UnusableError as error:
                    opened = self.problem = str(error)
                continue
            if self.problem:
                self._say(f"{self._name} is there")
            self.problem, wait = "", FIRST_WAIT
            capture, mode = opened
            opened = self._stream(capture, mode)
            capture.release()
            if not self._closing.is_set():
                self._lose(f"{opened}: trying to reach it again")
        if not isinstance(opened, str):
            opened[0].release()

    def _stream(self, capture: Capture, mode: Mode) -> str:
        """Read until the camera is lost, and say why in a few words."""
        trusted: bool | None = None
        while not self._closing.is_set():
            asked = time.monotonic()
            try:
                if not capture.grab():
                    return f"{self._name} is lost"
                arrived = time.monotonic()
                stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if trusted is None:
                    trusted = -AHEAD <= arrived - stamp <= OLDEST_FIRST
                    if not trusted:
                        self._say(f"{self._name} does not stamp its frames at capture: they are stamped on arrival")
                elif trusted and stamp > arrived + AHEAD:
                    return f"{self._name} stamps frames in the future"
                usable = trusted or mode.rate <= 0 or _waited_for(arrived - asked, 1 / mode.rate)
                got, data = capture.retrieve() if usable else (False, None)
            except cv2.error as error:
                return f"{self._name} is lost ({' '.join(str(error).split())})"
            if got and data is not None and data.size:
                with self._fresh:
                    self._newest = _Taken(data, min(stamp, arrived) if trusted else arrived, mode)
                    self._fresh.notify()
        return ""

    def _lose(self, problem: str) -> None:
        with self._fresh:
            self._newest = None  # a frame from before the loss is never shown
        self.problem = problem
        self._say(problem)

    def _open(self) -> tuple[Capture, Mode] | str:
        """The device, set up, and how its pictures come; or why not, in a few words.

        Raises:
            UnusableError: its pictures have other proportions than the lens's.
        """
        path = self._device.path
        capture = self._opener(path)
        if not capture.isOpened():
            capture.release()
            if not Path(path).exists():
                return f"there is no camera at {path}"
            if not os.access(path, os.R_OK | os.W_OK):
                return f"{self._name} may not be opened by this user, who is to be in the group video"
            return f"{self._name} cannot be opened, because it is no camera or another program has it"
        lens, asked = self._camera.lens, self._asked
        capture.set(cv2.CAP_PROP_BUFFERSIZE, BUFFERS)
        capture.set(cv2.CAP_PROP_FOURCC, _fourcc(asked.format))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, asked.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, asked.height)
        capture.set(cv2.CAP_PROP_FPS, asked.rate)
        remarks = self._expose(capture)
        mode = Mode(
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            _characters(capture.get(cv2.CAP_PROP_FOURCC)),
            capture.get(cv2.CAP_PROP_FPS),
        )
        # MJPEG as it comes: a grey picture is decoded faster than a coloured one, and recordings take it as it is.
        capture.set(cv2.CAP_PROP_CONVERT_RGB, mode.format not in DECODED)
        if not fits(mode.width, mode.height, lens):
            capture.release()
            raise UnusableError(
                f"{self._name} delivers {mode}, which has other proportions than the {lens.width}x{lens.height} of "
                "the car file's camera.lens: calibrate the lens at a size that the camera has."
            )
        if mode[:3] != asked[:3] or (mode.rate > 0 and abs(mode.rate - asked.rate) > TOLERANCE * asked.rate):
            remarks.insert(0, f"delivers {mode} instead of {asked}")
        difference = " and ".join(remarks)
        if difference and difference != self._said:
            self._say(f"{self._name} {difference}")
        self._said = difference
        return capture, mode

    @property
    def _asked(self) -> Mode:
        lens = self._camera.lens
        return Mode(lens.width, lens.height, self._device.format, self._camera.rate)

    def _expose(self, capture: Capture) -> list[str]:
        """Set the exposure; what the camera did not take of it, in a few words."""
        exposure = self._device.exposure
        if not exposure:
            # A camera keeps the exposure of the program before, so automatic must be said, too.
            if not capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, APERTURE_PRIORITY):
                capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, AUTO)
            return []
        units = max(round(exposure / EXPOSURE_UNIT), 1)
        capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL)
        if not capture.set(cv2.CAP_PROP_EXPOSURE, units):
            return [f"does not take an exposure of {exposure:g} s"]
        taken = capture.get(cv2.CAP_PROP_EXPOSURE)
        if abs(taken - units) > TOLERANCE * units:
            return [f"exposes for {taken * EXPOSURE_UNIT:g} s instead of {exposure:g} s"]
        return []


def _waited_for(seconds: float, period: float) -> bool:
    """Whether a frame without a stamp is of now: one that lay ready, maybe while this process stood still, is not."""
    return 0.1 * period < seconds < max(0.25, 2 * period)


def _fourcc(name: str) -> int:
    return int.from_bytes(name.encode("ascii"), "little")


def _characters(fourcc: float) -> str:
    code = int(fourcc).to_bytes(4, "little") if 0 < fourcc < 2**32 else b""
    return code.decode("ascii", "replace").strip() or "an unknown format"
