"""What is put on a car: the systemd unit, its settings, and the udev rules."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from outlap.files import share_directory
from outlap.launching.plan import declared_arguments, plan_processes
from outlap.launching.programs import find_launch_file

CAR = share_directory() / "config" / "car"
UNIT = CAR / "outlap-car.service"
RULES = CAR / "70-outlap.rules"
SPEAKERS = ("camera", "policy", "motor")


def unit() -> dict[str, dict[str, list[str]]]:
    """Every key's values, by section; a line that ends in a backslash goes on."""
    sections: dict[str, dict[str, list[str]]] = {}
    for line in UNIT.read_text().replace("\\\n", "").splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            sections[match[1]] = {}
        elif line and not line.startswith("#"):
            key, separator, value = line.partition("=")
            assert separator and re.fullmatch(r"[A-Za-z]+", key), line
            list(sections.values())[-1].setdefault(key, []).append(value)
    return sections


def settings() -> dict[str, str]:
    """What car.env sets."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the library's own way to keep upper case
    parser.read_string("[car]\n" + (CAR / "car.env").read_text())
    return dict(parser["car"])


def test_the_unit_starts_a_car_disarmed_at_boot_on_this_machines_network_only() -> None:
    sections = unit()
    service = sections["Service"]
    assert sections["Install"]["WantedBy"] == ["multi-user.target"] and service["Restart"] == ["always"]
    assert sections["Unit"]["StartLimitIntervalSec"] == ["0"]
    environment = dict(value.split("=", 1) for value in service["Environment"])
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST" and 1 <= int(environment["ROS_DOMAIN_ID"]) <= 101
    assert service["User"] == ["outlap"] and service["CapabilityBoundingSet"] == [""]
    assert service["NoNewPrivileges"] == service["ProtectHome"] == ["yes"] and service["ProtectSystem"] == ["strict"]
    assert "arm" not in shlex.split(service["ExecStart"][0])[-1].replace("--", " ").split()


def test_its_stop_leaves_the_motor_and_the_stopper_time_to_write_neutral() -> None:
    service = unit()["Service"]
    assert service["KillSignal"] == [signal.SIGINT.name] and service["KillMode"] == ["control-group"]
    assert int(service["TimeoutStopSec"][0]) >= 5 and service["OOMPolicy"] == ["continue"]


@pytest.mark.parametrize("setup", ["", "export ROS_WAS_SET_UP=yes\n"])
def test_its_command_line_launches_the_car_with_what_the_settings_say(tmp_path: Path, setup: str) -> None:
    program, found = tmp_path / "outlap", tmp_path / "found"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$ROS_WAS_SET_UP" "$@" > {found}\n')
    program.chmod(0o755)
    (tmp_path / "setup.bash").write_text(setup)
    # As systemd reads it: $$ is a dollar sign.
    words = shlex.split(
        unit()["Service"]["ExecStart"][0].replace("$$", "$").replace("/opt/outlap/bin/outlap", str(program))
    )
    values = settings() | {"CAR": "/etc/my car.yaml", "ROS_SETUP": str(tmp_path / "setup.bash") if setup else ""}
    subprocess.run(words, env={"PATH": os.environ["PATH"], **values}, check=True, timeout=30)
    was_set_up, verb, name, *arguments = found.read_text().splitlines()
    assert (verb, name) == ("launch", "car") and was_set_up == ("yes" if setup else "")
    given = dict(argument.split(":=", 1) for argument in arguments)
    assert given == {
        "car": "/etc/my car.yaml",
        "policy": values["POLICY"],
        "allowed": values["ALLOWED"],
        "hand": "false",
        "config": "",
        "speed_cap": "0.0",
        "record": "none",
    }
    path = find_launch_file(name)
    assert set(given) <= {argument.name for argument in declared_arguments(path)}
    assert {process.name for process in plan_processes(path, given, os.environ)} == set(SPEAKERS)


def test_it_takes_a_hand_a_limit_and_recordings_from_the_settings_and_does_without_them(tmp_path: Path) -> None:
    program, found = tmp_path / "outlap", tmp_path / "found"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {found}\n')
    program.chmod(0o755)
    line = unit()["Service"]["ExecStart"][0].replace("$$", "$").replace("/opt/outlap/bin/outlap", str(program))

    def given(**values: str) -> dict[str, str]:
        subprocess.run(shlex.split(line), env={"PATH": os.environ["PATH"], **values}, check=True, timeout=30)
        return dict(argument.split(":=", 1) for argument in found.read_text().splitlines()[2:])

    old = given(CAR="car.yaml", POLICY="p.onnx", ALLOWED="", ROS_SETUP="")  # as settings were before
    assert (old["hand"], old["config"], old["speed_cap"], old["record"]) == ("false", "", "0.0", "none")
    own = given(
        CAR="car.yaml", POLICY="p.onnx", HAND="true", HAND_CONFIG="/etc/my hand.yaml", SPEED_CAP="0.5", RECORD="r"
    )
    assert (own["hand"], own["config"], own["speed_cap"], own["record"]) == ("true", "/etc/my hand.yaml", "0.5", "r")
    assert "input" in unit()["Service"]["SupplementaryGroups"][0].split()


def test_systemd_finds_nothing_to_object_to(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    # Outlap's own place does not exist on a machine that is no car.
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text())
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, timeout=60)
    about_it = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert done.returncode == 0 and not about_it, done.stderr


def test_the_rules_are_rules() -> None:
    token = r'[A-Z]+(?:\{[A-Za-z_]+\})?(?:==|!=|\+=|=)"[^"]*"'
    groups = set()
    for line in RULES.read_text().splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(rf"{token}(?:, {token})*", line), line
            groups |= set(re.findall(r'GROUP="(\w+)"', line)) | set(re.findall(r"chgrp (?:-R )?(\w+)", line))
    assert groups == {"i2c", "dialout", "video", "gpio"}
    assert groups <= set(unit()["Service"]["SupplementaryGroups"][0].split())
