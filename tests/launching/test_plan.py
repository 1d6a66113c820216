"""A launch file becomes a list of commands, or one sentence that names file and line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.launching.plan import Process, declared_arguments, plan_processes

Write = Callable[..., Path]


def plan(path: Path, **arguments: str) -> list[Process]:
    return plan_processes(path, arguments, os.environ)


def words(path: Path, **arguments: str) -> list[str]:
    """What the only ``<executable cmd="echo …">`` of a file would be given."""
    (process,) = plan(path, **arguments)
    return list(process.command[1:])


def refusal(path: Path, **arguments: str) -> str:
    with pytest.raises(OutlapError) as error:
        plan(path, **arguments)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_arguments_defaults_and_let(write: Write) -> None:
    path = write(
        '<arg name="a"/><arg name="b" default="$(var a)!"/><let name="c" value="$(var b)?"/>'
        '<executable cmd="echo $(var a) $(var b) $(var c)"/>'
    )
    assert words(path, a="x") == ["x", "x!", "x!?"]
    assert words(path, a="x", b="y") == ["x", "y", "y?"]


def test_conditions(write: Write) -> None:
    path = write(
        '<arg name="on" default="true"/>'
        '<executable cmd="echo yes" if="$(var on)"/><executable cmd="echo no" unless="$(var on)"/>'
        '<group if="$(var on)"><executable cmd="echo inner"/></group>'
    )
    assert [process.command[1] for process in plan(path)] == ["yes", "inner"]
    assert [process.command[1] for process in plan(path, on="True")] == ["yes", "inner"]
    assert [process.command[1] for process in plan(path, on="0")] == ["no"]
    assert "line 2: if='maybe' is neither true nor false" in refusal(path, on="maybe")


def test_an_argument_is_one_of_its_choices(write: Write) -> None:
    declared = '<arg name="a" default="x" description="which"><choice value="x"/><choice value="y"/></arg>'
    path = write(f'{declared}<executable cmd="echo $(var a)"/>')
    assert words(path) == ["x"]
    assert words(path, a="y") == ["y"]
    assert refusal(path, a="z") == f"{path}, line 2: the argument 'a' (which) cannot be 'z': choose from x, y."
    assert [argument.choices for argument in declared_arguments(path)] == [("x", "y")]
    write(f"{declared}", "inner")
    outer = write('<include file="$(dirname)/inner.launch.xml"><arg name="a" value="z"/></include>')
    assert "inner.launch.xml, line 2: the argument 'a' (which) cannot be 'z'" in refusal(outer)


def test_an_include_gets_its_arguments(write: Write) -> None:
    write('<arg name="who"/><arg name="how" default="well"/><executable cmd="echo $(var who) $(var how)"/>', "inner")
    path = write('<include file="$(dirname)/inner.launch.xml"><arg name="who" value="me"/></include>')
    assert words(path) == ["me", "well"]


def test_an_included_file_finds_its_own_folder(write: Write, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write('<executable cmd="echo $(dirname)"/>', "sub/inner")
    path = write('<include file="$(dirname)/sub/inner.launch.xml"/><executable cmd="echo $(dirname)"/>')
    assert [process.command[1] for process in plan(path)] == [str(tmp_path / "sub"), str(tmp_path)]


def test_a_group_keeps_its_changes_to_itself(write: Write) -> None:
    change = '<let name="a" value="2"/><set_env name="OUTLAP_A" value="2"/>'
    show = '<executable cmd="echo $(var a) $(env OUTLAP_A none)"/>'
    path = write(
        f'<let name="a" value="1"/><group>{change}{show}</group>{show}<group scoped="false">{change}</group>{show}'
    )
    processes = plan(path)
    assert [process.command[1:] for process in processes] == [("2", "2"), ("1", "none"), ("2", "2")]
    assert [process.environment.get("OUTLAP_A") for process in processes] == ["2", None, "2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(env OUTLAP_NONE 'a b')", "a b"),
        ("$(env OUTLAP_NONE '')x", "x"),
        ("$(env OUTLAP_NONE &quot;c d&quot;)", "c d"),
        ("$(env OUTLAP_NONE $(var a))", "A"),
        ("$(env OUTLAP_NONE '$(var a) $(var a)')", "A A"),
        (r"\$(var a)", "$(var a)"),
        ("5$ (x)", "5$ (x)"),
        ("$(find-pkg-share outlap)", str(share_directory())),
    ],
)
def test_substitutions(write: Write, text: str, expected: str) -> None:
    path = write(f'<let name="a" value="A"/><let name="b" value="{text}"/><executable name="$(var b)" cmd="echo"/>')
    assert plan(path)[0].name == expected


def test_a_node_becomes_a_command(write: Write, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("camera:\n  ros__parameters:\n    a: 1\n")
    path = write(
        '<node pkg="outlap" exec="outlap_camera" name="camera" on_exit="shutdown" output="screen" args="--x \'y z\'">'
        '<param from="$(dirname)/p.yaml"/><param name="car" value="007" type="str"/><param name="f" value="1.0"/>'
        '<remap from="/a" to="/b"/></node>'
    )
    (process,) = plan(path)
    assert process.name == "camera"
    assert process.required
    assert process.command[0] == str(Path(sys.executable).parent / "outlap_camera")
    assert process.command[1:4] == ("--x", "y z", "--ros-args")
    assert process.command[4:] == (
        *("-r", "__node:=camera", "-r", "/a:=/b", "--params-file", str(tmp_path / "p.yaml")),
        *("-p", 'camera:car:="007"', "-p", "camera:f:=1.0"),
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<timer period='3'/>", "line 2: <timer> inside <launch> is not supported"),
        ("<node pkg='outlap' exec='outlap_camera' respawn='true'/>", "line 2: attribute 'respawn' of <node>"),
        ("<node pkg='outlap'/>", "line 2: <node> needs the attribute 'exec'"),
        ("<group if='false'><gruop/></group>", "line 2: <gruop> inside <group> is not supported"),
        ("<executable cmd='$(eval 1)'/>", "line 2: $(eval 1) is not supported"),
        ("<executable cmd='$(var x)'/>", "line 2: $(var x): there is no such argument"),
        ("<executable cmd='$(var x'/>", "line 2: '$(var x' lacks a closing parenthesis"),
        ("<executable cmd='$(env OUTLAP_NONE)'/>", "line 2: $(env OUTLAP_NONE): that variable is not set"),
        ("<executable cmd='$(find-pkg-share nope)'/>", "line 2: the package 'nope' is not installed"),
        ("<executable cmd='no-such-program-at-all'/>", "line 2: there is no program 'no-such-program-at-all'"),
        ("<executable cmd='echo \"a'/>", "line 2: cmd: No closing quotation"),
        ("<executable cmd='echo' on_exit='restart'/>", "line 2: on_exit='restart' is not supported"),
        ("<executable cmd='echo' output='log'/>", "line 2: output='log' is not supported"),
        ("<executable cmd='echo' cwd='/no/such'/>", "line 2: the folder cwd='/no/such' does not exist"),
        ("<executable cmd='echo' if='1' unless='0'/>", "line 2: <executable> has both"),
        ("<node pkg='outlap' exec='outlap_none'/>", "line 2: no program 'outlap_none' of the package 'outlap'"),
        ("<node pkg='nope' exec='x'/>", "line 2: no program 'x' of the package 'nope'"),
        ("<include file='none.launch.xml'/>", "line 2: the included file none.launch.xml does not exist"),
        ("<arg name='a'/>", "line 2: the argument 'a' must be given: a:=…"),
        ("<arg name='a' description='what it is'/>", "the argument 'a' (what it is) must be given"),
        (
            "<arg name='a' default='z'><choice value='x'/></arg>",
            "line 2: the argument 'a' cannot be 'z': choose from x.",
        ),
        ("<arg name='a'><choice value='x'/></arg>", "line 2: the argument 'a' must be given: a:=…; choose from x"),
        ("<arg name='a' default=''><choice/></arg>", "line 2: <choice> needs the attribute 'value'"),
        ("", "nothing to run"),
        ("hello", "text 'hello' inside <launch> is not supported"),
        ("<executable cmd='echo'>", "line 3: not valid XML: mismatched tag"),
    ],
)
def test_refused_by_name_with_file_and_line(write: Write, body: str, message: str) -> None:
    path = write(body)
    told = refusal(path)
    assert told.startswith(str(path))
    assert message in told


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("<param name='a'/>", "<param> needs 'name' and 'value', or 'from'"),
        ("<param from='x.yaml' name='a'/>", "<param from=…> takes no other attribute"),
        ("<param from='/no/x.yaml'/>", "the parameter file /no/x.yaml does not exist"),
        ("<param name='a' value='x' type='int'/>", "parameter 'a': 'x' is not of type int"),
        ("<param name='a' value='x' type='bool'/>", "parameter 'a': 'x' is not of type bool"),
        ("<param name='a' value='x' type='double'/>", "parameter 'a': type='double' is not supported"),
        ("<param name='a' value='[1, x]'/>", "parameter 'a': '[1, x]' is not a list of"),
        ("<param name='a' value='{b: 1}'/>", "parameter 'a': '{b: 1}' is not of type"),
        ("<param name='a' value='[1'/>", "parameter 'a': '[1' is not YAML"),
        ("<param name='a' value='~'/>", "parameter 'a': '~' is not of type"),
    ],
)
def test_bad_parameters_are_refused(write: Write, parameter: str, message: str) -> None:
    told = refusal(write(f"<node pkg='outlap' exec='outlap_camera'>\n{parameter}\n</node>"))
    assert f"line 3: {message}" in told


def test_a_program_newer_than_the_checkouts_metadata_is_found(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = tmp_path / "outlap.egg-info"
    stale.mkdir()
    (stale / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: outlap\nVersion: 0.0\n")
    (stale / "entry_points.txt").write_text("[console_scripts]\noutlap = outlap.cli.main:main\n")
    monkeypatch.syspath_prepend(tmp_path)
    (process,) = plan(write("<node pkg='outlap' exec='outlap_camera'/>"))
    assert Path(process.command[0]).name == "outlap_camera"


def test_an_undeclared_argument_is_refused_with_those_declared(write: Write) -> None:
    path = write('<arg name="b" default=""/><arg name="a" default=""/><executable cmd="echo"/>')
    assert refusal(path, c="1") == f"{path} has no argument 'c'; it declares a, b."


def test_a_file_that_includes_itself_is_refused(write: Write) -> None:
    assert "include one another" in refusal(write('<include file="$(dirname)/x.launch.xml"/>'))


def test_entities_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.launch.xml"
    path.write_text(
        '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><launch><let name="&b;" value=""/></launch>'
    )
    assert "a DOCTYPE is refused" in refusal(path)
    path.write_text('<!DOCTYPE l SYSTEM "file:///etc/passwd"><launch/>')
    assert "a DOCTYPE is refused" in refusal(path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"<launch>", b"<robot/>", b'<?xml version="1.0" encoding="nope"?><launch/>']
)
def test_what_is_no_launch_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.launch.xml"
    path.write_bytes(content)
    assert refusal(path).startswith(str(path))


def test_nesting_without_end_is_refused(write: Write) -> None:
    assert "nested deeper" in refusal(write("<group>" * 100_000))
    assert "nested deeper" in refusal(write(f'<executable cmd="{"$(var " * 10_000}"/>'))


def test_declared_arguments(write: Write) -> None:
    path = write('<arg name="a" description="first"/><group><arg name="b" default="$(var a)"/></group>')
    first, second = declared_arguments(path)
    assert (first.name, first.default, first.description) == ("a", None, "first")
    assert (second.name, second.default) == ("b", "$(var a)")
