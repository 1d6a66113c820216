"""The V4L2 camera against a stand-in that behaves as OpenCV's backend does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from outlap.camera.frame import Frame
from outlap.drivers.fakes.camera import FakeCamera, FakeCapture, numbered
from outlap.drivers.v4l2 import V4l2Camera, open_device
from outlap.errors import OutlapError
from outlap.vehicle.car import Camera, load_car
from outlap.vehicle.hardware import CameraDevice

PATIENCE = 20.0  # s


def camera_with(width: int = 160, height: int = 120, rate: float = 60.0, **device: Any) -> Camera:
    camera = load_car().camera
    lens = camera.lens.model_copy(update={"width": width, "height": height})
    return camera.model_copy(update={"lens": lens, "rate": rate, "device": CameraDevice(**device)})


class Opened:
    """A camera under test and what it said."""

    def __init__(self, device: FakeCamera, camera: Camera) -> None:
        self.said: list[str] = []
        self.camera = V4l2Camera(camera, self.said.append, device.open)

    def frame(self) -> Frame:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            frame = self.camera.next(0.1)
            if frame is not None:
                return frame
        raise AssertionError(f"no frame came: {self.camera.problem}")

    def until(self, happened: Callable[[], Any]) -> None:
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, self.said
            time.sleep(0.005)


@pytest.fixture
def opened() -> Iterator[Callable[..., Opened]]:
    cameras: list[V4l2Camera] = []

    def begin(device: FakeCamera, **wanted: Any) -> Opened:
        result = Opened(device, camera_with(**wanted))
        cameras.append(result.camera)
        return result

    yield begin
    for camera in cameras:
        camera.close()


def values(device: FakeCamera, prop: int) -> list[float]:
    return [was.value for was in device.sets if was.property == prop]


def test_asks_for_what_the_car_file_says(opened: Callable[..., Opened]) -> None:
    device = FakeCamera()
    camera = opened(device, rate=30.0, exposure=0.005)
    camera.frame()
    assert values(device, cv2.CAP_PROP_FOURCC) == [cv2.VideoWriter.fourcc(*"MJPG")]
    assert values(device, cv2.CAP_PROP_FRAME_WIDTH) == [160]
    assert values(device, cv2.CAP_PROP_FRAME_HEIGHT) == [120]
    assert values(device, cv2.CAP_PROP_FPS) == [30]
    assert values(device, cv2.CAP_PROP_BUFFERSIZE) == [2]
    assert (device.menu, device.exposure) == (1, 50)
    assert camera.said == [] and camera.camera.problem == ""


def test_takes_back_the_exposure_of_the_program_before(opened: Callable[..., Opened]) -> None:
    device = FakeCamera()
    device.menu = 1
    opened(device).frame()
    assert device.menu == 3


@pytest.mark.parametrize("form", ["MJPG", "YUYV"])
@pytest.mark.parametrize("stamps", ["monotonic", "none", "realtime"])
def test_frames_are_stamped_at_capture(opened: Callable[..., Opened], form: str, stamps: Any) -> None:
    camera = opened(FakeCamera(stamps=stamps), format=form)
    before = 0.0
    for _ in range(5):
        frame = camera.frame()
        now = time.monotonic()
        assert before < frame.captured <= now
        before = frame.captured
    assert frame.pixels.shape == (120, 160)
    assert len(camera.said) == (stamps != "monotonic")


def test_the_stamp_is_the_cameras_own(opened: Callable[..., Opened]) -> None:
    rate = 60.0
    camera = opened(FakeCamera(), rate=rate)
    stamps = [camera.frame().captured for _ in range(6)]
    steps = np.diff(stamps) * rate
    # Arrival jitters; the camera's own clock does not.
    assert steps == pytest.approx(np.round(steps), abs=1e-3)


@pytest.mark.parametrize("form", ["MJPG", "YUYV"])
def test_pictures_are_what_the_camera_saw(opened: Callable[..., Opened], form: str) -> None:
    frame = opened(FakeCamera(picture=lambda size, number: numbered(size, 3)), format=form).frame()
    wanted = cv2.cvtColor(numbered((160, 120), 3), cv2.COLOR_BGR2GRAY)
    assert np.abs(frame.pixels.astype(int) - wanted).mean() < (3 if form == "MJPG" else 16)  # YUYV's luma is 16 to 235
    shown = cv2.imdecode(np.frombuffer(frame.to_jpeg(90), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(shown.astype(int) - numbered((160, 120), 3)).mean() < 6


def test_only_the_newest_frame_is_kept(opened: Callable[..., Opened]) -> None:
    camera = opened(FakeCamera())
    camera.frame()
    time.sleep(0.3)
    frame = camera.frame()
    assert time.monotonic() - frame.captured < 0.15  # of 0.3 s, of which 0.05 would do on an idle machine


class Slow:
    """A capture before whose third grab the process stands still, so that frames lie ready afterwards."""

    def __init__(self, capture: FakeCapture) -> None:
        self.grabs: list[float] = []  # s that each took
        self.taken: list[float] = []  # those of frames that were retrieved
        self._capture = capture

    def __getattr__(self, name: str) -> Any:
        return getattr(self._capture, name)

    def grab(self) -> bool:
        asked = time.monotonic()
        if len(self.grabs) == 2:
            time.sleep(0.4)
        grabbed = self._capture.grab()
        self.grabs.append(time.monotonic() - asked)
        return grabbed

    def retrieve(self) -> Any:
        self.taken.append(self.grabs[-1])
        return self._capture.retrieve()


@pytest.mark.slow
def test_without_stamps_a_frame_that_lay_ready_is_not_taken_for_new() -> None:
    slow = Slow(FakeCamera(stamps="none").open(""))
    camera = V4l2Camera(camera_with(rate=15.0), lambda text: None, lambda path: slow)
    end = time.monotonic() + PATIENCE
    while len(slow.taken) < 6 and time.monotonic() < end:
        time.sleep(0.02)
    camera.close()
    assert min(slow.grabs) < 0.003 and max(slow.grabs) >= 0.4
    assert min(slow.taken) > 0.003 and max(slow.taken) < 0.4


def test_a_lost_camera_is_found_again_and_told_of_once(opened: Callable[..., Opened]) -> None:
    device = FakeCamera()
    camera = opened(device)
    camera.frame()
    device.unplug()
    camera.until(lambda: camera.camera.problem)
    assert camera.camera.next(0.0) is None, "a frame from before the loss is never shown"
    time.sleep(0.5)
    assert camera.camera.next(0.0) is None
    assert len(camera.said) == 1 and "/dev/video0 is lost" in camera.said[0]
    back = time.monotonic()
    device.plug()
    assert camera.frame().captured >= back
    assert len(camera.said) == 2 and camera.said[1].endswith("is there")
    assert camera.camera.problem == ""
    assert device.opened == 2


def test_a_camera_that_sends_nothing_is_lost(opened: Callable[..., Opened]) -> None:
    device = FakeCamera(timeout=0.1)
    camera = opened(device)
    camera.frame()
    device.stall()
    camera.until(lambda: "is lost" in camera.camera.problem)
    device.stall(False)
    camera.frame()


def test_a_camera_that_is_not_there_yet_is_waited_for(opened: Callable[..., Opened]) -> None:
    device = FakeCamera()
    device.unplug()
    camera = opened(device, path="/dev/nothing")
    assert camera.said == ["there is no camera at /dev/nothing (camera.device of the car file): waiting for it"]
    device.plug()
    camera.frame()
    assert camera.camera.problem == ""


def test_what_the_camera_does_not_have_is_told(opened: Callable[..., Opened]) -> None:
    device = FakeCamera(modes={"YUYV": ((640, 480),)}, rates=(15,))
    camera = opened(device, exposure=0.5)
    frame = camera.frame()
    assert frame.pixels.shape == (120, 160), "the proportions are the same"
    assert camera.said == [
        "the camera at /dev/video0 delivers 640x480 YUYV at 15 Hz instead of 160x120 MJPG at 60 Hz and exposes for "
        "0.2047 s instead of 0.5 s"
    ]
    assert cv2.imdecode(np.frombuffer(frame.to_jpeg(80), np.uint8), cv2.IMREAD_COLOR).shape == (120, 160, 3)


def test_other_proportions_are_refused() -> None:
    device = FakeCamera(modes={"MJPG": ((1280, 720),)})
    with pytest.raises(
        OutlapError, match="1280x720 MJPG at 60 Hz, which has other proportions than the 160x120"
    ) as refused:
        V4l2Camera(camera_with(), lambda text: None, device.open)
    assert str(refused.value).count(".") == 2, "camera.lens, and the end of the one sentence"


def test_a_camera_that_comes_back_with_other_proportions_shows_nothing(opened: Callable[..., Opened]) -> None:
    device = FakeCamera()
    camera = opened(device)
    camera.frame()
    device.unplug()
    device.modes = {"MJPG": ((1280, 720),)}
    camera.until(lambda: camera.camera.problem)
    device.plug()
    camera.until(lambda: "other proportions" in camera.camera.problem)
    assert camera.camera.next(0.05) is None


def test_a_torn_picture_is_not_shown(opened: Callable[..., Opened]) -> None:
    device = FakeCamera()
    camera = opened(device)
    camera.frame()
    device.cut = 1_000_000
    with pytest.raises(OutlapError, match="cut short"):
        for _ in range(100):
            camera.frame()
    device.cut = 0
    camera.until(lambda: _whole(camera))


def _whole(camera: Opened) -> bool:
    try:
        return camera.camera.next(0.1) is not None
    except OutlapError:
        return False


def test_a_car_without_a_camera_is_refused() -> None:
    with pytest.raises(OutlapError, match=r"camera\.device"):
        V4l2Camera(load_car().camera.model_copy(update={"device": None}), print)


def test_closing_ends_the_thread(opened: Callable[..., Opened]) -> None:
    camera = opened(FakeCamera())
    camera.frame()
    camera.camera.close()
    camera.camera.close()
    assert not camera.camera._thread.is_alive()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/nothing"])
def test_opencv_does_not_take_anything_for_a_camera(path: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert not open_device(path).isOpened()
    assert capfd.readouterr().err == ""
