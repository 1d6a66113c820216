"""The house stays as it was built: imports point one way, the library knows no ROS, files stay small."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*(ROOT / "outlap").rglob("*.py"), *(ROOT / "nodes").rglob("*.py")])
LONGEST = 400  # lines

# What each part may import besides itself and the modules at the top (errors, files, …). There is no way round.
GROUND = ("track", "vehicle", "camera")
MIDDLE = (*GROUND, "simulation", "policy")
UPPER = (*MIDDLE, "cage", "driving", "learning", "racing", "safety", "footage", "drivers", "recording", "hand")
MAY_IMPORT = {
    "vehicle": (),
    "camera": ("vehicle",),
    "track": ("vehicle",),
    "safety": ("vehicle",),
    "drivers": ("vehicle", "camera"),
    "hand": ("vehicle", "drivers"),
    "recording": MIDDLE,
    "calibration": ("vehicle", "camera", "drivers"),
    "launching": (),
    "simulation": GROUND,
    "policy": GROUND,
    "cage": (),
    "driving": (*MIDDLE, "cage"),
    "learning": (*MIDDLE, "cage", "driving"),
    "racing": (*MIDDLE, "driving", "launching"),
    "footage": MIDDLE,
    "gazebo": (*GROUND, "simulation"),
    "evaluation": (*MIDDLE, "driving", "launching"),
    "nodes": (*UPPER, "gazebo"),
    "cli": (*UPPER, "evaluation", "launching", "gazebo", "calibration"),
}
ROS = ("rclpy", "ament_index_python", "launch", "launch_ros", "outlap_nodes")
ROS_SUFFIXES = ("_msgs", "_srvs", "_interfaces")


def names(path: Path) -> list[str]:
    """Dotted names of all modules that a file imports, wherever in the file."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level < 2, f"{path}, line {node.lineno}: an import from a folder above hides what it crosses"
            if node.level == 0:
                found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def part(path: Path) -> str:
    """The part of the house that a file belongs to; empty for the modules at the top."""
    first, *rest = path.relative_to(ROOT).parts
    return "nodes" if first == "nodes" else (rest[0] if len(rest) > 1 else "")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_lies_below_it(path: Path) -> None:
    own = part(path)
    below = {own, *MAY_IMPORT.get(own, ())}
    for name in names(path):
        top, *rest = name.split(".")
        if own != "nodes":
            assert top not in ROS and not top.endswith(ROS_SUFFIXES), f"{path} imports {name}: the library knows no ROS"
        if top == "outlap" and rest and (ROOT / "outlap" / rest[0]).is_dir():
            assert rest[0] in below, f"{path} imports {name}, which does not lie below {own or 'the top'}"


def test_the_architectures_table_says_the_same() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text.partition("| room | may import |\n")[2].partition("\n\n")[0].splitlines()[1:]
    told = {}
    for line in table:
        room, others = (set(re.findall(r"`(\w+)`", cell)) for cell in line.strip("|").split("|"))
        told[room.pop()] = others
    assert told == {room: set(others) for room, others in MAY_IMPORT.items()}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_learning_knows_pytorch(path: Path) -> None:
    if part(path) != "learning":
        assert not {name.split(".")[0] for name in names(path)} & {"torch", "rsl_rl", "tensordict"}


def test_every_part_has_its_place() -> None:
    folders = {path.name for path in (ROOT / "outlap").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= set(MAY_IMPORT)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST
    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_imports(path: Path) -> None:
    relative = path.relative_to(ROOT).with_suffix("")
    if relative.parts[0] == "nodes":
        pytest.importorskip("rclpy", reason="the nodes need ROS, and the library is used without it")
    module = ".".join(("outlap_nodes" if part == "nodes" else part) for part in relative.parts if part != "__init__")
    importlib.import_module(module)


def test_help_comes_without_the_heavy_libraries() -> None:
    code = "import sys, outlap.cli.main as m; m.application(); print(*sys.modules, sep='\\n')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numba", "onnxruntime", "cv2", "matplotlib", "rclpy"} & set(result.stdout.split())


def test_no_two_files_of_tests_have_one_name() -> None:
    paths = list((ROOT / "tests").rglob("*.py"))
    names = [path.name for path in paths if path.name not in ("conftest.py", "__init__.py")]
    assert len(set(names)) == len(names), "pytest imports them by their bare names"
