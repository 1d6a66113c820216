"""What carries the messages of a car's nodes: no shared memory, and nothing that another machine could reach."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from outlap_nodes.shared.transport import LOOPBACK, PROFILES, RANGE, TRANSPORT, choose_transport
from std_srvs.srv import SetBool

from outlap.files import share_directory

CONFIG = share_directory() / "config"
OURS = {RANGE: "LOCALHOST", PROFILES: str(CONFIG / "fastdds.xml")}
SPACE = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"


def addresses(pid: int) -> set[str]:
    """Where a process's UDP sockets listen; see proc(5), /proc/net/udp."""
    found = set()
    handles = {str(handle.readlink()) for handle in Path(f"/proc/{pid}/fd").iterdir() if handle.is_symlink()}
    for line in Path(f"/proc/{pid}/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if f"socket:[{words[9]}]" in handles:
            found.add(socket.inet_ntoa(struct.pack("=I", int(words[1].split(":")[0], 16))))
    return found


@pytest.mark.live
@pytest.mark.parametrize("transport", [LOOPBACK, ""])
def test_a_cars_node_uses_the_loopback_only_and_is_heard_by_others(
    start: Callable[..., Any], probe: Any, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    monkeypatch.setenv(TRANSPORT, transport)
    motor = start("motor", use_sim_time=False)
    answer = probe.call(SetBool, "/motor/arm", SetBool.Request(data=True))
    assert "no new command" in answer.message or "stopper" in answer.message
    pid = motor.process.pid
    assert ("/dev/shm/fastrtps" in Path(f"/proc/{pid}/maps").read_text()) == (transport != LOOPBACK)
    if transport == LOOPBACK:
        assert addresses(pid) == {"127.0.0.1"}


def test_what_is_chosen() -> None:
    environment = OURS | {TRANSPORT: LOOPBACK}
    choose_transport(environment)
    assert Path(environment[PROFILES]) == CONFIG / "fastdds_loopback.xml"
    assert environment[RANGE] == "SYSTEM_DEFAULT"  # of which that profile leaves the loopback
    for own in ({TRANSPORT: ""}, {RANGE: "SUBNET"}, {PROFILES: "/mine.xml"}, {PROFILES: "/fastdds.xml"}):
        environment = OURS | {TRANSPORT: LOOPBACK} | own
        before = dict(environment)
        choose_transport(environment)
        assert environment == before


def test_another_middleware_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outlap_nodes.shared.transport.get_rmw_implementation_identifier", lambda: "rmw_cyclonedds_cpp")
    environment = OURS | {TRANSPORT: LOOPBACK}
    choose_transport(environment)
    assert environment == OURS | {TRANSPORT: LOOPBACK}


def test_the_profiles_differ_in_their_transports_only() -> None:
    def rest(name: str) -> list[str]:
        root = ElementTree.parse(CONFIG / name).getroot()
        kept = [next(root.iter(SPACE + part)) for part in ("discovery_config", "data_writer", "data_reader")]
        return [ElementTree.canonicalize(ElementTree.tostring(part), strip_text=True) for part in kept]

    assert rest("fastdds.xml") == rest("fastdds_loopback.xml")
