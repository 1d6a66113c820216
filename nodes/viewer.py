"""viewer: shows in a browser on this machine what the camera sees, where the car is, and how its training stands."""

from __future__ import annotations

from typing import Annotated

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from pydantic import Field
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image, JointState

from outlap.files import Model
from outlap.racing.board import Board
from outlap.racing.page import Page
from outlap.track.formats import load_track
from outlap.vehicle.car import load_car

from .shared import topics
from .shared.incoming import Incoming
from .shared.program import OK, Diagnostics, LifecycleProgram, read_parameters, run, steady_clock
from .shared.statuses import (
    Heard,
    MotorStatus,
    PolicyStatus,
    RefereeStatus,
    StatusReader,
    TrainerStatus,
    ViewerStatus,
)

PERIOD = 0.1  # s between two pictures
SPEAKERS = (TrainerStatus, PolicyStatus, MotorStatus, RefereeStatus)  # whose words stand below


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
        self._reader = StatusReader(topics.DIAGNOSTICS.resolved(self), self._unusable, *SPEAKERS)
        self._told: dict[str, Heard] = {}  # by speaker, the newest
        self._page = Page(parameters.port)
        self._incoming = Incoming(self)
        self._streams: list[Subscription] = []
        topics.DIAGNOSTICS.subscription(self, self._hear)
        topics.TRAINER_STATUS.subscription(self, self._hear)
        self.create_timer(PERIOD, self._show, clock=steady_clock())
        self._diagnostics = Diagnostics(self, self._status)
        self.get_logger().info(f"watch it in a browser: {self._page.address}")

    def close(self) -> None:
        """End the page."""
        if self._page is not None:
            self._page.close()

    def _raw(self, message: Image) -> None:
        if (picture := self._incoming.picture(message, topics.SIM_IMAGE, "rgb8")) is not None:
            self._board.raw = picture

    def _view(self, message: Image) -> None:
        if (picture := self._incoming.picture(message, topics.VIEW, "mono8")) is not None:
            self._board.view = picture

    def _odometry(self, message: Odometry) -> None:
        if (motion := self._incoming.motion(message)) is not None:
            self._board.move(motion.x, motion.y, motion.yaw, motion.speed)

    def _motor(self, message: JointState) -> None:
        if (sent := self._incoming.sent(message)) is not None:
            self._board.sent = (sent.steering, self._car.speed(sent.wheel_speed))

    def _hear(self, message: DiagnosticArray) -> None:
        self._told |= {heard.values.speaker: heard for heard in self._reader.read(message)}

    def _unusable(self, sentence: str) -> None:
        self.get_logger().warning(sentence)

    def _show(self) -> None:
        assert self._page is not None
        self._listen(self._page.watched)
        if self._page.watched and (self._board.raw is not None or not topics.SIM_IMAGE.publishers(self)):
            self._page.show(
                self._board.jpeg([_line(self._told[kind.speaker]) for kind in SPEAKERS if kind.speaker in self._told])
            )

    def _listen(self, wanted: bool) -> None:
        """Hear the streams only while somebody watches: every message costs."""
        if wanted and not self._streams:
            self._streams = [
                topics.SIM_IMAGE.subscription(self, self._raw),
                topics.VIEW.subscription(self, self._view),
                topics.ODOMETRY.subscription(self, self._odometry),
                topics.MOTOR_STATE.subscription(self, self._motor),
            ]
        elif not wanted and self._streams:
            for stream in self._streams:
                self.destroy_subscription(stream)
            self._streams = []

    def _status(self) -> tuple[bytes, str, ViewerStatus]:
        assert self._page is not None
        return OK, "watched" if self._page.watched else "nobody watches", ViewerStatus(address=self._page.address)


def _line(heard: Heard) -> str:
    """One node's own words."""
    match heard.values:
        case PolicyStatus(digest=digest):
            shown = f"   digest {digest[:8]}" if digest else ""
        case RefereeStatus(laps=laps, streak=streak):
            shown = f"   laps {laps}   streak {streak}"
        case _:
            shown = ""
    return f"{heard.values.speaker}: {heard.text}{shown}"


def main() -> None:
    run(ViewerNode)


if __name__ == "__main__":
    main()
