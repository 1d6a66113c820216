"""What runs on the car must not pull in what only training needs."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import outlap.camera.warp, outlap.policy.file, outlap.policy.runtime, outlap.policy.watch
heavy = {"torch", "numba", "scipy", "matplotlib", "rclpy"} & set(sys.modules)
assert not heavy, heavy
"""


def test_policy_and_camera_need_nothing_heavy() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
