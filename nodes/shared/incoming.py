"""What others say, checked: a malformed message is passed over with a sentence in the log, and ends no node.

self._incoming = Incoming(self)
…
if (sent := self._incoming.sent(message)) is not None:
    self._board.sent = sent
"""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState

from outlap.vehicle.motion import Motion

from . import topics
from .messages import to_pixels, to_place
from .topics import Topic

QUIET = 10.0  # s for which the next such message on the same topic is not told of


class Sent(NamedTuple):
    """What the actuator got."""

    steering: float  # rad, left positive
    wheel_speed: float  # rad/s


class Incoming:
    """Reads the messages of one node; each method returns None for one that cannot be used, and tells of it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._told: dict[str, float] = {}  # by topic, steady s

    def sent(self, message: JointState) -> Sent | None:
        """A message on motor/state."""
        if message.position and len(message.velocity) > 1:
            sent = Sent(message.position[0], message.velocity[1])
            if all(map(math.isfinite, sent)):
                return sent
        return self._pass_over(topics.MOTOR_STATE, "it needs position[0] in rad and velocity[1] in rad/s")

    def motion(self, message: Odometry, topic: Topic[Odometry] = topics.ODOMETRY) -> Motion | None:
        """Ground truth of the car."""
        place, twist = to_place(message.pose.pose), message.twist.twist
        if place is not None:
            motion = Motion(*place, twist.linear.x, twist.linear.y, twist.angular.z)
            if all(map(math.isfinite, motion)):
                return motion
        return self._pass_over(topic, "a number in it is not finite")

    def picture(self, message: Image, topic: Topic[Image], encoding: str) -> NDArray[np.uint8] | None:
        """A picture of ``encoding``: (H, W, 3) for rgb8, (H, W) for mono8."""
        try:
            pixels = to_pixels(message)
        except ValueError as error:
            return self._pass_over(topic, str(error))
        if message.encoding != encoding:
            return self._pass_over(topic, f"it is {message.encoding}, not {encoding}")
        return pixels

    def _pass_over(self, topic: Topic, problem: str) -> None:
        now, name = time.monotonic(), topic.resolved(self._node)
        if now - self._told.get(name, -math.inf) > QUIET:
            self._told[name] = now
            self._node.get_logger().warning(f"a message on {name} cannot be used and is passed over: {problem}")
