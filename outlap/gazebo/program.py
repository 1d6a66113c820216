"""Gazebo's own program: whether the right one is installed, and the command that runs a world in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from outlap.errors import OutlapError

MAJOR = "8"  # gz-sim's version that Gazebo Harmonic and ROS 2 Jazzy have
INSTALL = "install Gazebo Harmonic (apt install ros-jazzy-ros-gz) and source ROS"
PATIENCE = 30.0  # s; asking for the versions takes under one, but a machine may be busy


def gazebo_command(world: Path, headless: bool) -> list[str]:
    """The command that runs the SDF file ``world`` at once, with Gazebo's window or (``headless``) without a display.

    Raises:
        OutlapError: Gazebo is not installed, or only in other versions.
    """
    command = ["gz", "sim", "--force-version", gazebo_version(), "-r"]
    return [*command, *(("-s", "--headless-rendering") if headless else ()), str(world)]


def gazebo_version() -> str:
    """The installed version of gz-sim 8.

    Raises:
        OutlapError: Gazebo is not installed, or only in other versions.
    """
    if shutil.which("gz") is None:
        raise OutlapError(f"the program `gz` is missing: {INSTALL}.")
    try:
        result = subprocess.run(["gz", "sim", "--versions"], capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutlapError(f"`gz sim --versions` does not answer ({error}): {INSTALL}.") from error
    versions = result.stdout.split()
    fitting = [version for version in versions if version.split(".")[0] == MAJOR]
    if not fitting:
        found = f"gz-sim {', '.join(versions)}" if versions else "no gz-sim"
        raise OutlapError(f"`gz` knows {found}, and Outlap's worlds are for gz-sim {MAJOR}: {INSTALL}.")
    return fitting[0]
