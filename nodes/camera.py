"""camera: reads frames from a source, warps them to the canonical view and publishes that with its exposure stamp.

A camera's or a file's frames are warped and published by a thread of their own, which waits for nothing else; the
simulator's come as messages.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated, Literal, Protocol

from builtin_interfaces.msg import Time
from pydantic import Field
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import Image

from outlap.camera.frame import Frame
from outlap.camera.frozen import Frozen
from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.drivers.v4l2 import V4l2Camera
from outlap.errors import OutlapError
from outlap.files import Model
from outlap.recording.playback import Playback
from outlap.timing import Rate
from outlap.vehicle.car import Car, load_car

from .shared import topics
from .shared.incoming import Incoming
from .shared.latest_message import Latest
from .shared.messages import CAMERA_FRAME, to_camera_info, to_compressed, to_image, to_pixels, to_time
from .shared.program import ERROR, OK, Diagnostics, LifecycleProgram, read_parameters, run, seconds, steady_clock
from .shared.statuses import CameraStatus

WAIT = 0.1  # s for which the thread waits for a frame before it looks whether it is to end
QUIET = 5.0  # s for which a problem that comes and goes is not logged again


class Parameters(Model):
    """See config/drive.yaml."""

    source: Literal["topic", "v4l2", "file"]
    car: str
    path: str
    loop: bool
    raw_quality: Annotated[int, Field(ge=1, le=100)]


class Source(Protocol):
    """Where frames come from, unless they come as messages."""

    problem: str
    ended: bool

    def next(self, timeout: float) -> Frame | None: ...
    def close(self) -> None: ...


class CameraNode(LifecycleProgram):
    """Raw frames in, canonical view out."""

    def __init__(self) -> None:
        super().__init__("camera")
        self._source: Source | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # around the rate, which both threads ask

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        self._quality = parameters.raw_quality
        self._steady = steady_clock()
        self._rate = Rate()
        self._problem = ""
        self._logged: dict[str, float] = {}  # steady s, when each problem was logged
        self._view = View()
        car = load_car(parameters.car)
        self._warp = Warp(car.camera, self._view)
        self._frozen = Frozen(car.axles.wheel_radius)
        self._images = topics.VIEW.lifecycle_publisher(self)
        self._infos = topics.CAMERA_INFO.lifecycle_publisher(self)
        self._raws = topics.RAW_JPEG.lifecycle_publisher(self)
        self._incoming = Incoming(self)
        self._states = Latest(self, topics.MOTOR_STATE)
        if parameters.source == "topic":
            topics.SIM_IMAGE.subscription(self, self._message)
        else:
            self._source = self._open(parameters, car)
        self._diagnostics = Diagnostics(self, self._status)

    def _open(self, parameters: Parameters, car: Car) -> Source:
        if parameters.source == "v4l2":
            return V4l2Camera(car.camera, self.get_logger().warning)
        if not parameters.path:
            raise OutlapError(
                f"parameters of {self.get_fully_qualified_name()}: source file needs path, of a video, a folder or a "
                "recording."
            )
        return Playback(Path(parameters.path), car.camera, self._view, parameters.loop, self.get_logger().warning)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        done = super().on_activate(state)
        if self._source is not None and self._thread is None:
            self._thread = threading.Thread(target=self._feed, args=(self._source,), name="feed", daemon=True)
            self._thread.start()
        return done

    def close(self) -> None:
        """End the thread before the middleware goes, and let go of the device."""
        self._stopping.set()
        if self._source is not None:
            self._source.close()
        if self._thread is not None:
            self._thread.join(3.0)

    def _feed(self, source: Source) -> None:
        try:
            while not self._stopping.is_set() and not source.ended:
                try:
                    frame = source.next(WAIT)
                except OutlapError as error:
                    self._report(str(error))
                    continue
                if frame is not None:
                    age = time.monotonic() - frame.captured
                    self._show(to_time(seconds(self.get_clock()) - age), frame)
        except Exception as error:  # nobody would hear of the end of this thread otherwise
            self.get_logger().fatal(f"{type(error).__name__}: {error}")
            self.exit_code = 1

    def _message(self, raw: Image) -> None:
        try:
            frame = Frame(to_pixels(raw), time.monotonic())
        except ValueError as error:
            self._report(str(error))
            return
        self._show(raw.header.stamp, frame)

    def _show(self, stamp: Time, frame: Frame) -> None:
        """Publish a frame, unless the camera is frozen."""
        if self._frozen.shown(seconds(self._steady), frame.pixels):
            self._report("the camera is frozen: it shows the same picture while the wheels turn")
        else:
            self._publish(stamp, frame)
        state = self._states.take()  # last, so that no picture waits for it
        if state is not None and (sent := self._incoming.sent(state)) is not None:
            self._frozen.told(seconds(self._steady), sent.wheel_speed)

    def _publish(self, stamp: Time, frame: Frame) -> None:
        try:
            view = frame.pixels if frame.canonical else self._warp(frame.pixels)
        except OutlapError as error:
            self._report(str(error))
            return
        self._images.publish(to_image(stamp, CAMERA_FRAME, view))
        self._infos.publish(to_camera_info(stamp, CAMERA_FRAME, self._view.lens))
        with self._lock:
            self._rate.add(seconds(self._steady))
        self._report("")
        if not frame.canonical and self._raws.get_subscription_count():
            try:
                self._raws.publish(to_compressed(stamp, CAMERA_FRAME, frame.to_jpeg(self._quality)))
            except OutlapError as error:
                self._report(str(error))

    def _report(self, problem: str) -> None:
        """Log a problem when it begins, but not each time that it comes and goes."""
        changed, self._problem = problem != self._problem, problem
        now = seconds(self._steady)
        if problem and changed and now - self._logged.get(problem, float("-inf")) > QUIET:
            self._logged = {text: at for text, at in self._logged.items() if now - at <= QUIET} | {problem: now}
            self.get_logger().error(problem)
            self._diagnostics.publish()

    def _status(self) -> tuple[bytes, str, CameraStatus]:
        rate = self._hertz()
        problem = self._problem or (self._source.problem if self._source is not None else "")
        problem = problem or ("" if rate else "no frames")
        values = CameraStatus(rate_hz=rate, coverage=self._warp.coverage)
        return ERROR if problem else OK, problem or "publishing", values

    def _hertz(self) -> float:
        with self._lock:
            return self._rate.hertz(seconds(self._steady))


def main() -> None:
    run(CameraNode)


if __name__ == "__main__":
    main()
