"""What runs on the car must not pull in what only training, simulation or a picture needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from outlap.files import share_directory

NODES = ("camera", "policy", "motor", "stopper", "hand", "joystick", "keyboard", "arm", "recorder")
ROOMS = ("drivers", "safety", "hand", "calibration")
PROGRAM = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
simulation = {"numba", "scipy", "matplotlib", "PIL", "av", "clarabel", "xacro"}
heavy = {*simulation, "torch", "rsl_rl", "tensorboard", "rclpy"} & set(sys.modules)
assert not heavy, heavy
"""


def imported(path: Path) -> set[str]:
    """The modules of the library that the file of a node program imports, itself and by its neighbours."""
    modules: set[str] = set()
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.ImportFrom) and statement.level == 1:
            place = path.parent.joinpath(*(statement.module or "").split("."))
            names = (
                [place] if statement.module and not place.is_dir() else [place / one.name for one in statement.names]
            )
            for name in names:
                modules |= imported(name.with_suffix(".py"))
        elif isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("outlap."):
            modules.add(str(statement.module))
    return modules


@pytest.mark.slow
def test_what_a_car_runs_needs_nothing_heavy() -> None:
    modules = set().union(*(imported(share_directory() / "nodes" / f"{node}.py") for node in NODES))
    for room in ROOMS:
        for path in (share_directory() / "outlap" / room).rglob("*.py"):
            if path.is_relative_to(share_directory() / "outlap" / "calibration" / "fakes"):
                continue  # a simulated car
            name = path.relative_to(share_directory()).with_suffix("").as_posix().replace("/", ".")
            modules.add(name.removesuffix(".__init__"))
    assert {"outlap.policy.runtime", "outlap.camera.warp", "outlap.drivers.vesc"} <= modules
    subprocess.run([sys.executable, "-c", PROGRAM, *sorted(modules)], check=True, timeout=60)
