"""A graph's namespace: what one is, how launch files hand it on, and one domain for several graphs."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.errors import OutlapError
from outlap.launching.domain import claim_domain, running_domain
from outlap.launching.namespace import argument_namespace, full_namespace, inner_namespace, namespace_rules
from outlap.launching.plan import plan_processes
from outlap.launching.programs import find_launch_file

ODD = ["car 1", "1car", "a//b", "ä", "car1/", "//car1", "team/1", "a__b", "car-1", "~car", "{x}", "car1\n", "x" * 61]


@pytest.mark.parametrize(
    ("text", "full"),
    [("", "/"), ("/", "/"), ("car1", "/car1"), ("/car1", "/car1"), ("team/car_1", "/team/car_1"), ("C", "/C")],
)
def test_with_or_without_a_slash_it_is_the_same(text: str, full: str) -> None:
    assert full_namespace(text) == full
    assert argument_namespace({"namespace": text, "laps": "3"}) == full


@pytest.mark.parametrize("text", ODD)
def test_what_is_none_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(OutlapError, match=r"is not a namespace: it must be .* such as car1 or team/car1") as refusal:
        full_namespace(text)
    assert repr(text) in str(refusal.value) and "\n" not in str(refusal.value)


def test_one_within_another_and_one_that_begins_anew() -> None:
    assert inner_namespace("/", "car1") == "/car1"
    assert inner_namespace("/team", "car1") == "/team/car1"
    assert inner_namespace("/team", "/car1") == "/car1"
    assert inner_namespace("/team", "") == "/team"
    assert namespace_rules("/") == []
    assert namespace_rules("/car1") == ["-r", "__ns:=/car1"]


NODE = '<node pkg="outlap" exec="outlap_motor"{more}/>'


def namespaces(path: Path, **arguments: str) -> list[str]:
    found = []
    for process in plan_processes(path, arguments, os.environ):
        words = [word.removeprefix("__ns:=") for word in process.command if word.startswith("__ns:=")]
        found.append(words[0] if words else "/")
        assert len(words) < 2
    return found


def test_a_push_holds_to_the_end_of_its_group(write: Callable[..., Path]) -> None:
    node, inner, anew = (NODE.format(more=more) for more in ("", ' namespace="x"', ' namespace="/y"'))
    path = write(
        f'<arg name="namespace" default=""/>{node}<group><push_ros_namespace namespace="$(var namespace)"/>{node}'
        f'<group><push_ros_namespace namespace="deep"/>{node}{inner}{anew}</group>'
        f"{node}</group>{node}"
    )
    assert namespaces(path) == ["/", "/", "/deep", "/deep/x", "/y", "/", "/"]
    assert namespaces(path, namespace="a") == ["/", "/a", "/a/deep", "/a/deep/x", "/y", "/a", "/"]


def test_a_bad_one_is_refused_with_its_line(write: Callable[..., Path]) -> None:
    for element in ('<push_ros_namespace namespace="a b"/>', NODE.format(more=' namespace="a b"')):
        path = write(f"\n<group>{element}</group>")
        with pytest.raises(OutlapError, match=r"line \d: 'a b' is not a namespace"):
            plan_processes(path, {}, os.environ)


GIVEN = {
    "sim": {"world": "w", "policy": "p", "viewer": "true"},
    "car": {"car": "deepracer", "policy": "p", "hand": "true", "record": "r"},
    "drive": {"policy": "p"},
    "hand": {"simulator": "true"},
    "train": {"watch": "true"},
    "simulator_builtin": {"world": "w"},
}


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize(("text", "full"), [("", "/"), ("car1", "/car1"), ("/team/car1", "/team/car1")])
def test_all_nodes_of_a_launch_file_are_in_it(name: str, text: str, full: str) -> None:
    assert set(namespaces(find_launch_file(name), **GIVEN[name], namespace=text)) == {full}


@pytest.mark.parametrize("name", GIVEN)
def test_without_one_nothing_is_told_to_the_nodes(name: str) -> None:
    for process in plan_processes(find_launch_file(name), GIVEN[name], os.environ):
        assert not any("__ns" in word for word in process.command)


def test_programs_of_others_hear_their_own_graph(tmp_path: Path) -> None:
    for package in ("robot_state_publisher", "rviz2"):
        path = tmp_path / "lib" / package / package
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    environment = os.environ | {"AMENT_PREFIX_PATH": str(tmp_path)}
    processes = plan_processes(find_launch_file("rviz"), {"namespace": "car1"}, environment)
    for process in processes[1:]:
        assert {"__ns:=/car1", "/tf:=tf", "/tf_static:=tf_static", "/clock:=clock"} <= set(process.command)


@pytest.mark.parametrize("text", ["1car", "a//b"])
def test_launching_and_tools_refuse_a_bad_one_before_anything_runs(
    text: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from outlap.cli.main import main

    monkeypatch.setenv("ROS_DOMAIN_ID", "181")
    for words in (
        ["launch", "sim", "world:=oval", "policy:=p", f"namespace:={text}"],
        ["arm", "--namespace", text],
        ["disarm", "--namespace", text],
        ["record", "--namespace", text, "--out", str(tmp_path)],
        ["drive", "--namespace", text],
        ["race", "p.onnx", "--track", "oval", "--namespace", text, "--out", str(tmp_path)],
    ):
        monkeypatch.setattr("sys.argv", ["outlap", *words])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        said = capfd.readouterr().err
        assert said.startswith(f"error: {text!r} is not a namespace") and said.count("\n") == 1


def test_a_race_in_gazebo_has_none(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from outlap.cli.main import main

    words = ["race", "p.onnx", "--track", "oval", "--simulator", "gazebo", "--namespace", "car1", "--out"]
    monkeypatch.setattr("sys.argv", ["outlap", *words, str(tmp_path / "out")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capfd.readouterr().err == "error: --namespace is not for Gazebo, which runs only for a graph without one.\n"
    assert not (tmp_path / "out").exists()


def test_a_named_domain_has_room_for_one_graph_a_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "182")
    with claim_domain(), claim_domain("/car1") as one, claim_domain("/team/car1") as other:
        assert one.id == other.id == 182
        for namespace, words in (("/", "182:"), ("/car1", "182 in the namespace /car1:")):
            with pytest.raises(OutlapError, match=words), claim_domain(namespace):
                pass


def test_a_graph_is_found_by_its_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outlap.launching.domain.PREFIX", "\0outlap-test-of-names-")
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with pytest.raises(OutlapError, match=r"none runs on this machine: start one, or choose .* with ROS_DOMAIN_ID"):
        running_domain()
    with claim_domain("/car1") as first:
        assert running_domain("/car1") == first.id
        with pytest.raises(OutlapError) as refusal:
            running_domain()
        assert str(refusal.value) == (
            "of Outlap's graphs none runs without a namespace on this machine: choose one that does with --namespace: "
            f"/car1 (domain {first.id})."
        )
        with claim_domain() as second:
            assert second.id != first.id, "a domain that is taken by itself is for one graph"
            assert (running_domain(), running_domain("/car1")) == (second.id, first.id)
            with pytest.raises(OutlapError, match="none runs in the namespace /car2 on this machine") as refusal:
                running_domain("/car2")
            assert f"/car1 (domain {first.id}), one without (domain {second.id})." in str(refusal.value)


def test_a_strangers_socket_of_such_a_name_is_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = "\0outlap-test-of-strangers-"
    monkeypatch.setattr("outlap.launching.domain.PREFIX", prefix)
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with contextlib.ExitStack() as stack:
        odd = ("²", "999", "5/\x1b[2J", "5//", "5/a b", "", "x", "9" * 60, "5/", "5/\u2028")
        for name in (*(each.encode() for each in odd), b"5/\xff", b"\xff"):
            stranger = stack.enter_context(socket.socket(socket.AF_UNIX))
            stranger.bind(prefix.encode() + name)
            stranger.listen()
        with pytest.raises(OutlapError, match="none runs on this machine: start one"):
            running_domain()
        with claim_domain("/car1") as one:
            assert running_domain("/car1") == one.id
