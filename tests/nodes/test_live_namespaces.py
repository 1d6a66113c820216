"""Graphs side by side on one ROS domain, each in a namespace: none hears another."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from outlap_nodes.shared import topics
from outlap_nodes.shared.messages import STREAM, to_seconds
from outlap_nodes.shared.transport import LOOPBACK, TRANSPORT
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64
from std_srvs.srv import SetBool

from outlap.launching.domain import Domain
from outlap.launching.environment import ros_environment
from outlap.policy.file import load_policy
from outlap.recording.read import Recording

pytestmark = pytest.mark.live

PATIENCE = 150.0  # s; the first start on a machine compiles the renderer
EVERYBODYS = {"/parameter_events", "/rosout"}  # which ROS itself has outside of all namespaces


class Graph:
    """A simulated car with a policy of its own under a namespace, and all that it says."""

    def __init__(
        self, probe: Any, start: Callable[..., Any], namespace: str, track: Path, policy: Path, simulate: bool = True
    ) -> None:
        self.probe, self.policy = probe, policy
        self.prefix = f"/{namespace}" if namespace else ""
        self.clocks: list[Clock] = self.listen(topics.CLOCK)
        self.odometry: list[Odometry] = self.listen(topics.ODOMETRY)
        self.images: list[Image] = self.listen(topics.VIEW)
        self.commands: list[TwistStamped] = self.listen(topics.COMMAND)
        self.states: list[JointState] = self.listen(topics.MOTOR_STATE)
        self.diagnostics: list[DiagnosticArray] = self.listen(topics.DIAGNOSTICS)
        self.simulator = start("simulator", namespace=namespace, track=track)
        for name, given in (("camera", {}), ("policy", {"policy": policy})):
            start(name, namespace=namespace, use_sim_time=True, **given)
        self.motor = start("motor", namespace=namespace, use_sim_time=True)

    def listen(self, topic: topics.Topic[Any]) -> list[Any]:
        return self.probe.listen(topic.type, f"{self.prefix}/{topic.name}", topic.qos)

    def arm(self) -> SetBool.Response:
        return self.probe.call(SetBool, f"{self.prefix}/motor/arm", SetBool.Request(data=True))

    @property
    def ready(self) -> bool:
        heard = self.clocks and self.odometry and self.states and self.said("motor") and self.said("policy")
        return len(self.images) > 10 and len(self.commands) > 10 and bool(heard)

    @property
    def place(self) -> tuple[float, float]:
        position = self.odometry[-1].pose.pose.position
        return position.x, position.y

    def drive_on(self, metres: float) -> None:
        """Arm, again where a busy machine made the gate stop the car, and see it get ahead."""
        begin, asked = self.place, 0

        def moved() -> bool:
            nonlocal asked
            if self.states[-1].velocity[1] == 0 and len(self.states) > asked + 20:
                asked = len(self.states)
                self.arm()
            return math.dist(begin, self.place) > metres

        self.probe.until(moved, f"the car in {self.prefix or '/'} getting ahead", PATIENCE)

    def said(self, node: str) -> dict[str, str]:
        """The newest values of a node's status."""
        for array in reversed(self.diagnostics):
            for status in array.status:
                if status.name == node:
                    return {value.key: value.value for value in status.values}
        return {}

    def keeps_to_itself(self) -> None:
        """Nobody of another namespace publishes or listens here, and the command's stamps are of this clock."""
        node = self.probe.node
        namespace = self.prefix or "/"
        for topic in topics.TOPICS:
            name = f"{self.prefix}/{topic.name}"
            for end in (*node.get_publishers_info_by_topic(name), *node.get_subscriptions_info_by_topic(name)):
                assert end.node_name == "probe" or end.node_namespace == namespace, (name, end.node_name)
        for name, where in node.get_node_names_and_namespaces():
            if where == namespace and name != "probe":
                said, heard = (
                    {topic for topic, _ in ask(name, where)}
                    for ask in (node.get_publisher_names_and_types_by_node, node.get_subscriber_names_and_types_by_node)
                )
                assert all(topic.startswith(f"{self.prefix}/") for topic in (said | heard) - EVERYBODYS), (name, said)
        now = to_seconds(self.clocks[-1].clock)
        assert abs(now - to_seconds(self.commands[-1].header.stamp)) < 1.0
        assert abs(now - to_seconds(self.images[-1].header.stamp)) < 1.0
        digests = {
            value.value
            for array in self.diagnostics
            for status in array.status
            for value in status.values
            if value.key == "digest"
        }
        assert digests == {load_policy(self.policy).digest}


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs talk as on a car, by UDP: in shared memory one that is killed may hold up whoever sends to it."""
    monkeypatch.setenv(TRANSPORT, LOOPBACK)


@pytest.mark.usefixtures("loopback")
@pytest.mark.timeout(400)
def test_two_cars_on_one_domain_do_not_hear_each_other(
    probe: Any, start: Callable[..., Any], ring_path: Path, constant_policy: Callable[[float, float], Path]
) -> None:
    one, other = "", "team/car1"
    driven = Graph(probe, start, one, ring_path, constant_policy(1 / 1.2, 1.0))
    probe.until(lambda: len(driven.clocks) > 60, "the first clock", PATIENCE)
    still = Graph(probe, start, other, ring_path, constant_policy(1 / 1.2, 0.6))
    probe.until(lambda: driven.ready and still.ready, "both graphs coming up", PATIENCE)
    # The clocks differ, so that a node that heard both would see time jump.
    assert to_seconds(driven.clocks[-1].clock) - to_seconds(still.clocks[-1].clock) > 0.4

    begin = still.place
    driven.drive_on(1.0)
    assert math.dist(begin, still.place) < 0.01
    assert all(state.velocity[1] == 0 for state in still.states)
    assert (still.said("motor")["state"], driven.said("policy")["digest"][:4]) == (
        "disarmed",
        load_policy(driven.policy).digest[:4],
    )
    for graph in (driven, still):
        graph.keeps_to_itself()
    assert "jumped" not in driven.motor.said

    # A second simulator is refused where there is one, and told where that is.
    third = start("simulator", namespace=other, track=ring_path)
    assert third.wait() == 2
    assert "another simulator is already running on ROS_DOMAIN_ID" in third.said
    assert f"in the namespace /{other}" in third.said

    # What befalls one says nothing to the other.
    still.drive_on(0.5)
    written: list[Float64] = still.listen(topics.WHEEL_SPEED)

    def drives() -> bool:
        """Again where a busy machine made the gate stop the car."""
        return bool(written and written[-1].data > 0) or not still.arm()

    probe.until(drives, "writes of the motor", PATIENCE)
    still.motor.process.kill()
    probe.until(lambda: written[-1].data == 0, "its stopper stopping the car whose motor died")
    probe.until(lambda: abs(still.odometry[-1].twist.twist.linear.x) < 0.02, "the car standing")
    still.simulator.stop(signal.SIGKILL)
    clocks = len(still.clocks)
    driven.drive_on(0.5)
    assert len(still.clocks) <= clocks + 120


def test_a_motors_rivals_are_those_of_its_own_namespace(probe: Any, start: Callable[..., Any]) -> None:
    motor = start("motor", namespace="car1", use_sim_time=False)
    diagnostics = probe.listen(DiagnosticArray, "/car1/diagnostics", topics.DIAGNOSTICS.qos)
    publishers = [probe.node.create_publisher(TwistStamped, "/car1/cmd_vel", topics.COMMAND.qos)]

    said = ""

    def refused(words: str) -> bool:
        nonlocal said
        said = probe.call(SetBool, "/car1/motor/arm", SetBool.Request(data=True)).message
        return words in said

    probe.until(lambda: diagnostics and publishers[0].get_subscription_count(), "the motor coming up")
    for elsewhere in ("/cmd_vel", "/car2/cmd_vel"):
        publishers += [probe.node.create_publisher(TwistStamped, elsewhere, topics.COMMAND.qos) for _ in range(2)]
    probe.spin(1.0)
    probe.until(lambda: refused("no command from the policy yet"), "its refusal for want of commands alone")
    assert "nodes publish" not in said
    publishers.append(probe.node.create_publisher(TwistStamped, "/car1/cmd_vel", topics.COMMAND.qos))
    probe.until(lambda: refused("2 nodes publish on /car1/cmd_vel: /probe and /probe"), "its rivals being told")
    assert motor.process.poll() is None


def test_a_publisher_that_cannot_be_heard_is_told_of_by_topic_and_node(probe: Any, start: Callable[..., Any]) -> None:
    motor = start("motor", namespace="car1", use_sim_time=False)
    camera = start("camera", namespace="car1", use_sim_time=False)
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    weak = probe.node.create_publisher(TwistStamped, "/car1/cmd_vel", best_effort)
    probe.node.create_publisher(JointState, "/car1/motor/state", best_effort)
    words = (
        "/probe publishes on {} with a quality of service that {} cannot take: it offers best effort and volatile, "
        "reliable and volatile is needed; nothing of it is heard"
    )
    probe.until(lambda: words.format("/car1/cmd_vel", "/car1/motor") in motor.said, "the motor telling of it")
    probe.until(lambda: words.format("/car1/motor/state", "/car1/camera") in camera.said, "the camera telling of it")
    for _ in range(20):
        twist = TwistStamped()
        twist.header.stamp, twist.header.frame_id = probe.node.get_clock().now().to_msg(), "base_link"
        weak.publish(twist)
        probe.spin(0.02)

    def refused() -> bool:
        answer = probe.call(SetBool, "/car1/motor/arm", SetBool.Request(data=True))
        assert not answer.success
        return "no command from the policy yet" in answer.message

    probe.until(refused, "its refusal for want of a command")
    assert motor.said.count("with a quality of service") == 1
    probe.node.destroy_publisher(weak)
    probe.spin(0.5)
    probe.node.create_publisher(TwistStamped, "/car1/cmd_vel", best_effort)
    probe.until(lambda: motor.said.count(words.format("/car1/cmd_vel", "/car1/motor")) == 2, "its telling of it again")
    assert motor.stop() == camera.stop() == 0


@pytest.mark.parametrize("values", [[], [KeyValue(key="digest", value="x"), KeyValue(key="rate_hz", value="many")]])
def test_a_status_that_cannot_be_used_is_told_of_and_passed_over(
    probe: Any, start: Callable[..., Any], ring_path: Path, tmp_path: Path, values: list[KeyValue]
) -> None:
    recorder = start("recorder", out=tmp_path / "out")
    referee = start("referee", track=ring_path)
    publisher = topics.DIAGNOSTICS.publisher(probe.node)
    array = DiagnosticArray(status=[DiagnosticStatus(name=name, values=values) for name in ("motor", "policy", "me")])

    def told() -> bool:
        publisher.publish(array)
        return all("a status of 'policy' on /diagnostics cannot be used" in node.said for node in (recorder, referee))

    probe.until(told, "both telling of it")
    assert recorder.said.count("a status of 'motor'") == 1
    assert "a status of 'me'" not in recorder.said
    assert recorder.stop() == referee.stop() == 0


@pytest.mark.parametrize("namespace", ["car1", "team/car1"])
def test_gazebo_is_refused_in_a_namespace(start: Callable[..., Any], namespace: str) -> None:
    gazebo = start("gazebo", namespace=namespace, world="oval")
    assert gazebo.wait() == 2
    assert f"Gazebo runs only for a graph without a namespace, not in /{namespace}: " in gazebo.said
    assert "take the built-in simulator" in gazebo.said
    assert "Traceback" not in gazebo.said


def outlap(domain: Domain, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "outlap.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, env=ros_environment(domain.id))


def test_tools_find_a_graph_by_its_namespace(
    domain: Domain, probe: Any, start: Callable[..., Any], tmp_path: Path
) -> None:
    start("motor", namespace="team/car1", use_sim_time=False)
    heard = probe.listen(Float64, "/team/car1/sim/wheel_speed", STREAM)
    probe.until(lambda: heard, "the motor writing")
    asked = outlap(domain, "arm", "--namespace", "/team/car1")
    assert (asked.returncode, asked.stderr) == (1, "")
    assert re.search(r"^arming refused: (no command from the policy yet|the stopper)", asked.stdout, re.MULTILINE)
    assert outlap(domain, "disarm", "--namespace", "team/car1").stdout == "disarmed\n"
    assert outlap(domain, "disarm").stdout == "no motor answered here; say which with --namespace: /team/car1\n"
    recorded = outlap(domain, "record", "--namespace", "team/car1", "--seconds", "2", "--out", str(tmp_path / "out"))
    assert recorded.returncode == 0, recorded.stderr
    (folder,) = (tmp_path / "out").iterdir()
    recording = Recording(folder)
    assert set(recording.topics) == {"/team/car1/motor/state", "/team/car1/diagnostics"}
    assert recording.metadata["outlap"]["car"].endswith("deepracer.yaml")
    assert os.environ.get("ROS_DOMAIN_ID") is None
