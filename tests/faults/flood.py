"""Programs that flood a graph: ``python flood.py pictures`` and ``python flood.py commands``, with --ros-args behind.

``pictures`` publishes pictures of 10 MB where the policy listens, as fast as a camera. ``commands`` stands between the
policy, which is to publish on /wanted, and the motor: it says each command again and again, 5000 times a second, under
the picture's old stamp, from the one publisher that the motor allows. Each tells every second what it reached.
"""

from __future__ import annotations

import sys
import threading
import time
from array import array

import rclpy
from geometry_msgs.msg import TwistStamped
from outlap_nodes.shared.messages import LATEST, STREAM
from rclpy.node import Node
from sensor_msgs.msg import Image

RATE = 5000.0  # Hz
BURST = 10  # commands after which it looks at the clock
PICTURE = (2000, 5000)  # pixels, mono8: 10 MB
FRAME_RATE = 30.0  # Hz


class Count:
    """Tells once a second how many there were."""

    def __init__(self, what: str) -> None:
        self._what, self._count, self._since = what, 0, time.monotonic()

    def add(self, number: int) -> None:
        self._count += number
        now = time.monotonic()
        if now - self._since >= 1:
            print(f"flood: {self._count / (now - self._since):.1f} {self._what}/s", flush=True)
            self._count, self._since = 0, now


def commands() -> None:
    node = Node("repeater")
    publisher = node.create_publisher(TwistStamped, "/cmd_vel", LATEST)
    latest: list[bytes] = []
    node.create_subscription(
        TwistStamped, "/wanted", lambda content: latest.__setitem__(slice(None), [content]), LATEST, raw=True
    )
    threading.Thread(target=rclpy.spin, args=(node,), daemon=True).start()
    count, due = Count("commands"), time.monotonic()
    while rclpy.ok():
        for _ in range(BURST if latest else 0):
            publisher.publish(latest[-1])
            count.add(1)
        due = max(due, time.monotonic() - 0.02) + BURST / RATE
        time.sleep(max(due - time.monotonic(), 0.0))


def pictures() -> None:
    node = Node("flood")
    publisher = node.create_publisher(Image, "/camera/image", STREAM)
    height, width = PICTURE
    image = Image(height=height, width=width, step=width, encoding="mono8")
    image.data = array("B", bytes(height * width))
    count, due = Count("pictures"), time.monotonic()
    while rclpy.ok():
        image.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(image)
        count.add(1)
        due = max(due, time.monotonic() - 0.1) + 1 / FRAME_RATE
        time.sleep(max(due - time.monotonic(), 0.0))


if __name__ == "__main__":
    kind = sys.argv.pop(1)
    rclpy.init(args=sys.argv)
    commands() if kind == "commands" else pictures()
