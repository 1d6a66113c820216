"""What of Gazebo these tests need; where it is not installed, they skip and say what is missing."""

from __future__ import annotations

import importlib.util
import os

import pytest

from outlap.errors import OutlapError
from outlap.gazebo.program import gazebo_version
from outlap.launching.programs import find_program


@pytest.fixture(scope="session")
def gazebo() -> None:
    """Gazebo itself, in the version that Outlap's worlds are for."""
    try:
        gazebo_version()
    except OutlapError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def bridge(gazebo: None) -> None:
    """Gazebo, its bridge to ROS and the messages of its services."""
    if find_program("ros_gz_bridge", "parameter_bridge", os.environ) is None:
        pytest.skip("ros_gz_bridge is not installed: apt install ros-jazzy-ros-gz")
    if importlib.util.find_spec("ros_gz_interfaces") is None:
        pytest.skip("ros_gz_interfaces is not installed: apt install ros-jazzy-ros-gz")
