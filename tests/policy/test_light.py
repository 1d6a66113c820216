"""What runs on the car must not pull in what only training, simulation or a picture needs."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import importlib, pathlib, pkgutil, sys
import outlap
import outlap.camera.warp, outlap.policy.file, outlap.policy.runtime, outlap.policy.watch, outlap.policy.allowed
for room in ("drivers", "safety", "recording", "hand", "calibration"):
    for module in pkgutil.walk_packages([str(pathlib.Path(outlap.__file__).parent / room)], f"outlap.{room}."):
        importlib.import_module(module.name)
simulation = {"numba", "scipy", "matplotlib", "PIL", "av", "clarabel", "xacro"}
heavy = {*simulation, "torch", "rsl_rl", "tensorboard", "rclpy"} & set(sys.modules)
assert not heavy, heavy
assert "outlap.drivers.vesc" in sys.modules
"""


def test_what_a_car_runs_needs_nothing_heavy() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
