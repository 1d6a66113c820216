"""The car as URDF, which everybody reads, and as SDF, which is what Gazebo simulates."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import cast
from xml.dom.minidom import Document
from xml.parsers.expat import ExpatError

import yaml

from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.vehicle.car import load_car

DESCRIPTION = Path("urdf") / "racecar.urdf.xacro"
CONVERSION_SECONDS = 60.0  # s; takes under one, but a machine may be busy


def car_urdf(car: str | Path = "deepracer") -> str:
    """The car's description as URDF text.

    Args:
        car: the name of a car in ``config/cars``, or a car file.

    Raises:
        OutlapError: the car file is refused, or xacro is not installed or refuses the description.
    """
    try:
        import xacro
    except ImportError as error:
        raise OutlapError(
            "the car's description needs xacro: pip install xacro, or apt install ros-jazzy-xacro."
        ) from error
    facts = load_car(car).model_dump(mode="json")
    description = share_directory() / DESCRIPTION
    # xacro evaluates $ and {} in its arguments, so it never gets a path that a user chose; and it gets every default.
    with tempfile.TemporaryDirectory(prefix="outlap-") as folder:
        checked = Path(folder) / "car.yaml"
        checked.write_text(yaml.safe_dump(facts))
        try:
            document = cast(Document, xacro.process_file(str(description), mappings={"car_file": str(checked)}))
        except (xacro.XacroException, ExpatError, OSError) as error:
            raise OutlapError(f"{description}: xacro refuses it for the car {facts['name']}: {error}.") from error
    return document.toprettyxml(indent="  ")


def car_sdf(urdf: str) -> str:
    """The same car as SDF text, converted by Gazebo's own program.

    Raises:
        OutlapError: Gazebo is not installed, or does not understand the description.
    """
    with tempfile.TemporaryDirectory(prefix="outlap-") as folder:
        path = Path(folder) / "racecar.urdf"
        path.write_text(urdf)
        command = ["gz", "sdf", "-p", str(path)]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=CONVERSION_SECONDS)
        except FileNotFoundError as error:
            raise OutlapError(
                "the program `gz` is missing: install Gazebo Harmonic (apt install ros-jazzy-ros-gz)."
            ) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OutlapError(f"`gz sdf` did not convert the car: {error}.") from error
    if result.returncode != 0 or "<model" not in result.stdout:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise OutlapError(f"`gz sdf` did not convert the car: {said[0] if said else 'it said nothing'}.")
    return result.stdout[result.stdout.index("<sdf") :]


if __name__ == "__main__":  # launch/rviz.launch.xml: the URDF of the car that is named
    try:
        print(car_urdf(*sys.argv[1:2]))
    except OutlapError as refused:
        sys.exit(f"error: {refused}")
