"""The letter box for one message: the newest is there when it is wanted, and nobody is woken for it meanwhile."""

from __future__ import annotations

import time
from typing import Any

import pytest
from live_graph import Probe
from outlap_nodes.shared import topics
from outlap_nodes.shared.latest_message import Latest, Unattended
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

pytestmark = pytest.mark.live


def state(position: float) -> JointState:
    return JointState(name=["steering"], position=[position])


def test_a_message_that_lies_there_wakes_nobody(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    """An executor asks what it may wait for each time that it is woken; nothing but time may wake it here."""
    asked, really = 0, Unattended.can_execute

    def counted(group: Unattended, entity: Any) -> bool:
        nonlocal asked
        asked += 1
        return really(group, entity)

    monkeypatch.setattr(Unattended, "can_execute", counted)
    publisher = topics.MOTOR_STATE.publisher(probe.node)
    box = Latest(probe.node, topics.MOTOR_STATE)
    probe.until(lambda: publisher.get_subscription_count() == 1, "the box being known")
    for position in (1.0, 2.0):
        publisher.publish(state(position))
    time.sleep(0.5)
    asked = 0
    probe.spin(2.0)
    # Some dozens for timers and services; a loop that never rests asks thousands of times.
    assert asked < 300
    taken = box.take()
    assert taken is not None and taken.position[0] == 2.0
    assert box.take() is None


def test_a_publisher_that_it_cannot_hear_is_told_of(probe: Probe, capfd: pytest.CaptureFixture[str]) -> None:
    box = Latest(probe.node, topics.MOTOR_STATE)
    weak = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    probe.node.create_publisher(JointState, "motor/state", weak)
    said = ""

    def told() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return "/probe publishes on /motor/state with a quality of service that /probe cannot take" in said

    probe.until(told, "the warning")
    assert box.take() is None
