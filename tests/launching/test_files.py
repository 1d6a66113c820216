"""The launch files that ship: each can be carried out, and says nothing that ROS's own launch would read otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.launching.document import Element, read_document
from outlap.launching.plan import declared_arguments, plan_processes
from outlap.launching.programs import find_launch_file

# What our files start of other packages, which PyPI does not have: (package, program).
OTHERS = (
    ("ros_gz_bridge", "parameter_bridge"),
    ("robot_state_publisher", "robot_state_publisher"),
    ("rviz2", "rviz2"),
)
FILES = sorted((share_directory() / "launch").glob("*.launch.xml"))


def elements(parent: Element) -> Iterator[Element]:
    for child in parent.children:
        yield child
        yield from elements(child)


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An environment in which the programs of other packages that our files name are found: empty scripts."""
    for package, program in OTHERS:
        path = tmp_path / "prefix" / "lib" / package / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return {**os.environ, "AMENT_PREFIX_PATH": str(tmp_path / "prefix"), "ROS_DOMAIN_ID": "7"}


def test_there_are_some() -> None:
    assert {"drive.launch.xml", "sim.launch.xml"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_can_be_carried_out_and_explains_its_arguments(path: Path, elsewhere: dict[str, str]) -> None:
    declared = declared_arguments(path)
    assert all(argument.description for argument in declared)
    needed = {argument.name: "x" for argument in declared if argument.default is None}
    assert plan_processes(path, needed, elsewhere)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_reads_the_same_to_ros(path: Path) -> None:
    for element in elements(read_document(path)):
        if element.tag == "node":
            assert element.get("output") == "screen", f"{element.where}: ROS would write to a log file only"
        if element.tag == "param" and "$(" in (element.get("value") or ""):
            assert element.get("type"), f"{element.where}: a car named 007 would become a number"
        # After an <include>, ROS's $(dirname) is the included file's folder.
        assert not any("$(dirname)" in value for value in element.attributes.values()), element.where


def test_simulation_runs_the_drive_group_and_a_referee() -> None:
    path = find_launch_file("sim")
    processes = plan_processes(path, {"world": "t", "policy": "p"}, os.environ)
    assert [process.name for process in processes] == ["simulator", "camera", "policy", "motor", "referee"]
    assert all(process.required for process in processes)
    without = plan_processes(path, {"world": "t", "policy": "p", "referee": "false"}, os.environ)
    assert [process.name for process in without] == ["simulator", "camera", "policy", "motor"]


def test_gazebo_takes_the_simulators_place_on_a_network_of_its_own(elsewhere: dict[str, str]) -> None:
    arguments = {"simulator": "gazebo", "world": "w.sdf", "track": "t", "policy": "p", "headless": "true"}
    processes = {process.name: process for process in plan_processes(find_launch_file("sim"), arguments, elsewhere)}
    assert list(processes) == ["gazebo", "gazebo_bridge", "gazebo_port", "camera", "policy", "motor", "referee"]
    assert all(process.required for process in processes.values())
    partitions = [process.environment.get("GZ_PARTITION") for process in processes.values()]
    assert partitions == ["outlap-7"] * 3 + [os.environ.get("GZ_PARTITION")] * 4
    assert 'gazebo:world:="w.sdf"' in processes["gazebo"].command
    assert "gazebo:headless:=true" in processes["gazebo"].command
    assert 'referee:track:="t"' in processes["referee"].command
    assert 'referee:simulator:="gazebo"' in processes["referee"].command


def test_rviz_gets_the_car_that_drives(elsewhere: dict[str, str]) -> None:
    arguments = {"world": "w", "policy": "p", "rviz": "true", "referee": "false"}
    processes = {process.name: process for process in plan_processes(find_launch_file("sim"), arguments, elsewhere)}
    shown = ["frames", "robot_state_publisher", "rviz"]
    assert list(processes) == ["simulator", "camera", "policy", "motor", *shown]
    assert not any(processes[name].required for name in shown), "who closes the window does not end the drive"
    (description,) = [word for word in processes["robot_state_publisher"].command if "robot_description" in word]
    assert '<robot name=\\"racecar\\"' in description
    (file,) = [word for word in processes["rviz"].command if word.endswith(".rviz")]
    assert yaml.safe_load(Path(file).read_text())["Visualization Manager"]["Displays"]
    with pytest.raises(OutlapError, match="no car named 'nothing'"):
        plan_processes(find_launch_file("sim"), {**arguments, "car": "nothing"}, elsewhere)


def test_a_missing_bridge_is_named_with_what_brings_it() -> None:
    bare = {**os.environ, "AMENT_PREFIX_PATH": ""}
    arguments = {"simulator": "gazebo", "world": "w", "policy": "p"}
    with pytest.raises(
        OutlapError, match=r"'parameter_bridge' of the package 'ros_gz_bridge'.* ros-jazzy-ros-gz-bridge"
    ):
        plan_processes(find_launch_file("sim"), arguments, bare)


@pytest.mark.parametrize(("name", "choices"), [("sim", "builtin, gazebo"), ("train", "none, builtin, gazebo")])
def test_an_unknown_simulator_is_told_with_those_there_are(name: str, choices: str) -> None:
    arguments = {"simulator": "webots", **({"world": "w", "policy": "p"} if name == "sim" else {})}
    with pytest.raises(OutlapError, match=rf"'simulator' \(.*\) cannot be 'webots': choose from {choices}\.$"):
        plan_processes(find_launch_file(name), arguments, os.environ)


def test_training_runs_alone_or_beside_a_car_that_drives() -> None:
    path = find_launch_file("train")
    assert [process.name for process in plan_processes(path, {}, os.environ)] == ["trainer"]
    for resume, exchange in (("false", "next"), ("true", "now")):
        arguments = {"watch": "true", "out": "a b", "resume": resume}
        processes = {process.name: process for process in plan_processes(path, arguments, os.environ)}
        assert list(processes) == ["trainer", "simulator", "camera", "policy", "motor", "referee", "viewer"]
        assert 'policy:policy:="a b/policy.onnx"' in processes["policy"].command
        assert f'policy:exchange:="{exchange}"' in processes["policy"].command
        assert "referee:laps:=0" in processes["referee"].command
        assert not processes["viewer"].required, "who only looks must not end a training run"


def test_names_of_files(tmp_path: Path) -> None:
    sim = share_directory() / "launch" / "sim.launch.xml"
    assert find_launch_file("sim") == find_launch_file("sim.launch.xml") == find_launch_file(str(sim)) == sim
    with pytest.raises(OutlapError, match=r"no such launch file; give a path, or one of Outlap's own: .*drive, .*sim"):
        find_launch_file("simm")
    with pytest.raises(OutlapError, match="no such launch file"):
        find_launch_file(str(tmp_path / "sim"))


@pytest.mark.parametrize(("simulator", "transport"), [("false", "loopback"), ("true", None)])
def test_only_without_a_simulator_is_there_no_shared_memory(
    simulator: str, transport: str | None, elsewhere: dict[str, str]
) -> None:
    processes = plan_processes(find_launch_file("hand"), {"simulator": simulator}, elsewhere)
    assert {process.environment.get("OUTLAP_TRANSPORT") for process in processes} == {transport}


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        ({}, set()),
        ({"record": "drives"}, {"recorder"}),
        ({"hand": "true"}, {"hand", "joystick"}),
        ({"hand": "true", "joystick": "false"}, {"hand"}),
    ],
)
def test_a_car_has_what_was_asked_for_and_stays_on_this_host(
    arguments: dict[str, str], more: set[str], elsewhere: dict[str, str]
) -> None:
    elsewhere.pop("ROS_AUTOMATIC_DISCOVERY_RANGE", None)
    needed = {"car": "deepracer", "policy": "policy.onnx"}
    processes = plan_processes(find_launch_file("car"), needed | arguments, elsewhere)
    assert {process.name for process in processes} == {"camera", "policy", "motor"} | more
    for process in processes:
        assert process.environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
        assert process.environment["FASTRTPS_DEFAULT_PROFILES_FILE"].endswith("fastdds.xml")
        assert process.environment["OUTLAP_TRANSPORT"] == "loopback"  # see nodes/shared/transport.py
        assert "use_sim_time:=true" not in process.command
    motor = next(process for process in processes if process.name == "motor")
    assert 'actuator:="car"' in " ".join(motor.command)


@pytest.mark.parametrize(
    ("name", "arguments"), [("car", {"car": "deepracer", "policy": "policy.onnx", "hand": "true"}), ("hand", {})]
)
def test_a_hand_file_reaches_both_who_read_the_joystick_and_who_drive(
    name: str, arguments: dict[str, str], elsewhere: dict[str, str]
) -> None:
    given = {**arguments, "joystick": "true", "config": "my-hand.yaml"}
    processes = plan_processes(find_launch_file(name), given, elsewhere)
    told = {process.name for process in processes if 'config:="my-hand.yaml"' in " ".join(process.command)}
    assert told == {"joystick", "hand"}
