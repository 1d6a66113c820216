"""The camera node alone: a frozen camera, the raw picture for whoever asks, and a camera of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from outlap_nodes.shared.messages import RECORD, STREAM, to_image, to_pixels, to_seconds
from sensor_msgs.msg import CompressedImage, Image, JointState

from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.drivers.fakes.camera import numbered
from outlap.launching.domain import Domain
from outlap.launching.environment import ros_environment
from outlap.vehicle.car import load_car

pytestmark = pytest.mark.live

CAR = load_car()
SIZE = (CAR.camera.lens.width, CAR.camera.lens.height)


class Bench:
    """Shows pictures at 30 Hz as a simulator does, says what the motor does, and listens to the camera node."""

    def __init__(self, probe: Any, showing: bool = True) -> None:
        self.images: list[Image] = probe.listen(Image, "/camera/image", STREAM)
        self.diagnostics: list[DiagnosticArray] = probe.listen(DiagnosticArray, "/diagnostics", RECORD)
        self.speed = 0.0  # m/s
        self.frozen = False
        self._probe, self._number = probe, 0
        self._states = probe.node.create_publisher(JointState, "/motor/state", RECORD)
        probe.node.create_timer(1 / 30, self._tell)
        if showing:
            self._raws = probe.node.create_publisher(Image, "/sim/camera/image_raw", STREAM)
            probe.node.create_timer(1 / 30, self._show)

    @property
    def picture(self) -> np.ndarray:
        return numbered(SIZE, self._number)

    def _show(self) -> None:
        self._number += not self.frozen
        self._raws.publish(to_image(self._probe.node.get_clock().now().to_msg(), "", self.picture))

    def _tell(self) -> None:
        state = JointState(name=["steering", "drive"], position=[0.0, 0.0])
        state.velocity = [0.0, CAR.wheel_speed(self.speed)]
        self._states.publish(state)

    def diagnosed(self, level: bytes, words: str) -> bool:
        said = [array.status[0] for array in self.diagnostics if array.status[0].name == "camera"]
        return any(status.level == level and words in status.message for status in said)

    def goes_on(self) -> Callable[[], bool]:
        """Whether images come from now on."""
        seen = len(self.images)
        return lambda: len(self.images) > seen + 3


def test_a_frozen_camera_is_shut_up_until_its_picture_changes(probe: Any, start: Callable[..., Any]) -> None:
    camera = start("camera", use_sim_time=False)
    bench = Bench(probe)
    probe.until(bench.goes_on(), "images")
    bench.frozen = True
    probe.spin(0.7)
    probe.until(bench.goes_on(), "images of a car that stands")
    bench.speed = 1.0
    probe.until(lambda: bench.diagnosed(DiagnosticStatus.ERROR, "the camera is frozen"), "an error")
    probe.spin(0.1)
    seen = len(bench.images)
    probe.spin(0.5)
    assert len(bench.images) == seen
    bench.frozen, bench.speed = False, 0.0
    probe.until(bench.goes_on(), "images again")
    assert camera.said.count("frozen") == 1


def test_the_raw_picture_is_there_for_whoever_asks(probe: Any, start: Callable[..., Any]) -> None:
    start("camera", use_sim_time=False, raw_quality=95)
    bench = Bench(probe)
    probe.until(bench.goes_on(), "images")
    raws: list[CompressedImage] = probe.listen(CompressedImage, "/camera/image_raw/compressed", STREAM)
    bench.frozen = True
    probe.until(lambda: len(raws) > 10, "raw pictures")
    raw = raws[-1]
    assert raw.format == "jpeg" and raw.header.frame_id == "camera_optical_frame"
    assert raw.header.stamp in [image.header.stamp for image in bench.images]
    decoded = cv2.imdecode(np.frombuffer(raw.data, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(decoded[..., ::-1].astype(int) - bench.picture).mean() < 4


class Cam:
    """The camera node with the stand-in for a V4L2 camera."""

    def __init__(self, domain: Domain, folder: Path) -> None:
        description = CAR.model_dump(mode="json", exclude={"actuator"})
        description["camera"]["device"] = {}
        path = folder / "car.yaml"
        path.write_text(yaml.safe_dump(description))
        self._log = folder / "camera.log"
        words = [sys.executable, str(Path(__file__).with_name("v4l2_program.py")), "--ros-args"]
        words += ["-p", "source:=v4l2", "-p", f"car:={path}"]
        environment = ros_environment(domain.id) | {"ROS_LOG_DIR": str(folder)}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=environment, text=True
            )

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    @property
    def said(self) -> str:
        return self._log.read_text()


@pytest.fixture
def cam(domain: Domain, tmp_path: Path) -> Iterator[Cam]:
    program = Cam(domain, tmp_path)
    yield program
    if program.process.poll() is None:
        program.process.terminate()
    assert program.process.wait(30) == 0, program.said
    assert program.process.stdin is not None
    program.process.stdin.close()
    print(program.said)


def test_a_camera_of_its_own(probe: Any, cam: Cam) -> None:
    bench = Bench(probe, showing=False)
    probe.until(bench.goes_on(), "images")
    age = time.time() - to_seconds(bench.images[-1].header.stamp)
    assert 0 < age < 5
    warp = Warp(CAR.camera, View())
    known = [warp(cv2.cvtColor(numbered(SIZE, n), cv2.COLOR_BGR2RGB)) for n in range(160)]
    shown = to_pixels(bench.images[-1]).astype(int)
    assert min(np.abs(shown - one).mean() for one in known) < 4
    stamps = np.array([to_seconds(image.header.stamp) for image in bench.images])
    assert np.all(np.diff(stamps) > 0)

    cam.tell("unplug")
    probe.until(lambda: bench.diagnosed(DiagnosticStatus.ERROR, "the camera at /dev/video0 is lost"), "an error")
    seen = len(bench.images)
    probe.spin(0.3)
    assert len(bench.images) == seen
    back = time.time()
    cam.tell("plug")
    probe.until(lambda: len(bench.images) > seen, "images again")
    assert to_seconds(bench.images[seen].header.stamp) > back
    assert cam.said.count("is lost") == cam.said.count("is there") == 1

    bench.speed = 1.0
    probe.until(bench.goes_on(), "images of a car that drives")
    cam.tell("freeze")
    probe.until(lambda: bench.diagnosed(DiagnosticStatus.ERROR, "the camera is frozen"), "an error")
    assert "Traceback" not in cam.said


def test_a_car_file_without_a_camera_is_refused(start: Callable[..., Any], tmp_path: Path) -> None:
    description = CAR.model_dump(mode="json", exclude={"actuator"})
    description["camera"].pop("device")
    path = tmp_path / "car.yaml"
    path.write_text(yaml.safe_dump(description))
    program = start("camera", source="v4l2", car=path)
    assert program.wait() == 2
    assert "camera.device" in program.said and "Traceback" not in program.said


def test_a_folder_is_played_and_its_end_told(probe: Any, start: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number}.png").write_bytes(cv2.imencode(".png", numbered(SIZE, number))[1].tobytes())
    camera = start("camera", use_sim_time=False, source="file", path=folder)
    bench = Bench(probe, showing=False)
    probe.until(lambda: bench.diagnosed(DiagnosticStatus.ERROR, "has ended"), "the end")
    probe.until(lambda: "has ended" in camera.said, "its telling")
    camera.stop()
    start("camera", use_sim_time=False, source="file", path=folder, loop=True)
    bench.images.clear()
    probe.until(lambda: len(bench.images) > 70, "more images than there are in the folder")
    stamps = np.array([to_seconds(image.header.stamp) for image in bench.images])
    assert np.all(np.diff(stamps) > 0) and abs(stamps[-1] - time.time()) < 5
    warp = Warp(CAR.camera, View())
    known = [warp(cv2.cvtColor(numbered(SIZE, number), cv2.COLOR_BGR2RGB)).tobytes() for number in range(60)]
    numbers = np.array([known.index(bytes(image.data)) for image in bench.images])
    steps = np.diff(numbers)
    assert np.all((steps > 0) | (numbers[1:] < 20)), "in order, and then anew"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "source file needs path"),
        ({"path": "/nowhere"}, "there is no such file"),
        ({"path": "broken.mp4"}, "no video that can be played"),
        ({"raw_quality": 0, "path": "/nowhere"}, "raw_quality"),
    ],
)
def test_what_cannot_be_played_is_told_in_one_sentence(
    start: Callable[..., Any], tmp_path: Path, parameters: dict[str, Any], words: str
) -> None:
    if parameters.get("path") == "broken.mp4":
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(b"hello" * 1000)
        parameters = {"path": broken}
    camera = start("camera", source="file", **parameters)
    assert camera.wait() == 2
    assert words in camera.said and camera.said.count("\n") == 1, camera.said
