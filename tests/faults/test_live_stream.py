"""Rows 1, 3, 4, 5 and 10: pictures or commands cease, come late, or are none; clocks step."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from fault_figures import FULL, Measured
from geometry_msgs.msg import TwistStamped
from rig import FRAME_TIME, Rig

pytestmark = pytest.mark.live

MakeRig = Callable[..., Rig]
TIMES = 20 if FULL else 2
WORLDS = ["simulated", "pca9685", "vesc"] if FULL else ["pca9685"]

# The policy node's own program; SIGUSR1 makes its next inference take a second.
SLOW_POLICY = """
import signal, time
from outlap.policy.runtime import Policy
from outlap_nodes.policy import main

infer, slow = Policy.infer, []

def perhaps_slowly(self, frames, commands):
    if slow:
        slow.clear()
        time.sleep(1.0)
    return infer(self, frames, commands)

Policy.infer = perhaps_slowly
signal.signal(signal.SIGUSR1, lambda number, frame: slow.append(1))
main()
"""


@pytest.mark.fault(1)
@pytest.mark.parametrize("world", WORLDS)
def test_the_camera_node_is_killed(make_rig: MakeRig, world: str, measured: Measured) -> None:
    rig = make_rig(world, "simulator" if world == "simulated" else "player")
    worst = rig.worst(
        TIMES, lambda index: rig.signal("camera", signal.SIGKILL), recover=lambda index: rig.restart("camera")
    )
    measured(f"neutral, {world}", worst, limit=0.2, injections=TIMES, repeated=rig.blurred)


@pytest.mark.fault(2)
@pytest.mark.parametrize("world", WORLDS)
def test_the_camera_is_frozen(make_rig: MakeRig, world: str, measured: Measured) -> None:
    """The same picture with fresh stamps."""
    rig = make_rig(world)

    def freeze(frozen: bool) -> float:
        rig.player.frozen = frozen
        return time.monotonic()

    def recover(index: int) -> None:
        time.sleep(0.5)
        freeze(False)

    worst = rig.worst(TIMES, lambda index: freeze(True), recover)
    measured(f"neutral, {world}", worst, limit=0.5, injections=TIMES, repeated=rig.blurred)


@pytest.mark.fault(3)
@pytest.mark.parametrize("world", WORLDS)
def test_pictures_come_late(make_rig: MakeRig, world: str, measured: Measured) -> None:
    rig = make_rig(world)
    late: list[tuple[float, float]] = []

    def inject(index: int) -> float:
        now = time.monotonic()
        rig.player.late = 0.3
        late.append((now, math.inf))
        return now

    def recover(index: int) -> None:
        time.sleep(0.5)
        late[-1] = (late[-1][0], time.monotonic())
        rig.player.late = 0.0

    worst = rig.worst(TIMES, inject, recover)
    measured(f"neutral, {world}", worst, limit=0.2, injections=TIMES, repeated=rig.blurred)
    # Those of a picture's time about the switch may be the last good one, or the first again.
    unfit = {
        stamp: sent
        for sent, stamp in rig.player.stamps
        for begun, ended in late
        if begun + FRAME_TIME < sent < ended - FRAME_TIME
    }
    assert len(unfit) > 5 * TIMES
    # A late picture may bear the very stamp of one that came in time, nine pictures earlier.
    acted_on = sum(command.time > unfit.get(command.stamp, math.inf) for command in rig.recorder.commands)
    assert acted_on == 0
    measured(f"late pictures acted on, {world}", acted_on, limit=0, unit="", injections=len(unfit))


@pytest.mark.fault(4)
@pytest.mark.parametrize("world", WORLDS)
def test_the_policy_node_is_stopped(make_rig: MakeRig, world: str, measured: Measured) -> None:
    rig = make_rig(world, "simulator" if world == "simulated" else "player")

    def recover(index: int) -> None:
        time.sleep(0.2)
        rig.signal("policy", signal.SIGCONT)

    worst = rig.worst(TIMES, lambda index: rig.signal("policy", signal.SIGSTOP), recover)
    measured(f"neutral after SIGSTOP, {world}", worst, limit=0.2, injections=TIMES, repeated=rig.blurred)


@pytest.mark.fault(4)
@pytest.mark.parametrize("world", WORLDS)
def test_one_inference_takes_a_second(make_rig: MakeRig, world: str, measured: Measured) -> None:
    pictures = "simulator" if world == "simulated" else "player"
    rig = make_rig(world, pictures, policy=[sys.executable, "-c", SLOW_POLICY])
    worst = rig.worst(TIMES, lambda index: rig.signal("policy", signal.SIGUSR1), recover=lambda index: time.sleep(1.0))
    measured(f"neutral, slow inference, {world}", worst, limit=0.2, injections=TIMES, repeated=rig.blurred)


def between(signal: float, one: float, other: float) -> bool:
    return min(one, other) <= signal <= max(one, other)


def linear(**values: float) -> Callable[[TwistStamped], object]:
    return lambda message: [setattr(message.twist.linear, axis, value) for axis, value in values.items()]


def angular(**values: float) -> Callable[[TwistStamped], object]:
    return lambda message: [setattr(message.twist.angular, axis, value) for axis, value in values.items()]


BAD: dict[str, Callable[[TwistStamped], object]] = {
    "NaN speed": linear(x=math.nan),
    "NaN curvature": angular(z=math.nan),
    "infinite speed": linear(x=math.inf),
    "infinite curvature": angular(z=-math.inf),
    "infinite backwards": linear(x=-math.inf),
    "too fast": linear(x=4.5),
    "too fast backwards": linear(x=-4.5),
    "too tight": angular(z=50.0),
    "sideways": linear(y=0.5),
    "upwards": linear(z=math.nan),
    "rolling": angular(x=math.inf),
    "of another frame": lambda message: setattr(message.header, "frame_id", "odom"),
    "of no frame": lambda message: setattr(message.header, "frame_id", ""),
    "the largest double": linear(x=sys.float_info.max),
}


@pytest.mark.fault(5)
@pytest.mark.parametrize("world", WORLDS)
def test_commands_are_none(make_rig: MakeRig, world: str, measured: Measured) -> None:
    rig = make_rig(world, "commander")
    times = max(TIMES, len(BAD)) if FULL else 4
    kinds = (
        list(BAD.values()) if FULL else [BAD[name] for name in ("NaN speed", "too tight", "infinite speed", "sideways")]
    )
    good: set[tuple[Any, Any]] = set()

    def inject(index: int) -> float:
        good.add((rig.history()[-1].steering, rig.history()[-1].speed))
        return rig.commander.spoil(kinds[index % len(kinds)])

    def recover(index: int) -> None:
        time.sleep(0.2)
        rig.commander.spoil(None)

    worst = rig.worst(times, inject, recover)
    measured(f"neutral, {world}", worst, limit=0.02, injections=times, repeated=rig.blurred)
    # Nothing was ever sent but what lies between neutral and the good command.
    ((steering, speed),) = good
    neutral = next(sent for sent in rig.history() if sent.speed is not None and sent.steering is not None)
    for sent in rig.history():
        assert sent.speed is None or between(sent.speed, neutral.speed, speed)
        assert sent.steering is None or between(sent.steering, neutral.steering, steering)


@pytest.mark.fault(10)
@pytest.mark.parametrize("world", WORLDS)
def test_clocks_step(make_rig: MakeRig, world: str, measured: Measured) -> None:
    """/clock jumps by an hour, either way, or begins again at nought; and pictures are stamped in the future."""
    rig = make_rig(world, clock=True)

    def inject(index: int) -> float:
        now, kind = time.monotonic(), index % 4
        if kind == 0:
            rig.player.offset += 3600.0
        elif kind == 1:
            rig.player.offset -= 3600.0
        elif kind == 2:
            rig.player.late = -3600.0
        else:
            rig.player.offset = -now
        return now

    def recover(index: int) -> None:
        time.sleep(0.3)
        rig.player.late = 0.0
        rig.player.offset = max(rig.player.offset, 4000.0 - time.monotonic())

    times = TIMES if FULL else 4
    worst = rig.worst(times, inject, recover)
    measured(f"neutral, {world}", worst, limit=0.2, injections=times, repeated=rig.blurred)
