"""Messages that others may send malformed: what cannot be used is passed over, and told of by topic."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import Point, Pose, Quaternion
from nav_msgs.msg import Odometry
from outlap_nodes.shared import topics
from outlap_nodes.shared.incoming import Incoming, Sent
from outlap_nodes.shared.messages import (
    to_image,
    to_pixels,
    to_place,
    to_quaternion,
    to_time,
)
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState

from outlap.files import share_directory
from outlap.vehicle.motion import Motion

BAD = (math.nan, math.inf, -math.inf)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A node that hears nobody."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    context = Context()
    rclpy.init(context=context, domain_id=97)
    created = Node("reader", namespace="/car1", context=context)
    yield created
    created.destroy_node()
    rclpy.shutdown(context=context)


class Told:
    """What a node's logger is given."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def warning(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture
def told(node: Node, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    log = Told()
    monkeypatch.setattr(node, "get_logger", lambda: log)
    return log.sentences


def odometry(**changes: float) -> Odometry:
    message = Odometry()
    message.pose.pose = Pose(position=Point(x=1.0, y=2.0), orientation=to_quaternion(0.5))
    message.twist.twist.linear.x, message.twist.twist.linear.y, message.twist.twist.angular.z = 3.0, 4.0, 5.0
    for name, value in changes.items():
        *path, last = name.split("__")
        owner = message
        for part in path:
            owner = getattr(owner, part)
        setattr(owner, last, value)
    return message


def test_what_the_motor_sent_is_read(node: Node, told: list[str]) -> None:
    assert Incoming(node).sent(JointState(position=[0.25, 0.0], velocity=[0.0, 30.0])) == Sent(0.25, 30.0)
    assert Incoming(node).sent(JointState(position=[0.25], velocity=[0.0, 30.0, 1.0])) == (
        0.25,
        30.0,
    )
    assert told == []


@pytest.mark.parametrize(
    ("position", "velocity"),
    [
        ([], []),
        ([0.1], []),
        ([], [0.0, 1.0]),
        ([0.1, 0.0], [0.0]),
        *(([bad, 0.0], [0.0, 1.0]) for bad in BAD),
        *(([0.1, 0.0], [0.0, bad]) for bad in BAD),
    ],
)
def test_a_motor_state_that_lacks_a_number_is_passed_over(
    node: Node, told: list[str], position: list[float], velocity: list[float]
) -> None:
    assert Incoming(node).sent(JointState(position=position, velocity=velocity)) is None
    assert told == [
        "a message on /car1/motor/state cannot be used and is passed over: it needs position[0] in rad and velocity[1] "
        "in rad/s"
    ]


def test_each_topic_is_told_of_once_in_a_while(node: Node, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5.0
    monkeypatch.setattr("outlap_nodes.shared.incoming.time.monotonic", lambda: now)
    incoming = Incoming(node)
    for _ in range(3):
        incoming.sent(JointState())
        incoming.motion(odometry(twist__twist__linear__x=math.nan))
    assert [sentence.split()[3] for sentence in told] == ["/car1/motor/state", "/car1/sim/odom"]
    now += 10.5
    incoming.sent(JointState())
    assert len(told) == 3


def test_odometry_is_read(node: Node, told: list[str]) -> None:
    assert Incoming(node).motion(odometry()) == Motion(1.0, 2.0, pytest.approx(0.5), 3.0, 4.0, 5.0)
    assert told == []


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "name",
    [
        *(f"pose__pose__position__{axis}" for axis in "xy"),
        *(f"pose__pose__orientation__{axis}" for axis in "xyzw"),
        *("twist__twist__linear__x", "twist__twist__linear__y", "twist__twist__angular__z"),
    ],
)
def test_odometry_that_is_not_finite_is_passed_over(node: Node, told: list[str], name: str, bad: float) -> None:
    message = odometry(**{name: bad})
    assert Incoming(node).motion(message, topics.GAZEBO_ODOMETRY) is None
    assert told == ["a message on /car1/gazebo/odom cannot be used and is passed over: a number in it is not finite"]


def test_a_place_is_finite_or_none() -> None:
    assert to_place(Pose(position=Point(x=1.0, y=2.0, z=math.nan))) == (1.0, 2.0, 0.0)
    assert to_place(Pose(position=Point(x=math.inf))) is None
    assert to_place(Pose(orientation=Quaternion(w=math.nan))) is None


def picture(**changes: Any) -> Image:
    message = to_image(to_time(0.0), "camera", np.arange(24, dtype=np.uint8).reshape(2, 4, 3))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    "changes",
    [
        {"height": 3},
        {"width": 5},
        {"step": 0},
        {"step": 11},
        {"data": array("B")},
        {"height": 0, "data": array("B")},
        {"width": 0},
        {"height": 2**32 - 1, "step": 2**32 - 1},
        {"encoding": ""},
        {"encoding": "bgr8"},
    ],
    ids=str,
)
def test_a_picture_that_is_none_is_passed_over(node: Node, told: list[str], changes: dict[str, Any]) -> None:
    message = picture(**changes)
    with pytest.raises(ValueError, match=r"."):
        to_pixels(message)
    assert Incoming(node).picture(message, topics.SIM_IMAGE, "rgb8") is None
    (sentence,) = told
    assert sentence.startswith("a message on /car1/sim/camera/image_raw cannot be used and is passed over: ")


def test_a_picture_of_another_kind_is_passed_over(node: Node, told: list[str]) -> None:
    found = Incoming(node).picture(picture(), topics.SIM_IMAGE, "rgb8")
    assert found is not None and found.shape == (2, 4, 3) and not told
    assert Incoming(node).picture(picture(), topics.VIEW, "mono8") is None
    assert told == ["a message on /car1/camera/image cannot be used and is passed over: it is rgb8, not mono8"]


def test_no_node_takes_a_number_of_a_messages_array_by_itself() -> None:
    taken = re.compile(r"\b(message|state|raw)\.(position|velocity|effort|axes|buttons|data|k|d)\[")
    for path in sorted((share_directory() / "nodes").rglob("*.py")):
        if path.name != "incoming.py":
            assert not taken.search(path.read_text()), f"{path}: use shared/incoming.py, which looks first"
