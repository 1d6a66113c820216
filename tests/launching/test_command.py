"""``outlap launch`` as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]


def outlap(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "ROS_DOMAIN_ID"}
    command = [sys.executable, "-m", "outlap.cli.main", "launch", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_a_file_runs_with_its_arguments(write: Write) -> None:
    path = write('<arg name="a"/><arg name="b" default="B"/><executable name="x" cmd="echo $(var a) $(var b)"/>')
    result = outlap(str(path), "a:=one:=two", "b:=")
    assert (result.returncode, result.stdout) == (0, "[x] one:=two\n"), result.stderr


def test_its_exit_code_is_the_commands(write: Write, python: Callable[[str], str]) -> None:
    path = write(f"<executable name='x' {python('import sys; sys.exit(4)')} on_exit='shutdown'/>")
    assert outlap(str(path)).returncode == 4


def test_arguments_are_listed() -> None:
    result = outlap("sim", "--show-args")
    assert result.returncode == 0, result.stderr
    assert "world  (must be given)" in result.stdout
    assert "laps  (default: '3')" in result.stdout
    assert "simulator  (default: 'builtin'; one of: builtin, gazebo)" in result.stdout


@pytest.mark.slow
def test_mistakes_end_with_one_sentence(write: Write) -> None:
    path = write('<arg name="a" default=""/><executable cmd="echo"/>')
    for words, message in (
        ([str(path), "b:=1"], "has no argument 'b'; it declares a."),
        ([str(path), "a=1"], "'a=1' is not an argument of a launch file: those are written name:=value."),
        (["nope"], "nope: no such launch file; give a path, or one of Outlap's own:"),
    ):
        result = outlap(*words)
        assert result.returncode == 2
        assert result.stdout == ""
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
        assert message in result.stderr


@pytest.mark.slow
def test_a_bad_hand_file_ends_it_before_anything_starts(tmp_path: Path) -> None:
    bad = tmp_path / "hand.yaml"
    bad.write_text("speed_limit: fast\n")
    for name, more in (("car", ["car:=deepracer", "policy:=p.onnx", "hand:=true"]), ("hand", ["joystick:=true"])):
        for path, message in ((tmp_path / "no.yaml", "cannot read the hand file"), (bad, "the hand file is refused")):
            result = outlap(name, *more, f"config:={path}")
            assert (result.returncode, result.stdout) == (2, "")
            assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
            assert str(path) in result.stderr and message in result.stderr


@pytest.mark.slow
def test_a_domain_that_is_taken_is_told(write: Write, python: Callable[[str], str]) -> None:
    path = write(f"<executable name='x' {python('import time; print(1); time.sleep(60)')}/>")
    environment = {**os.environ, "ROS_DOMAIN_ID": "179"}
    command = [sys.executable, "-m", "outlap.cli.main", "launch", str(path)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "[x] 1\n"
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        assert second.returncode == 2
        assert f"(process {first.pid}) is already running on ROS_DOMAIN_ID 179" in second.stderr
    finally:
        first.terminate()
        first.communicate(timeout=60)


def test_ros_own_launch_takes_over_where_it_is_installed_and_keeps_the_domain(write: Write, tmp_path: Path) -> None:
    path = write('<arg name="a" default=""/><executable cmd="echo"/>')
    index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    for package in ("ros2launch", "launch_xml", "launch_ros", "outlap"):
        (index / package).touch()
    program = tmp_path / "ros2"  # stands for the one that cannot be installed here: says what it was called with
    claim = f"{sys.executable} -c 'from outlap.launching.domain import claim_domain; claim_domain().__enter__()'"
    program.write_text(f'#!/bin/sh\necho "$@" on $ROS_DOMAIN_ID\n{claim} 2>&1 | tail -n 1\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "AMENT_PREFIX_PATH": str(tmp_path),
        "ROS_DOMAIN_ID": "180",
    }
    command = [sys.executable, "-m", "outlap.cli.main", "launch", str(path), "a:=x y"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    called, claimed = result.stdout.splitlines()
    assert called == f"launch {path} a:=x y on 180"
    assert "is already running on ROS_DOMAIN_ID 180" in claimed
