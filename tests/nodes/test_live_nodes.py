"""camera, policy, simulator and referee alone: what they publish, and what they refuse in one sentence."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from nav_msgs.msg import Odometry
from outlap_nodes.shared.messages import LATEST, RECORD, STREAM, to_image, to_pixels, to_quaternion, to_seconds, to_yaw
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Float64

from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.files import share_directory
from outlap.launching.domain import Domain
from outlap.launching.environment import ros_environment
from outlap.policy.file import load_policy
from outlap.vehicle.car import load_car

pytestmark = pytest.mark.live

VIEW = View()


def test_camera_shows_the_canonical_view_under_the_stamp_of_exposure(probe: Any, start: Callable[..., Any]) -> None:
    start("camera", use_sim_time=False)
    views: list[Image] = probe.listen(Image, "/camera/image", STREAM)
    infos: list[CameraInfo] = probe.listen(CameraInfo, "/camera/camera_info", STREAM)
    raws = probe.node.create_publisher(Image, "/sim/camera/image_raw", STREAM)
    picture = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    stamp = probe.node.get_clock().now().to_msg()
    raw = to_image(stamp, "camera_optical_frame", picture)
    probe.node.create_timer(0.05, lambda: raws.publish(raw))
    probe.until(lambda: views and infos, "a canonical view")
    assert np.array_equal(to_pixels(views[0]), Warp(load_car().camera, VIEW)(picture))
    assert views[0].header.stamp == infos[0].header.stamp == stamp
    assert views[0].header.frame_id == "camera_optical_frame"
    assert infos[0].k[0] == pytest.approx(VIEW.focal_length)


def test_camera_says_when_the_picture_is_not_the_cars(probe: Any, start: Callable[..., Any]) -> None:
    camera = start("camera")
    raws = probe.node.create_publisher(Image, "/sim/camera/image_raw", STREAM)
    wrong = to_image(probe.node.get_clock().now().to_msg(), "camera_optical_frame", np.zeros((48, 64, 3), np.uint8))
    probe.node.create_timer(0.05, lambda: raws.publish(wrong))
    probe.until(lambda: "160x120" in camera.said, "a complaint")
    assert "Traceback" not in camera.said


class ImageSource:
    """Publishes images at 20 Hz, stamped ``late`` s ago, that say to be ``width`` wide."""

    def __init__(self, probe: Any) -> None:
        self.late, self.shape, self.width = 0.0, (VIEW.height, VIEW.width), None
        self._probe = probe
        self._images = probe.node.create_publisher(Image, "/camera/image", STREAM)
        probe.node.create_timer(0.05, self._send)

    def _send(self) -> None:
        image = to_image(self._probe.node.get_clock().now().to_msg(), "", np.zeros(self.shape, np.uint8))
        now = self._probe.node.get_clock().now().nanoseconds - round(self.late * 1e9)
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(now, 1_000_000_000)
        image.width = self.width or image.width
        self._images.publish(image)


def test_policy_commands_under_the_images_stamp(
    probe: Any, start: Callable[..., Any], constant_policy: Callable[[float, float], Path]
) -> None:
    start("policy", use_sim_time=False, policy=constant_policy(0.5, 2.0))
    commands: list[TwistStamped] = probe.listen(TwistStamped, "/cmd_vel", LATEST)
    images: list[Image] = probe.listen(Image, "/camera/image", STREAM)
    ImageSource(probe)
    probe.until(lambda: len(commands) > 3, "commands")
    twist = commands[-1].twist
    assert (twist.linear.x, twist.angular.z) == pytest.approx((2.0, 1.0))
    assert commands[-1].header.frame_id == "base_link"

    def paired() -> bool:
        """On a busy machine the probe may miss an image; then another one tells."""
        stamps = [image.header.stamp for image in images]
        return any(command.header.stamp in stamps for command in commands)

    probe.until(paired, "a command under the stamp of an image")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"late": 0.3}, "old on ROS time"),
        ({"shape": (60, 80)}, "the policy's view is 80x48 mono8"),
        ({"shape": (48, 40), "width": 80}, "an image on /camera/image is malformed"),
    ],
)
def test_policy_does_not_act_on_late_or_wrong_images(
    probe: Any, start: Callable[..., Any], constant_policy: Callable[[float, float], Path], change: dict, words: str
) -> None:
    policy = start("policy", use_sim_time=False, policy=constant_policy(0.5, 2.0))
    commands: list[TwistStamped] = probe.listen(TwistStamped, "/cmd_vel", LATEST)
    source = ImageSource(probe)
    for key, value in change.items():
        setattr(source, key, value)
    probe.until(lambda: words in policy.said, "a complaint")
    probe.spin(0.5)
    assert commands == []


def test_simulator_offers_its_port(probe: Any, start: Callable[..., Any], ring_path: Path) -> None:
    clocks: list[Clock] = probe.listen(Clock, "/clock", STREAM)
    odometry: list[Odometry] = probe.listen(Odometry, "/sim/odom", LATEST)
    images: list[Image] = probe.listen(Image, "/sim/camera/image_raw", STREAM)
    infos: list[CameraInfo] = probe.listen(CameraInfo, "/sim/camera/camera_info", STREAM)
    start("simulator", track=ring_path)
    # The first start on a machine compiles the renderer.
    probe.until(lambda: len(images) > 5 and infos, "pictures", patience=150)
    times = [to_seconds(clock.clock) for clock in clocks]
    assert times == sorted(set(times)), "the clock never goes back"
    ticks = [to_seconds(image.header.stamp) * 30 for image in images]
    assert ticks == pytest.approx(np.round(ticks), abs=1e-6), "a picture at every fourth step of 120 Hz"
    assert (images[0].encoding, images[0].width, images[0].height) == ("rgb8", 160, 120)
    assert np.ptp(to_pixels(images[0])) > 50
    assert infos[0].distortion_model == "equidistant"
    first = odometry[0].pose.pose
    assert (first.position.x, first.position.y) == pytest.approx((1.2, 0.0), abs=0.1)

    steering = probe.node.create_publisher(Float64, "/sim/steering_angle", LATEST)
    wheel_speed = probe.node.create_publisher(Float64, "/sim/wheel_speed", LATEST)
    poses = probe.node.create_publisher(PoseStamped, "/sim/set_pose", LATEST)
    timer = probe.node.create_timer(
        0.05, lambda: (steering.publish(Float64(data=0.1)), wheel_speed.publish(Float64(data=30.0)))
    )
    probe.until(lambda: odometry[-1].twist.twist.linear.x > 0.5, "the car driving")
    probe.until(lambda: odometry[-1].twist.twist.angular.z > 0.1, "the car turning left")
    timer.cancel()
    wheel_speed.publish(Float64(data=0.0))
    probe.until(lambda: abs(odometry[-1].twist.twist.linear.x) < 0.01, "the car standing")
    put = PoseStamped()
    put.header.frame_id, put.pose.position.y, put.pose.orientation = "odom", -1.2, to_quaternion(0.3)
    poses.publish(put)
    probe.until(lambda: abs(odometry[-1].pose.pose.position.y + 1.2) < 0.01, "the car being put")
    assert to_yaw(odometry[-1].pose.pose.orientation) == pytest.approx(0.3, abs=0.01)


def test_a_second_simulator_is_refused(probe: Any, start: Callable[..., Any], ring_path: Path) -> None:
    clocks: list[Clock] = probe.listen(Clock, "/clock", STREAM)
    first = start("simulator", track=ring_path)
    probe.until(lambda: clocks and clocks[-1].clock.sec >= 4, "four seconds of the first", patience=150)
    second = start("simulator", track=ring_path)
    assert second.process.wait(150) == 2
    assert "another simulator is already running on ROS_DOMAIN_ID" in second.said
    assert first.process.poll() is None
    heard = len(clocks)
    probe.until(lambda: len(clocks) > heard + 10, "the first one going on")


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("camera", {"car": "nothing"}, "there is no car named 'nothing'"),
        ("camera", {"source": "telescope"}, "parameters of /camera"),
        ("motor", {"actuator": "rocket"}, "actuator"),
        ("motor", {"colour": "red"}, "colour: unknown key"),
        ("motor", {"car": 3}, "car"),
        ("policy", {"policy": "/nowhere/policy.onnx"}, "/nowhere/policy.onnx"),
        ("policy", {"exchange": "always"}, "exchange"),
        ("viewer", {"port": 70000}, "port"),
        ("simulator", {"track": "nowhere"}, "there is no track 'nowhere'"),
        ("simulator", {"rate": 90.0}, "rate 90 Hz must divide the simulation's 120 Hz"),
        ("simulator", {"rate": 240.0}, "rate 240 Hz must divide"),
        ("simulator", {"rate": 40.0}, "must be a multiple"),
        ("referee", {"track": "nowhere"}, "there is no track 'nowhere'"),
        ("referee", {"laps": -1}, "laps"),
        ("gazebo_port", {"car": "nothing"}, "there is no car named 'nothing'"),
        ("frames", {"car": "nothing"}, "there is no car named 'nothing'"),
        pytest.param(
            *("frames", {}, "ros-jazzy-tf2-msgs"),
            marks=pytest.mark.skipif(
                importlib.util.find_spec("tf2_msgs") is not None,
                reason="is about a machine without tf2_msgs, and this one has it",
            ),
        ),
    ],
)
def test_a_wrong_parameter_is_told_in_one_sentence(
    start: Callable[..., Any], name: str, parameters: dict, words: str
) -> None:
    program = start(name, **parameters)
    assert program.wait() == 2
    lines = [line for line in program.said.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, program.said
    assert words in lines[0]
    assert "Traceback" not in program.said


@pytest.mark.parametrize(
    "words",
    [
        ["--bogus"],
        ["--ros-args", "-p", "car"],
        ["--ros-args", "--params-file", "/no.yaml"],
        ["--ros-args", "-r", "__node:=other"],
    ],
)
def test_arguments_that_are_none_are_told_in_one_sentence(words: list[str]) -> None:
    program = Path(sys.executable).with_name("outlap_motor")
    done = subprocess.run([str(program), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_help_says_what_a_node_does() -> None:
    program = Path(sys.executable).with_name("outlap_camera")
    done = subprocess.run([str(program), "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "canonical view" in done.stdout


@pytest.mark.fault(13)
def test_a_damaged_policy_file_is_refused(
    start: Callable[..., Any], constant_policy: Callable[[float, float], Path], tmp_path: Path
) -> None:
    damaged = tmp_path / "policy.onnx"
    damaged.write_bytes(constant_policy(0.5, 2.0).read_bytes()[:-1])
    program = start("policy", policy=damaged)
    assert program.wait() == 2
    assert "error: " in program.said
    assert "Traceback" not in program.said


@pytest.mark.parametrize(
    ("listed", "words"),
    [("1" * 64, "is not on the list of allowed ones"), ("all of them", "line 1: 'all of them' is not")],
)
def test_a_policy_starts_only_when_it_is_on_a_proper_list(
    start: Callable[..., Any], constant_policy: Callable[[float, float], Path], tmp_path: Path, listed: str, words: str
) -> None:
    policy, allowed = constant_policy(0.5, 2.0), tmp_path / "allowed.txt"
    allowed.write_text(listed)
    program = start("policy", policy=policy, allowed=allowed)
    assert program.wait() == 2
    assert words in program.said and "Traceback" not in program.said


def test_a_policy_on_the_list_drives(
    probe: Any, start: Callable[..., Any], constant_policy: Callable[[float, float], Path], tmp_path: Path
) -> None:
    policy, allowed = constant_policy(0.5, 2.0), tmp_path / "allowed.txt"
    allowed.write_text(load_policy(policy).digest)
    start("policy", use_sim_time=False, policy=policy, allowed=allowed)
    probe.until(lambda: probe.node.count_publishers("/cmd_vel"), "the policy node coming up")


def test_a_car_file_with_an_unknown_key_is_refused(start: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "car.yaml"
    path.write_text((share_directory() / "config" / "cars" / "deepracer.yaml").read_text() + "\nwings: 2\n")
    program = start("motor", car=path)
    assert program.wait() == 2
    assert "wings: unknown key" in program.said


IMPATIENT = """
import os, signal, sys
from rclpy.node import Node
from outlap_nodes.shared.program import run

class Writer(Node):
    interruptible = True
    def spin_once(self, executor):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            print("went on writing")
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            print("temporary file removed")
    def close(self):
        os.kill(os.getpid(), signal.SIGTERM)
        print("closed")

run(lambda: Writer("writer"))
"""


def test_a_second_ctrl_c_does_not_disturb_the_end_that_the_first_began(domain: Domain) -> None:
    words, environment = [sys.executable, "-c", IMPATIENT], ros_environment(domain.id)
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["temporary file removed", "closed"]


@pytest.mark.parametrize("library", ["_rclpy_pybind11", "libsensor_msgs"])
def test_ctrl_c_while_libraries_are_imported_gives_no_traceback(domain: Domain, library: str) -> None:
    words = [str(Path(sys.executable).with_name("outlap_motor")), "--ros-args", "-p", "use_sim_time:=false"]
    environment = ros_environment(domain.id)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as motor:
        maps = Path(f"/proc/{motor.pid}/maps")
        while motor.poll() is None and library not in maps.read_text():
            pass
        motor.send_signal(signal.SIGINT)
        said = "".join(motor.communicate(timeout=60))
    assert "Traceback" not in said
    assert motor.returncode in (0, -signal.SIGINT)  # it may have come further meanwhile


def test_a_referee_without_a_graph_ends_quickly_on_a_signal(
    probe: Any, start: Callable[..., Any], ring_path: Path
) -> None:
    program = start("referee", track=ring_path)
    heard: list[DiagnosticArray] = probe.listen(DiagnosticArray, "/diagnostics", RECORD)
    # While it still imports, a signal finds Python's handler, or none where a background job's SIGINT is ignored.
    probe.until(lambda: heard, "waiting for a graph")
    assert program.stop() == 0
    assert "Traceback" not in program.said
