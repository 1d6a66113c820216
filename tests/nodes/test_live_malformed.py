"""Malformed messages end no node: what cannot be used is told of, and what comes next is heard."""

from __future__ import annotations

import http.client
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from nav_msgs.msg import Odometry
from outlap_nodes.shared import topics
from outlap_nodes.shared.messages import to_image, to_time
from sensor_msgs.msg import Image, JointState, Joy

from outlap.files import share_directory

pytestmark = pytest.mark.live


def malformed() -> dict[topics.Topic, list[Any]]:
    nowhere, spun = Odometry(), Odometry()
    nowhere.pose.pose.position.x = math.nan
    spun.pose.pose.orientation.w = math.inf
    states = [JointState(), JointState(position=[0.1], velocity=[1.0])]
    states += [JointState(position=[math.nan], velocity=[0.0, 1.0])]
    images = [Image(), Image(height=3, width=3, step=9, encoding="rgb8"), Image(encoding="mono8", height=0, width=9)]
    return {
        topics.MOTOR_STATE: states,
        topics.ODOMETRY: [nowhere, spun],
        topics.SIM_IMAGE: images,
        topics.VIEW: images,
        topics.JOY: [Joy(), Joy(axes=[math.nan] * 9, buttons=[1] * 20)],
    }


TOLD = {  # by whom, of which topics
    "referee": ("motor/state", "sim/odom", "sim/camera/image_raw", "camera/image"),
    "viewer": ("motor/state", "sim/odom", "sim/camera/image_raw", "camera/image"),
    "camera": ("motor/state",),
}


def test_no_node_ends_and_what_comes_next_is_heard(probe: Any, start: Callable[..., Any], ring_path: Path) -> None:
    nodes = {
        "referee": start("referee", track=ring_path, laps=0),
        "viewer": start("viewer", track=ring_path, port=0),
        "camera": start("camera"),
        "hand": start("hand"),
    }
    publishers = {topic: topic.publisher(probe.node) for topic in malformed()}
    probe.until(lambda: "watch it in a browser" in nodes["viewer"].said, "the viewer coming up")
    found = re.search(r"browser: http://([0-9.:]+)", nodes["viewer"].said)
    assert found is not None
    browser = http.client.HTTPConnection(found[1], timeout=30)
    browser.request("GET", "/stream")  # only while somebody watches does the viewer listen
    camera = yaml.safe_load((share_directory() / "config" / "cars" / "deepracer.yaml").read_text())["camera"]["lens"]
    good = np.zeros((camera["height"], camera["width"], 3), np.uint8)

    def told() -> bool:
        for topic, messages in malformed().items():
            for message in messages:
                publishers[topic].publish(message)
        # The camera looks at what the motor says only when it has a picture.
        publishers[topics.SIM_IMAGE].publish(to_image(to_time(1.0), "camera", good))
        return all(
            f"a message on /{topic} cannot be used and is passed over" in nodes[name].said
            for name, names in TOLD.items()
            for topic in names
        )

    probe.until(told, "each telling of what it cannot use")
    views = probe.listen(Image, "/camera/image", topics.VIEW.qos)

    def shown() -> bool:
        publishers[topics.SIM_IMAGE].publish(to_image(to_time(2.0), "camera", good))
        return any(view.encoding == "mono8" and view.height for view in views)

    probe.until(shown, "the camera's next view")
    browser.close()
    for name, node in nodes.items():
        assert node.process.poll() is None, node.said
        assert "Traceback" not in node.said, name
        assert node.stop() == 0
