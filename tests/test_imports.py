"""What a program needs not is not imported: files are read without compilers, policies are judged without PyTorch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "numba", "llvmlite", "cv2", "scipy", "onnx", "onnxruntime", "matplotlib", "av", "rsl_rl"}


def imported(code: str, folder: Path) -> set[str]:
    """Which of the heavy libraries a fresh Python has imported after ``code``."""
    code = f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return HEAVY & set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "from outlap.vehicle.car import load_car; load_car('f1tenth')",
        "from outlap.track.formats import load_track, track_names; [load_track(name) for name in track_names()]",
        "from outlap.simulation.randomization import load_randomization; load_randomization('full')",
        "from outlap.evaluation.suite import load_suite; load_suite()",
        "from outlap.hand.config import load_hand; load_hand()",
        "from outlap.learning.config import load_training; from outlap.vehicle.car import load_car\n"
        "for name in ('full', 'ppo', 'quick'): load_training(name, load_car())",
        "from outlap.cli.main import application; application()",
    ],
    ids=["car", "tracks", "randomization", "suite", "hand", "training", "help"],
)
def test_a_file_is_read_without_heavy_libraries(code: str, tmp_path: Path) -> None:
    assert not imported(code, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["evaluate", "compare", "inspect"])
def test_a_policy_is_judged_without_pytorch(verb: str, constant_policy: Callable[..., Path], tmp_path: Path) -> None:
    policies = [str(constant_policy(1 / 1.2, 1.9))] * (2 if verb == "compare" else 1)
    laps = [] if verb == "inspect" else ["--track", "oval", "--trials", "1", "--jobs", "1"]
    command = [verb, *policies, *laps]
    code = f"from outlap.cli.main import application; application()({command!r}, standalone_mode=False)"
    found = imported(code, tmp_path)
    assert "onnxruntime" in found
    assert not {"torch", "rsl_rl"} & found


@pytest.mark.slow
def test_no_verb_but_those_that_train_names_what_imports_pytorch(tmp_path: Path) -> None:
    """Whatever their functions import, wherever in them; a race itself would take a live graph."""
    modules: set[str] = set()
    for verb in ("race", "launch", "drive", "arm", "record", "replay", "evaluate", "compare", "inspect", "shared/laps"):
        tree = ast.parse((ROOT / "outlap" / "cli" / f"{verb}.py").read_text())
        modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {"outlap.evaluation.assess", "outlap.racing.preflight", "outlap.launching.runner"} <= modules
    assert "torch" not in imported("\n".join(f"import {module}" for module in sorted(modules)), tmp_path)


@pytest.mark.slow
def test_nodes_that_drive_need_no_pytorch(tmp_path: Path) -> None:
    pytest.importorskip("rclpy", reason="the nodes need ROS, and the library is used without it")
    nodes = [path.stem for path in (ROOT / "nodes").glob("*.py") if path.stem not in ("__init__", "trainer")]
    code = "\n".join(f"import outlap_nodes.{node}" for node in nodes)
    assert "torch" not in imported(code, tmp_path)
