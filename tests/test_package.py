"""What a user gets when the package is built: every program, launch file, world and configuration, and ROS's marker."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ("launch", "worlds", "urdf", "config")
LIMIT = 25 * 1024 * 1024  # bytes; a car has a small card and a slow link


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built from a copy of the tree, so that the build leaves nothing in it."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("what is packaged is what git keeps: needs git and a checkout")
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)]
    result = subprocess.run(build, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    (path,) = out.glob("outlap-*.whl")
    assert path.stat().st_size < LIMIT
    return zipfile.ZipFile(path)


def test_every_module_is_in_it(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    wanted = {str(path.relative_to(ROOT)) for path in (ROOT / "outlap").rglob("*.py")}
    wanted |= {f"outlap_nodes/{path.relative_to(ROOT / 'nodes')}" for path in (ROOT / "nodes").rglob("*.py")}
    assert wanted <= names
    assert not {name for name in names if name.split("/")[0] in ("tests", "bench", "nodes", "docs")}


def test_every_data_file_is_in_it_where_ros_looks(wheel: zipfile.ZipFile) -> None:
    share = {name.split(".data/data/")[1] for name in wheel.namelist() if ".data/data/" in name}
    for folder in DATA:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert f"share/outlap/{path.relative_to(ROOT)}" in share
    assert "share/outlap/package.xml" in share
    assert "share/ament_index/resource_index/packages/outlap" in share


def test_every_program_has_a_module_behind_it(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    entries = configparser.ConfigParser(delimiters=("=",))
    entries.read_string(wheel.read(name).decode())
    programs = dict(entries["console_scripts"])
    nodes = {"camera", "policy", "motor", "simulator", "referee"}
    assert {"outlap", *(f"outlap_{node}" for node in nodes)} <= set(programs)
    for target in programs.values():
        module, function = target.split(":")
        source = wheel.read(module.replace(".", "/") + ".py").decode()
        assert f"def {function}(" in source


def test_a_car_needs_no_torch(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    needs = [
        line.split(": ", 1)[1] for line in wheel.read(name).decode().splitlines() if line.startswith("Requires-Dist")
    ]
    assert needs
    always = [need for need in needs if "extra ==" not in need]
    assert not [need for need in always if need.startswith(("torch", "rsl", "numba", "scipy", "matplotlib", "tensor"))]


def test_package_xml_and_setup_agree(wheel: zipfile.ZipFile) -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.findtext("name") == "outlap"
    assert Path(wheel.filename or "").name.split("-")[1] == package.findtext("version")
    # Where `ros2 launch` looks for a package's programs.
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["develop"]["script_dir"] == setup["install"]["install_scripts"] == "$base/lib/outlap"
