"""policy: shows each canonical view to the policy and publishes its command under the image's stamp.

With the parameter ``exchange`` it also takes each better policy that a training run puts in the file's place, between
two images, and waits for the first. A real car is started without: what it drives with does not change under way.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Literal

from geometry_msgs.msg import TwistStamped
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from outlap.camera.view import View
from outlap.errors import OutlapError
from outlap.files import Model
from outlap.policy.allowed import read_allowed
from outlap.policy.picture_rate import PictureRate
from outlap.policy.runtime import Driver, Policy
from outlap.policy.watch import PolicyWatch, load_live_policy
from outlap.safety.gate import EARLY_BY, STALE_AFTER
from outlap.timing import Rate
from outlap.vehicle.car import load_car
from outlap.vehicle.command import FRAME, to_twist

from .shared import topics
from .shared.messages import to_pixels, to_seconds
from .shared.program import ERROR, OK, WARN, Diagnostics, LifecycleProgram, read_parameters, run, seconds, steady_clock
from .shared.statuses import PolicyStatus

LASTING = 3  # images in a row that were not acted on
LARGEST = 1_000_000  # bytes of an image's message, beyond which it is not even unpacked; the view has some thousand
M_MMAP_THRESHOLD = -3  # of glibc's mallopt, see mallopt(3)
POLL = 0.25  # s between two looks at a watched policy file


class Parameters(Model):
    """See config/drive.yaml."""

    policy: str
    car: str
    exchange: Literal["never", "now", "next"]
    allowed: str


class PolicyNode(LifecycleProgram):
    """Canonical view in, curvature and speed out, as a twist."""

    def __init__(self) -> None:
        super().__init__("policy")
        self._driver: Driver | None = None
        self._pictures: PictureRate | None = None
        self._watch: PolicyWatch | None = None

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        path, car = Path(parameters.policy), load_car(parameters.car)
        self._car = car
        allowed = read_allowed(Path(parameters.allowed)) if parameters.allowed else None
        view = View()
        self._shape = (view.height, view.width)
        if parameters.exchange == "never":
            self._driver = self._driving(load_live_policy(path, car, allowed))
        else:
            self._watch = PolicyWatch(path, car, parameters.exchange == "next", allowed)
        self._file_problem, self._exchanges = "", 0
        self._steady = steady_clock()
        self._rate = Rate()
        self._problem, self._refused = "", 0
        self._inference = 0.0  # s, the last one's
        self._commands = topics.COMMAND.lifecycle_publisher(self)
        topics.VIEW.subscription(self, self._content, raw=True)
        self._seen = topics.VIEW.resolved(self)  # for messages
        self._diagnostics = Diagnostics(self, self._status)
        if self._watch is not None:
            self.get_logger().info(f"taking each policy that appears as {path}")
            self.create_timer(POLL, self._look, clock=self._steady)

    def close(self) -> None:
        """End the thread that reads policy files."""
        if self._watch is not None:
            self._watch.close()

    def _look(self) -> None:
        """Take what has appeared in the policy file's place; what is refused changes nothing."""
        assert self._watch is not None
        try:
            policy = self._watch.poll(self._driver.policy if self._driver else None)
        except OutlapError as error:
            if str(error) != self._file_problem:
                self._file_problem = str(error)
                self.get_logger().warning(f"{error} {'The earlier policy drives on.' if self._driver else ''}".rstrip())
            return
        if policy is not None:
            self._take(policy)

    def _driving(self, policy: Policy) -> Driver:
        every = policy.contract.pictures_a_command(self._car)
        self._pictures = PictureRate(policy.contract.rate_hz, every)
        return Driver(policy, every)

    def _take(self, policy: Policy) -> None:
        """Drive with ``policy`` from the next image on."""
        if self._driver is None:
            self._driver = self._driving(policy)
        else:
            self._driver.exchange(policy)
        self._file_problem, self._exchanges = "", self._exchanges + 1
        self.get_logger().info(f"driving with policy {policy.digest[:8]}")
        self._diagnostics.publish()

    def _content(self, content: bytes) -> None:
        """Unpack an image, unless it is so large that unpacking would be the harm."""
        if len(content) > LARGEST:
            self._report(f"an image of {len(content)} bytes came on {self._seen}: that is none of the policy's view")
            return
        self._image(deserialize_message(content, Image))

    def _image(self, message: Image) -> None:
        stamp = to_seconds(message.header.stamp)
        age = seconds(self.get_clock()) - stamp
        if not -EARLY_BY <= age <= STALE_AFTER:
            self._report(f"images are not acted on: the last one's stamp is {age:.2f} s old on ROS time")
            return
        if (message.height, message.width) != self._shape or message.encoding != "mono8":
            height, width = self._shape
            self._report(
                f"an image of {message.width}x{message.height} {message.encoding} came on {self._seen}, "
                f"the policy's view is {width}x{height} mono8"
            )
            return
        try:
            pixels = to_pixels(message)
        except ValueError as error:
            self._report(f"an image on {self._seen} is malformed: {error}")
            return
        if self._driver is None:
            return
        self._report("")
        if not self._driver.due(stamp):
            return
        begin = seconds(self._steady)
        command = self._driver.act(stamp, pixels)
        now = seconds(self._steady)
        self._inference = now - begin
        twist = TwistStamped()
        twist.header.stamp, twist.header.frame_id = message.header.stamp, FRAME
        twist.twist.linear.x, twist.twist.angular.z = to_twist(float(command.curvature), float(command.speed))
        self._commands.publish(twist)
        self._rate.add(now)
        self._look_at_rate(stamp)

    def _look_at_rate(self, stamp: float) -> None:
        """See how often pictures come; whoever drives by them hears at once that they come too seldom."""
        assert self._pictures is not None
        before = self._pictures.too_slow
        self._pictures.add(stamp)
        if self._pictures.too_slow != before:
            self._diagnostics.publish()
            if self._pictures.too_slow:
                self.get_logger().error(self._pictures.slow)

    def _report(self, problem: str) -> None:
        """Log a problem once, when it lasts: at the start an image may well come before the first /clock."""
        self._refused = self._refused + 1 if problem else 0
        if self._refused == LASTING:
            self.get_logger().warning(problem)
        self._problem = problem

    def _status(self) -> tuple[bytes, str, PolicyStatus]:
        rate = self._rate.hertz(seconds(self._steady))
        problem = self._problem or ("" if rate else "no images")
        digest = self._driver.policy.digest if self._driver else ""
        pictures = self._pictures
        too_slow = pictures.slow if pictures is not None and pictures.too_slow else ""
        exchange = {"taken": self._exchanges, "refused": self._file_problem} if self._watch is not None else {}
        values = PolicyStatus(
            rate_hz=rate, inference_ms=self._inference * 1e3, digest=digest, too_slow=too_slow, **exchange
        )
        if self._driver is None:
            return WARN, "waiting for the first policy", values
        if not problem and pictures is not None and pictures.slow:
            return ERROR if pictures.too_slow else WARN, pictures.slow, values
        return ERROR if problem else OK, problem or "driving", values


def main() -> None:
    # Buffers of a flood's huge messages go back to the system when they are freed; by itself glibc comes to keep them.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST)
    run(PolicyNode)


if __name__ == "__main__":
    main()
