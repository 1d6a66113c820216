"""Finds what a launch file names: the file itself, a package's shared folder, a node's program."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from outlap.errors import OutlapError
from outlap.files import PACKAGE, share_directory

SUFFIX = ".launch.xml"


def find_launch_file(name: str) -> Path:
    """A launch file by path, or by its name in Outlap's own ``launch/`` ("sim" or "sim.launch.xml").

    Raises:
        OutlapError: there is no such file.
    """
    path = Path(name)
    if path.is_file():
        return path
    folder = share_directory() / "launch"
    if path.name == name:
        for candidate in (folder / name, folder / f"{name}{SUFFIX}"):
            if candidate.is_file():
                return candidate
    shipped = ", ".join(sorted(file.name.removesuffix(SUFFIX) for file in folder.glob(f"*{SUFFIX}")))
    raise OutlapError(f"{name}: no such launch file; give a path, or one of Outlap's own: {shipped}.")


def find_share(package: str, environment: Mapping[str, str]) -> Path | None:
    """``share/PACKAGE`` of a ROS package, or None where it is not installed."""
    if package == PACKAGE:
        return share_directory()
    for prefix in _prefixes(environment):
        share = prefix / "share" / package
        if share.is_dir():
            return share
    return None


def find_program(package: str, program: str, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """The command that starts a package's program, or None where there is none.

    colcon puts programs in ``lib/PACKAGE``, pip beside the interpreter; where the latter's script was not written
    (``pip install --target``, a zip), the entry point itself is called.
    """
    for prefix in _prefixes(environment):
        path = prefix / "lib" / package / program
        if path.is_file() and os.access(path, os.X_OK):
            return (str(path),)
    # All of them: an old outlap.egg-info in a checkout comes first where Python runs there, and lacks newer programs.
    for distribution in importlib.metadata.distributions(name=package):
        for entry in distribution.entry_points.select(group="console_scripts", name=program):
            script = Path(sys.executable).parent / program
            if script.is_file() and os.access(script, os.X_OK):
                return (str(script),)
            call = f"import sys; from {entry.module} import {entry.attr} as main; sys.exit(main())"
            return (sys.executable, "-c", call)
    return None


def require_program(node: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The command that starts one of Outlap's own node programs.

    Raises:
        OutlapError: it is not installed, or ROS is not.
    """
    require_ros()
    command = find_program(PACKAGE, f"{PACKAGE}_{node}", environment)
    if command is None:
        raise OutlapError(f"the program {PACKAGE}_{node} is not installed: pip install 'outlap[ros]'.")
    return command


def require_ros() -> None:
    """See that nodes can be started here.

    Raises:
        OutlapError: there is no rclpy.
    """
    if importlib.util.find_spec("rclpy") is None:
        raise OutlapError("ROS 2's rclpy is not installed here: pip install 'outlap[sim,ros]', or source ROS 2 Jazzy.")


def find_command(words: list[str], environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """An ``<executable>``'s words with the first found on ``PATH`` (this interpreter's own folder first), or None."""
    path = os.pathsep.join((str(Path(sys.executable).parent), environment.get("PATH", os.defpath)))
    found = shutil.which(words[0], path=path) if words else None
    return None if found is None else (found, *words[1:])


def _prefixes(environment: Mapping[str, str]) -> list[Path]:
    return [Path(prefix) for prefix in environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
