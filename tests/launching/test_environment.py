"""What nodes are given, and that a user's own choices stand."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from outlap.errors import OutlapError
from outlap.launching.environment import ros_environment
from outlap.launching.handover import ros_launch_is_installed
from outlap.launching.programs import require_program


def test_what_nodes_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTRTPS_DEFAULT_PROFILES_FILE", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "1")
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/opt/other")
    environment = ros_environment(7)
    assert environment["ROS_DOMAIN_ID"] == "7"
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert environment["AMENT_PREFIX_PATH"].split(os.pathsep) == [sys.prefix, "/opt/other"]
    assert "_ROS_WHEELS_BOOTSTRAP_COMPLETE" not in environment
    profile = ElementTree.parse(environment["FASTRTPS_DEFAULT_PROFILES_FILE"])
    assert profile.getroot().tag.endswith("profiles")
    assert "ROS_DOMAIN_ID" not in os.environ or os.environ["ROS_DOMAIN_ID"] != "7"


def test_a_users_own_choice_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/mine.xml")
    environment = ros_environment(7)
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"
    assert environment["FASTRTPS_DEFAULT_PROFILES_FILE"] == "/mine.xml"


def test_ros_launch_counts_only_with_every_package_it_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "ros2"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    for package in ("ros2launch", "launch_xml", "launch_ros", "outlap"):
        assert not ros_launch_is_installed()
        (index / package).touch()
    assert ros_launch_is_installed()


def test_without_ros_a_program_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OutlapError, match=r"rclpy is not installed here: .*, or source ROS 2 Jazzy\.$"):
        require_program("arm", {})
