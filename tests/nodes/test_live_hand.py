"""Driving with a joystick: real programs from a stand-in for the device to what the motor writes, and the link cut."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from geometry_msgs.msg import TwistStamped
from hand_link import HandLink, release_dead_man
from outlap_nodes.shared.messages import LATEST

from outlap.launching.domain import Domain
from outlap.launching.environment import ros_environment

pytestmark = pytest.mark.live


@pytest.fixture
def command(domain: Domain) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``command("arm")``: an ``outlap`` command, run beside the graph."""
    program = str(Path(sys.executable).with_name("outlap"))
    environment = ros_environment(domain.id)
    return lambda *words: subprocess.run([program, *words], env=environment, capture_output=True, text=True, timeout=60)


def test_drives_stops_when_let_go_and_when_the_link_is_cut(link: HandLink) -> None:
    commands: list[TwistStamped] = link.probe.listen(TwistStamped, "/cmd_vel/hand", LATEST)
    link.probe.until(lambda: link.speeds, "the motor writing")
    link.probe.spin(0.5)
    assert not commands  # nothing is sent before somebody presses something
    link.drive()
    link.probe.until(lambda: commands and commands[-1].twist.linear.x == pytest.approx(1.0), "its command being heard")
    assert commands[-1].twist.angular.z > 0
    for _ in range(5):  # on a busy machine the hand may find its joystick late, and let the car go
        link.until_neutral(release_dead_man)
        link.press_dead_man()
        link.probe.spin(0.3)
        if link.moves:
            break
        link.drive()
    assert link.moves  # without arming anew: the car stood armed


def test_arm_and_disarm_from_the_command_line(
    link: HandLink, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    refused = command("arm")
    assert refused.returncode == 1
    assert "arming refused: " in refused.stdout  # the middleware may have printed something, too
    link.drive()
    assert (command("disarm").returncode, link.stays_neutral(0.3)) == (0, True)
    for _ in range(5):  # on a busy machine the hand may find its joystick late, and let the car go
        link.press_dead_man()
        armed = command("arm")
        if armed.returncode == 0:
            break
    assert (armed.returncode, armed.stdout) == (0, "armed\n")
    assert link.stays_neutral(0.3)  # the stick was held all the while


def test_without_a_motor_they_say_so(domain: Domain, command: Callable[..., Any]) -> None:
    for verb in ("arm", "disarm"):
        answer = command(verb)
        assert (answer.returncode, answer.stdout) == (1, "no motor answered\n")


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("joystick", {"rate": 5.0}, "parameters of /joystick"),
        ("hand", {"config": "/nowhere.yaml"}, "/nowhere.yaml: cannot read the hand file"),
        ("hand", {"car": "tank"}, "there is no car named 'tank'"),
        ("keyboard", {}, "driving with keys needs a terminal"),
        ("arm", {"patience": -1.0}, "parameters of /arm"),
    ],
)
def test_a_bad_start_is_refused_in_one_sentence(
    start: Callable[..., Any], name: str, parameters: dict[str, Any], words: str
) -> None:
    program = start(name, **parameters)
    assert program.wait() == 2
    assert words in program.said
    assert "Traceback" not in program.said


def test_a_joystick_that_was_never_there_is_told_of(start: Callable[..., Any], probe: Any, tmp_path: Path) -> None:
    program = start("joystick", device=tmp_path / "js0")
    probe.until(lambda: "js0 cannot be read: No such file or directory; looking for it" in program.said, "saying so")
    assert program.stop() == 0
