"""Gives a launch file to ROS's own launch where that is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from outlap.files import PACKAGE
from outlap.launching.domain import claim_domain
from outlap.launching.environment import ros_environment
from outlap.launching.namespace import argument_namespace

# Packages without which `ros2 launch` cannot run an XML file of ours. They are looked up in ROS's own index, because
# Python's has an unrelated package named `launch`.
NEEDED = ("ros2launch", "launch_xml", "launch_ros", PACKAGE)


def ros_launch_is_installed() -> bool:
    """Whether ``ros2 launch`` is there and knows the package Outlap (which pip alone does not tell it)."""
    prefixes = [prefix for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    index = [Path(prefix) / "share" / "ament_index" / "resource_index" / "packages" for prefix in prefixes]
    return shutil.which("ros2") is not None and all(
        any((folder / package).is_file() for folder in index) for package in NEEDED
    )


def hand_over(path: Path, arguments: dict[str, str]) -> None:
    """Become ``ros2 launch PATH name:=value …`` where that is installed; return where it is not.

    Raises:
        OutlapError: the ROS domain is taken by another Outlap graph; or the namespace is none.
    """
    if not ros_launch_is_installed():
        return
    words = ["ros2", "launch", str(path), *(f"{name}:={value}" for name, value in arguments.items())]
    with claim_domain(argument_namespace(arguments)) as domain:
        os.set_inheritable(domain.socket.fileno(), True)  # the claim lasts as long as the process does
        os.execvpe(words[0], words, ros_environment(domain.id))
