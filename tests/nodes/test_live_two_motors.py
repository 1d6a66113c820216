"""Two motors of one namespace: neither is armed, whoever asks; two of different namespaces do not mind each other."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from live_graph import PATIENCE, Probe, Program
from outlap_nodes.shared.messages import LATEST
from seat import Seat
from std_msgs.msg import Float64

from outlap.launching.domain import Domain
from outlap.launching.environment import ros_environment

pytestmark = pytest.mark.live


def ask(domain: Domain, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("outlap")), *words]
    environment = ros_environment(domain.id)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def both(*motors: Program) -> list[str]:
    return [f"process {motor.process.pid} on " for motor in motors]


def test_two_that_start_at_the_same_instant_are_not_armed_and_both_are_named(
    start: Callable[..., Program], make_bench: Callable[..., Any], domain: Domain
) -> None:
    one, other = start("motor"), start("motor")
    bench = make_bench()
    named = both(one, other)
    bench.probe.until(lambda: all(name in bench.arm().message for name in named), "a refusal that names both")
    refused = ask(domain, "arm")
    assert refused.returncode == 1
    # On a busy machine the program may know of one only; then that one refuses.
    assert refused.stdout.startswith(("not armed: 2 motors run ", "arming refused: 2 motors run "))
    assert all(name in refused.stdout for name in named), refused.stdout
    assert not any(speed.data for speed in bench.wheel_speed)
    stopped = ask(domain, "disarm")  # which goes to whoever hears it
    assert (stopped.returncode, stopped.stdout) == (0, "disarmed\n")
    assert one.stop() == other.stop(signal.SIGTERM) == 0
    again = start("motor")
    bench.probe.until(lambda: bench.arm().success, "one alone being armed")
    assert again.process.poll() is None


def test_the_hand_arms_neither(start: Callable[..., Program], probe: Probe, domain: Domain) -> None:
    one = start("motor")
    speeds: list[Float64] = probe.listen(Float64, "/sim/wheel_speed", LATEST)
    seat = Seat([str(Path(sys.executable).with_name("outlap_keyboard"))], ros_environment(domain.id))
    try:
        probe.until(lambda: "not armed yet" in seat.line, "the line that says how things stand")
        other = start("motor")
        probe.until(lambda: "not armed yet" in other.said, "the second motor")
        probe.spin(1.5)
        seat.type(b"\r")
        probe.until(lambda: "not armed: 2 motors run without a namespace: " in seat.shown, "a refusal")
        assert not any(speed.data for speed in speeds)
        assert "armed · you drive" not in seat.shown
        assert other.stop() == 0 and one.process.poll() is None
    finally:
        seat.end()


def test_arming_where_no_motor_is_names_the_namespaces_that_have_one(
    start: Callable[..., Program], probe: Probe, domain: Domain
) -> None:
    motors = [start("motor", namespace=namespace) for namespace in ("car1", "car2")]
    for motor in motors:
        probe.until(lambda motor=motor: "not armed yet" in motor.said, "the motors", PATIENCE)
    lost = ask(domain, "arm")
    assert lost.returncode == 1
    assert lost.stdout == "no motor answered here; say which with --namespace: /car1, /car2\n"
    refused = ask(domain, "arm", "--namespace", "car1")
    assert refused.returncode == 1
    assert "no command from the policy yet" in refused.stdout
