"""Row 9: 5000 commands a second, pictures of 10 MB, and then the camera is killed."""

from __future__ import annotations

import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fault_figures import FULL, Measured
from rig import Rig

pytestmark = [pytest.mark.live, pytest.mark.fault(9)]

MakeRig = Callable[..., Rig]
FLOOD = Path(__file__).with_name("flood.py")
SECONDS = 60.0 if FULL else 3.0
KILLS = 20 if FULL else 1
WINDOW = 11.0  # s


def megabytes(program: Any) -> float:
    """What a program holds in memory of its own."""
    lines = Path(f"/proc/{program.process.pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


def reached(program: Any) -> list[float]:
    """What a flood told of itself, a number a second; the first is of a part of one."""
    return [float(line.split()[1]) for line in program.said.splitlines() if line.startswith("flood: ")][1:]


def test_a_flood(make_rig: MakeRig, start: Callable[..., Any], measured: Measured) -> None:
    """In simulation: a stand-in lives in this process, and would let the motor wait as no bus does."""
    world = "simulated"
    program = str(Path(sys.executable).with_name("outlap_policy"))
    flood = start("commands", command=[sys.executable, str(FLOOD), "commands"])
    rig = make_rig(world, policy=[program, "--ros-args", "-r", "/cmd_vel:=/wanted"])
    rig.recorder.deafen()
    rig.drive()
    before = {name: megabytes(rig.programs[name]) for name in ("camera", "policy", "motor")}
    rig.add("pictures", lambda: start("pictures", command=[sys.executable, str(FLOOD), "pictures"]))
    begun = time.monotonic()
    held: dict[str, list[float]] = {name: [] for name in before}
    while time.monotonic() < begun + SECONDS:
        rig.drive()  # it may stop for want of fresh pictures, but must not be kept from driving again
        for name, levels in held.items():
            levels.append(megabytes(rig.programs[name]))
    # The level at the end; a single look may see some buffers in use.
    growths = {name: statistics.median(levels[-30:]) - before[name] for name, levels in held.items()}
    grown = max(growths.values())
    # The motor's figure is over its last 500 ticks, 10 s: all of them in the flood.
    told = [(at, float(said["tick_ms_p99"]) * 1e-3) for at, said in rig.recorder.motor if at > begun]
    ticks = [p99 for at, p99 in told if at > begun + WINDOW] or [told[-1][1]]
    commands, pictures = reached(flood), reached(rig.programs["pictures"])
    print("commands/s:", commands, "pictures/s:", pictures, "MB:", growths, "p99 in s:", ticks)
    measured(f"tick p99, {world}", max(ticks), limit=0.025)
    measured(f"memory grown, {world}", grown, limit=50.0, unit="MB")
    if FULL:  # that it was a flood
        measured(f"short of 5000 commands/s, {world}", 5000 - sorted(commands)[len(commands) // 2], 500.0, "1/s")

    def recover(index: int) -> None:
        rig.restart("camera")
        time.sleep(3.0)  # until it commands again

    worst = rig.worst(KILLS, lambda index: rig.signal("camera", signal.SIGKILL), recover)
    measured(f"neutral, {world}", worst, limit=0.2, injections=KILLS, repeated=rig.blurred)
