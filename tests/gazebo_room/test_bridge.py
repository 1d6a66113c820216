"""The bridge's configuration: what ros_gz_bridge understands, and the names that the car and the port use."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import yaml
from outlap_nodes.gazebo_port import JOINTS, MODEL
from outlap_nodes.shared import topics

from outlap.files import share_directory
from outlap.gazebo.assemble import MODEL as CAR
from outlap.gazebo.model import car_urdf
from outlap.gazebo.world import WORLD
from outlap.launching.document import read_document

# Keys and directions of ros_gz_bridge/src/bridge_config.cpp, ros_gz's branch for Jazzy; others pass unnoticed there.
KEYS = {
    "ros_topic_name",
    "gz_topic_name",
    "ros_type_name",
    "gz_type_name",
    "direction",
    "publisher_queue",
    "subscriber_queue",
    "lazy",
}
DIRECTIONS = {"GZ_TO_ROS", "ROS_TO_GZ"}
# The pairs that we use of the table in ros_gz_bridge/ros_gz_bridge/mappings.py, same branch.
PAIRS = {
    ("nav_msgs/msg/Odometry", "gz.msgs.Odometry"),
    ("sensor_msgs/msg/CameraInfo", "gz.msgs.CameraInfo"),
    ("sensor_msgs/msg/Image", "gz.msgs.Image"),
    ("sensor_msgs/msg/JointState", "gz.msgs.Model"),
    ("std_msgs/msg/Float64", "gz.msgs.Double"),
}


@pytest.fixture(scope="module")
def entries() -> list[dict]:
    return yaml.safe_load((share_directory() / "config" / "gazebo_bridge.yaml").read_text())


@pytest.fixture(scope="module")
def gz_topics() -> set[str]:
    """Every topic that the car's description names."""
    root = ElementTree.fromstring(car_urdf())
    return {
        (element.text or "").strip()
        for tag in ("topic", "odom_topic", "camera_info_topic")
        for element in root.iter(tag)
    }


def test_every_entry_is_one_that_ros_gz_bridge_carries(entries: list[dict]) -> None:
    for entry in entries:
        assert set(entry) <= KEYS, entry
        assert entry["direction"] in DIRECTIONS
        assert (entry["ros_type_name"], entry["gz_type_name"]) in PAIRS
        for queue in ("publisher_queue", "subscriber_queue"):
            assert isinstance(entry.get(queue, 1), int)
        assert isinstance(entry.get("lazy", False), bool)
    names = [entry["ros_topic_name"] for entry in entries]
    assert len(set(names)) == len(names)


def test_the_car_the_bridge_and_the_port_use_the_same_names(entries: list[dict], gz_topics: set[str]) -> None:
    assert {entry["gz_topic_name"] for entry in entries} == gz_topics
    commands = {entry["ros_topic_name"] for entry in entries if entry["direction"] == "ROS_TO_GZ"}
    assert commands == {f"/{topics.gazebo_joint(joint).name}" for joint in JOINTS}
    heard = {entry["ros_topic_name"] for entry in entries if entry["direction"] == "GZ_TO_ROS"}
    port = (topics.GAZEBO_IMAGE, topics.GAZEBO_CAMERA_INFO, topics.GAZEBO_ODOMETRY)
    assert heard == {f"/{topic.name}" for topic in port} | {"/gazebo/joint_states"}


def test_the_launch_file_bridges_the_service_and_sets_the_pictures_quality() -> None:
    document = read_document(share_directory() / "launch" / "simulator_gazebo.launch.xml")
    (group,) = document.named("group")
    (bridge,) = [node for node in group.named("node") if node["pkg"] == "ros_gz_bridge"]
    # And what gazebo_randomizer asks for.
    assert bridge["args"].split() == [
        f"/{topics.gazebo_service(request, object).name}@ros_gz_interfaces/srv/{kind}"
        for request, kind in (("set_pose", "SetEntityPose"), ("create", "SpawnEntity"), ("remove", "DeleteEntity"))
    ]
    assert topics.gazebo_service("set_pose", object).name == f"world/{WORLD}/set_pose"
    assert MODEL == CAR
    parameters = {param["name"]: param["value"] for param in bridge.named("param")}
    assert parameters["qos_overrides./gazebo/camera/image_raw.publisher.reliability"] == "best_effort"
