"""The motor node on an F1TENTH car: what a VESC is told by it, and what it says in /diagnostics."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import SetBool

from outlap.drivers.fakes.vesc import LET_GO, TIMEOUT, FakeVesc
from outlap.vehicle.car import load_car

pytestmark = pytest.mark.live


@pytest.fixture
def vesc() -> Iterator[FakeVesc]:
    with FakeVesc() as vesc:
        yield vesc


@pytest.fixture
def heard(vesc: FakeVesc, start: Callable[..., Any], probe: Any, tmp_path: Path) -> list[dict[str, str]]:
    """The values that the motor tells, as they come."""
    content = load_car("f1tenth").model_dump(mode="json")
    content["actuator"] |= vesc.hardware
    (tmp_path / "car.yaml").write_text(yaml.safe_dump(content))
    start("motor", use_sim_time=False, actuator="car", car=tmp_path / "car.yaml")
    heard: list[dict[str, str]] = []

    def hear(message: DiagnosticArray) -> None:
        heard.extend({value.key: value.value for value in status.values} for status in message.status)

    probe.node.create_subscription(DiagnosticArray, "/diagnostics", hear, 10)
    return heard


def test_a_disarmed_motor_keeps_the_vesc_alive_and_never_moves_it(
    vesc: FakeVesc, heard: list[dict[str, str]], probe: Any
) -> None:
    probe.until(lambda: len(vesc.history()) > 20, "commands coming")
    assert {packet.name for packet in vesc.told()} - {LET_GO} <= {
        "SET_CURRENT",
        "SET_SERVO_POS",
        "GET_VALUES",
        "FW_VERSION",
    }
    assert all(sent.speed == 0 for sent in vesc.history())
    assert not vesc.skipped
    times = [sent.time for sent in vesc.history()]
    gaps = sorted(after - before for before, after in pairwise(times))
    assert gaps[len(gaps) // 2] < TIMEOUT / 2  # the middle one: a busy machine may hold any single one up


def test_diagnostics_show_what_the_vesc_says_and_that_it_is_gone(
    vesc: FakeVesc, heard: list[dict[str, str]], probe: Any
) -> None:
    vesc.values = vesc.values._replace(voltage=11.1, fault="motor too hot")
    probe.until(lambda: any(values.get("vesc_voltage") == "11.10" for values in heard), "its voltage being told")
    assert next(values for values in heard if "vesc_voltage" in values)["vesc_firmware"] == "6.05"
    probe.until(lambda: any(values.get("vesc") == "motor too hot" for values in heard), "its fault being told")
    vesc.unplug()
    probe.until(lambda: heard[-1].get("vesc", "").startswith("no answer for"), "its silence being told")
    writes = len(vesc.history())
    vesc.plug_in()
    probe.until(lambda: len(vesc.history()) > writes, "commands coming again")
    assert vesc.history()[-1].speed == 0


def test_only_the_motor_holds_the_port(vesc: FakeVesc, heard: list[dict[str, str]], probe: Any) -> None:
    """One that its stopper held too would come back under another name when the VESC is replugged."""

    def answer() -> str:
        return probe.call(SetBool, "/motor/arm", SetBool.Request(data=True)).message

    probe.until(lambda: "no command" in answer(), "the stopper being ready")
    port = os.path.realpath(vesc.port)
    holders = [pid for pid in Path("/proc").glob("[0-9]*") if pid.name != str(os.getpid()) and port in opened(pid)]
    assert len(holders) == 1


def opened(pid: Path) -> list[str]:
    """The files that a process has open."""
    try:
        return [str(handle.readlink()) for handle in (pid / "fd").iterdir()]
    except OSError:  # it ended meanwhile, or is another user's
        return []


def test_a_second_motor_node_is_refused_the_same_port(
    heard: list[dict[str, str]], start: Callable[..., Any], probe: Any, tmp_path: Path
) -> None:
    probe.until(lambda: heard, "the first one's diagnostics")
    second = start("motor", use_sim_time=False, actuator="car", car=tmp_path / "car.yaml")
    assert second.wait() == 2
    assert "is held by the motor node (process " in second.said
    assert "Traceback" not in second.said
