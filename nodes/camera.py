"""camera: reads frames from a source, warps them to the canonical view and publishes that with its exposure stamp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sensor_msgs.msg import CameraInfo, Image

from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.errors import OutlapError
from outlap.files import Model
from outlap.timing import Rate
from outlap.vehicle.car import load_car

from .messages import STREAM, to_camera_info, to_image, to_pixels
from .program import ERROR, OK, Diagnostics, LifecycleProgram, read_parameters, run, seconds, steady_clock

FRAME = "camera_optical_frame"


class Parameters(Model):
    """See config/drive.yaml."""

    source: Literal["topic"]
    car: str


class CameraNode(LifecycleProgram):
    """Raw frames in, canonical view out."""

    def __init__(self) -> None:
        super().__init__("camera")

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        self._steady = steady_clock()
        self._rate = Rate()
        self._problem = ""
        self._view = View()
        self._warp = Warp(load_car(parameters.car).camera, self._view)
        self._images = self.create_lifecycle_publisher(Image, "/camera/image", STREAM)
        self._infos = self.create_lifecycle_publisher(CameraInfo, "/camera/camera_info", STREAM)
        self.create_subscription(Image, "/sim/camera/image_raw", self._frame, STREAM)
        self._diagnostics = Diagnostics(self, self._status)

    def _frame(self, raw: Image) -> None:
        try:
            view = self._warp(to_pixels(raw))
        except (OutlapError, ValueError) as error:
            self._report(str(error))
            return
        stamp = raw.header.stamp
        self._images.publish(to_image(stamp, FRAME, view))
        self._infos.publish(to_camera_info(stamp, FRAME, self._view.lens))
        self._rate.add(seconds(self._steady))
        self._report("")

    def _report(self, problem: str) -> None:
        """Log a problem once, when it begins."""
        if problem and problem != self._problem:
            self.get_logger().error(problem)
        self._problem = problem

    def _status(self) -> tuple[bytes, str, Mapping[str, object]]:
        rate = self._rate.hertz(seconds(self._steady))
        problem = self._problem or ("" if rate else "no frames")
        return ERROR if problem else OK, problem or "publishing", {"rate_hz": rate, "coverage": self._warp.coverage}


def main() -> None:
    run(CameraNode)


if __name__ == "__main__":
    main()
