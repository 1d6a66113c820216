"""gazebo, with a tiny program in Gazebo's place that writes down how it was called: arguments, signals, ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outlap_nodes.shared.messages import STREAM
from rosgraph_msgs.msg import Clock

pytestmark = pytest.mark.live

GZ = """#!/bin/sh
case "$*" in
  "sdf -p "*) echo '<sdf version="1.9"><model name="racecar"><link name="base_link"/></model></sdf>';;
  "sim --versions") echo "{versions}";;
  *) for last; do :; done
     trap 'echo interrupted > {folder}/end; exit 0' INT TERM
     echo "$GZ_PARTITION $*" > {folder}/call; cp "$last" {folder}/world.sdf; echo $$ > {folder}/pid
     while [ ! -e {folder}/stop ]; do sleep 0.05; done
     exit 5;;
esac
"""


@pytest.fixture
def gz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """``gz()`` puts the program on PATH; the folder that it writes to."""

    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a killed program cannot clean up

    def install(versions: str = "8.9.0") -> Path:
        folder = tmp_path / "gz"
        folder.mkdir()
        program = folder / "gz"
        program.write_text(GZ.format(versions=versions, folder=folder))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return folder

    return install


def appears(path: Path) -> str:
    end = time.monotonic() + 30
    while not (path.is_file() and path.read_text()):
        assert time.monotonic() < end, f"{path.name} did not appear"
        time.sleep(0.02)
    return path.read_text().strip()


def test_it_runs_gazebo_with_the_car_in_the_world_until_it_is_told_to_end(
    gz: Callable[..., Path], start: Callable[..., Any], ring_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = gz("7.5.0\n8.9.0")
    monkeypatch.setenv("GZ_PARTITION", "outlap-9")
    program = start("gazebo", world=ring_path, headless=True)
    partition, *words = appears(folder / "call").split()
    assert partition == "outlap-9"
    assert words[:-1] == ["sim", "--force-version", "8.9.0", "-r", "-s", "--headless-rendering"]
    appears(folder / "pid")
    world = (folder / "world.sdf").read_text()
    assert '<world name="outlap">' in world
    assert '<model name="racecar">' in world
    assert Path(words[-1]).is_file()
    assert program.stop(signal.SIGTERM) == 0
    assert (folder / "end").read_text() == "interrupted\n"
    assert not Path(words[-1]).parent.exists()


def test_it_ends_with_gazebos_exit_code_and_takes_it_along_when_killed(
    gz: Callable[..., Path], start: Callable[..., Any], ring_path: Path
) -> None:
    folder = gz()
    first = start("gazebo", world=ring_path)
    assert "-s" not in appears(folder / "call").split()
    (folder / "stop").touch()
    assert first.wait() == 5
    for name in ("stop", "pid"):
        (folder / name).unlink(missing_ok=True)
    second = start("gazebo", world=ring_path)
    pid = int(appears(folder / "pid"))
    second.stop(signal.SIGKILL)
    assert appears(folder / "end") == "interrupted"
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()
    (left,) = folder.parent.glob("outlap-gazebo-*")
    (folder / "call").unlink()
    third = start("gazebo", world=ring_path)
    appears(folder / "call")
    assert not left.exists()
    assert third.stop() == 0
    assert not list(folder.parent.glob("*outlap-*"))


def test_beside_another_simulator_it_ends(
    gz: Callable[..., Path], probe: Any, start: Callable[..., Any], ring_path: Path
) -> None:
    gz()
    probe.node.create_publisher(Clock, "/clock", STREAM)
    program = start("gazebo", world=ring_path)
    assert program.wait() == 2
    assert "another simulator is already running on ROS_DOMAIN_ID" in program.said


@pytest.mark.parametrize(
    ("versions", "parameters", "words"),
    [
        (None, {}, "the program `gz` is missing: install Gazebo Harmonic (apt install ros-jazzy-ros-gz)"),
        ("9.1.0", {}, "`gz` knows gz-sim 9.1.0, and Outlap's worlds are for gz-sim 8: install"),
        ("", {}, "`gz` knows no gz-sim"),
        ("8.9.0", {"world": "nowhere"}, "nowhere"),
        ("8.9.0", {"track": "nowhere"}, "there is no track 'nowhere'"),
        ("8.9.0", {"car": "nothing"}, "there is no car named 'nothing'"),
    ],
)
def test_what_is_missing_is_told_in_one_sentence(
    gz: Callable[..., Path],
    start: Callable[..., Any],
    ring_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    versions: str | None,
    parameters: dict,
    words: str,
) -> None:
    if versions is None:
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
    else:
        gz(versions)
    program = start("gazebo", **{"world": ring_path, **parameters})
    assert program.wait() == 2
    lines = [line for line in program.said.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, program.said
    assert words in lines[0]
    assert "Traceback" not in program.said
