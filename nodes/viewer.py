"""viewer: shows in a browser on this machine what the camera sees, where the car is, and how its training stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from nav_msgs.msg import Odometry
from pydantic import Field
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image, JointState

from outlap.files import Model
from outlap.racing.board import Board
from outlap.racing.page import Page
from outlap.track.formats import load_track
from outlap.vehicle.car import load_car

from .shared.messages import CURRENT, LATEST, RECORD, STREAM, to_pixels, to_yaw
from .shared.program import OK, Diagnostics, LifecycleProgram, read_parameters, run, steady_clock

PERIOD = 0.1  # s between two pictures
RAW = "/sim/camera/image_raw"
SPEAKERS = ("trainer", "policy", "motor", "referee")  # whose words stand below


class Parameters(Model):
    """See config/drive.yaml."""

    track: str
    car: str
    port: Annotated[int, Field(ge=0, le=65535)]


class ViewerNode(LifecycleProgram):
    """Everything in, a page out; nothing listens to it."""

    def __init__(self) -> None:
        super().__init__("viewer")
        self._page: Page | None = None

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        self._car = load_car(parameters.car)
        self._board = Board(load_track(parameters.track), self._car)
        self._told: dict[str, DiagnosticStatus] = {}  # by node, the newest
        self._page = Page(parameters.port)
        self._streams: list[Subscription] = []
        self.create_subscription(DiagnosticArray, "/diagnostics", self._hear, RECORD)
        self.create_subscription(DiagnosticArray, "/trainer/status", self._hear, CURRENT)
        self.create_timer(PERIOD, self._show, clock=steady_clock())
        self._diagnostics = Diagnostics(self, self._status)
        self.get_logger().info(f"watch it in a browser: {self._page.address}")

    def close(self) -> None:
        """End the page."""
        if self._page is not None:
            self._page.close()

    def _raw(self, message: Image) -> None:
        self._board.raw = to_pixels(message)

    def _view(self, message: Image) -> None:
        self._board.view = to_pixels(message)

    def _odometry(self, message: Odometry) -> None:
        pose, speed = message.pose.pose, message.twist.twist.linear.x
        self._board.move(pose.position.x, pose.position.y, to_yaw(pose.orientation), speed)

    def _motor(self, message: JointState) -> None:
        self._board.sent = (message.position[0], message.velocity[1] * self._car.axles.wheel_radius)

    def _hear(self, message: DiagnosticArray) -> None:
        self._told |= {status.name: status for status in message.status}

    def _show(self) -> None:
        assert self._page is not None
        self._listen(self._page.watched)
        if self._page.watched and (self._board.raw is not None or not self.count_publishers(RAW)):
            self._page.show(self._board.jpeg([self._line(name) for name in SPEAKERS if name in self._told]))

    def _listen(self, wanted: bool) -> None:
        """Hear the streams only while somebody watches: every message costs."""
        if wanted and not self._streams:
            self._streams = [
                self.create_subscription(Image, RAW, self._raw, STREAM),
                self.create_subscription(Image, "/camera/image", self._view, STREAM),
                self.create_subscription(Odometry, "/sim/odom", self._odometry, LATEST),
                self.create_subscription(JointState, "/motor/state", self._motor, RECORD),
            ]
        elif not wanted and self._streams:
            for stream in self._streams:
                self.destroy_subscription(stream)
            self._streams = []

    def _line(self, name: str) -> str:
        """One node's own words."""
        status = self._told[name]
        values = {value.key: value.value for value in status.values}
        shown = [f"{key} {values[key][:8]}" for key in ("digest", "laps", "streak") if values.get(key)]
        return f"{name}: {status.message}" + "".join(f"   {words}" for words in shown)

    def _status(self) -> tuple[bytes, str, Mapping[str, object]]:
        assert self._page is not None
        return OK, "watched" if self._page.watched else "nobody watches", {"address": self._page.address}


def main() -> None:
    run(ViewerNode)


if __name__ == "__main__":
    main()
