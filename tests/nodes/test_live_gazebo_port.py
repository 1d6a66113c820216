"""gazebo_port alone: a node in the bridge's place speaks for Gazebo, over the very topics that the bridge would use."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from outlap_nodes.gazebo_port import JOINTS
from outlap_nodes.shared.messages import LATEST, RECORD, STREAM, to_image, to_pixels, to_quaternion, to_seconds, to_time
from rclpy.qos import ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Float64

from outlap.gazebo.lens import Bend, pinhole
from outlap.gazebo.wheels import Slide, joint_commands
from outlap.vehicle.car import load_car

pytestmark = pytest.mark.live

CAR = load_car("deepracer")
TICK = 0.01  # s
FOCAL = (80.0, 0.0, 193.0, 0.0, 80.0, 145.0, 0.0, 0.0, 1.0)  # of what Gazebo draws
PICTURE = np.random.default_rng(1).integers(0, 255, (290, 386, 3), dtype=np.uint8)


class Gazebo:
    """What the bridge publishes for a car that stands at (1, 2) m, at about 100 Hz; its time can be changed."""

    def __init__(self, probe: Any) -> None:
        self.time = 100.0  # s
        self._odometry = probe.node.create_publisher(Odometry, "/gazebo/odom", RECORD)
        self._images = probe.node.create_publisher(Image, "/gazebo/camera/image_raw", STREAM)
        self._infos = probe.node.create_publisher(CameraInfo, "/gazebo/camera/camera_info", RECORD)
        probe.node.create_timer(TICK, self._send)

    def _send(self) -> None:
        self.time += TICK
        message = Odometry()
        message.header.stamp, message.header.frame_id, message.child_frame_id = to_time(self.time), "o", "racecar/base"
        message.pose.pose.position.x, message.pose.pose.position.y = 1.0, 2.0
        message.pose.pose.orientation = to_quaternion(0.5)
        self._odometry.publish(message)
        self._infos.publish(CameraInfo(width=386, height=290, k=FOCAL))
        self._images.publish(to_image(message.header.stamp, "gazebos", PICTURE))


def test_it_offers_the_port_of_the_built_in_simulator(probe: Any, start: Callable[..., Any]) -> None:
    start("gazebo_port")
    clocks: list[Clock] = probe.listen(Clock, "/clock", STREAM)
    odometry: list[Odometry] = probe.listen(Odometry, "/sim/odom", LATEST)
    images: list[Image] = probe.listen(Image, "/sim/camera/image_raw", STREAM)
    infos: list[CameraInfo] = probe.listen(CameraInfo, "/sim/camera/camera_info", STREAM)
    joints: dict[str, list[Float64]] = {joint: probe.listen(Float64, f"/gazebo/{joint}", LATEST) for joint in JOINTS}
    gazebo = Gazebo(probe)
    probe.until(lambda: len(clocks) > 20 and odometry and images and infos and all(joints.values()), "the port")
    times = [to_seconds(clock.clock) for clock in clocks]
    assert times == sorted(set(times))
    assert times[-1] <= gazebo.time
    assert (odometry[0].header.frame_id, odometry[0].child_frame_id) == ("odom", "base_link")
    assert (odometry[0].pose.pose.position.x, odometry[0].pose.pose.position.y) == (1.0, 2.0)
    assert (infos[0].width, infos[0].distortion_model) == (CAR.camera.lens.width, "equidistant")
    assert infos[0].header.frame_id == images[0].header.frame_id == "camera_optical_frame"
    assert infos[0].header.stamp in [image.header.stamp for image in images]
    assert np.array_equal(to_pixels(images[0]), Bend(CAR.camera.lens, pinhole(386, 290, list(FOCAL)))(PICTURE))
    offered = {
        topic: probe.node.get_publishers_info_by_topic(topic)[0].qos_profile for topic in ("/clock", "/sim/odom")
    }
    assert offered["/clock"].reliability == ReliabilityPolicy.BEST_EFFORT
    assert offered["/sim/odom"].reliability == ReliabilityPolicy.RELIABLE

    steering = probe.node.create_publisher(Float64, "/sim/steering_angle", LATEST)
    wheel_speed = probe.node.create_publisher(Float64, "/sim/wheel_speed", LATEST)
    timer = probe.node.create_timer(
        0.05, lambda: (steering.publish(Float64(data=0.2)), wheel_speed.publish(Float64(data=30.0)))
    )
    wanted = dict(zip(JOINTS, joint_commands(CAR, 0.2, 30.0, Slide(0.0, 0.0)), strict=True))
    probe.until(lambda: all(math.isclose(joints[j][-1].data, wanted[j], rel_tol=0.01) for j in JOINTS), "the joints")
    timer.cancel()
    probe.spin(0.1)
    for value in (math.nan, math.inf):
        steering.publish(Float64(data=value))
        wheel_speed.publish(Float64(data=value))
    heard = len(clocks)
    probe.until(lambda: len(clocks) > heard + 20, "time passing")
    assert all(math.isclose(joints[j][-1].data, wanted[j], rel_tol=0.01) for j in JOINTS)


def test_a_world_that_is_reset_ends_it(probe: Any, start: Callable[..., Any]) -> None:
    port = start("gazebo_port")
    clocks: list[Clock] = probe.listen(Clock, "/clock", STREAM)
    gazebo = Gazebo(probe)
    probe.until(lambda: clocks, "a clock")
    gazebo.time = 0.0
    probe.until(lambda: port.process.poll() is not None, "an end")
    assert port.wait() == 2
    assert "error: Gazebo's time went back" in port.said
    times = [to_seconds(clock.clock) for clock in clocks]
    assert times == sorted(set(times))


def test_beside_another_simulator_it_ends(probe: Any, start: Callable[..., Any]) -> None:
    probe.node.create_publisher(Clock, "/clock", STREAM)
    port = start("gazebo_port")
    Gazebo(probe)
    probe.until(lambda: port.process.poll() is not None, "an end")
    assert port.wait() == 2
    assert "another simulator is already running on ROS_DOMAIN_ID" in port.said


@pytest.mark.skipif(
    importlib.util.find_spec("ros_gz_interfaces") is not None,
    reason="is about a machine without ros_gz_interfaces, and this one has it",
)
def test_without_ros_gz_it_says_what_to_install_when_a_car_is_to_be_put(probe: Any, start: Callable[..., Any]) -> None:
    port = start("gazebo_port")
    poses = probe.node.create_publisher(PoseStamped, "/sim/set_pose", LATEST)
    Gazebo(probe)
    probe.node.create_timer(0.1, lambda: poses.publish(PoseStamped()))
    probe.until(lambda: port.process.poll() is not None, "an end")
    assert port.wait() == 2
    assert "ros-jazzy-ros-gz-interfaces" in port.said.splitlines()[-1]
    assert "Traceback" not in port.said
