"""Rows 6, 7 and 8: the motor is killed, its bus fails, a second publisher appears."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable

import pytest
from fault_figures import FULL, Measured
from rig import PATIENCE, Commander, Rig

from outlap.drivers.fakes.pca9685 import FakePca9685
from outlap.launching.domain import Domain

pytestmark = pytest.mark.live

MakeRig = Callable[..., Rig]
TIMES = 20 if FULL else 2
WORLDS = ["simulated", "pca9685", "vesc"] if FULL else ["pca9685"]


@pytest.mark.fault(6)
@pytest.mark.parametrize("world", WORLDS)
def test_the_motor_node_is_killed(make_rig: MakeRig, world: str, measured: Measured) -> None:
    rig = make_rig(world, "commander")
    begun: list[float] = []

    def inject(index: int) -> float:
        begun.append(rig.signal("motor", signal.SIGKILL))
        return begun[-1]

    def recover(index: int) -> None:
        time.sleep(0.7)  # the stopper's writing is over by then
        after = [sent for sent in rig.history() if sent.time >= begun[-1] + 0.2]
        assert len({sent.steering for sent in after}) == 1, "the steering was not held"
        rig.restart("motor")
        rig.until(lambda: rig.history()[-1].time > begun[-1] + 0.7, "the new motor")

    worst = rig.worst(TIMES, inject, recover, held=False)
    measured(f"neutral, {world}", worst, limit=0.2, injections=TIMES, repeated=rig.blurred)


@pytest.mark.fault(7)
@pytest.mark.parametrize("refused", [1, 2] if FULL else [1])
def test_the_bus_fails_once(make_rig: MakeRig, refused: int, measured: Measured) -> None:
    """As an I2C device that does not acknowledge; two in a row are within the gate's patience, too."""
    rig = make_rig("pca9685", "commander")
    chip = rig.standin
    assert isinstance(chip, FakePca9685)
    rig.drive()
    gaps, times = [], TIMES if refused == 1 else 3
    for _ in range(times):
        time.sleep(rig.draw(0.1, 0.2))
        seen = len(chip.transfers)
        chip.fail(refused)
        rig.until(lambda seen=seen: sum(not t.taken for t in chip.transfers[seen:]) == refused, "a refusal")
        last = [t.time for t in chip.transfers[seen:] if not t.taken]
        rig.until(lambda last=last: rig.history()[-1].time > last[-1], "a write that is taken")
        attempts = [*last, next(sent.time for sent in rig.history() if sent.time > last[-1])]
        gaps += [after - before for before, after in itertools.pairwise(attempts)]
    assert rig.moving, "it stopped for a bus error that passed"
    if refused == 1:  # the second of two is retried on the next tick
        measured("retried, pca9685", max(gaps), limit=0.02, injections=times)


@pytest.mark.fault(7)
@pytest.mark.parametrize("world", ["pca9685", "vesc"] if FULL else ["pca9685"])
def test_the_bus_fails_for_good(make_rig: MakeRig, world: str, measured: Measured) -> None:
    rig = make_rig(world, "commander")
    latched = []
    for _ in range(TIMES):
        rig.drive()
        begun = time.monotonic()
        rig.standin.fail(None)
        latched.append(rig.said(begun, state="fault"))
        time.sleep(0.3)
        assert "refused" in rig.arm().message
        rig.standin.fail(0)
        since = time.monotonic()
        rig.until(lambda since=since: rig.history()[-1].time > since, "a write that is taken")
        rig.stays_neutral(since)
    measured(f"latched and told, {world}", max(latched), limit=0.1, injections=TIMES)


@pytest.mark.fault(8)
@pytest.mark.parametrize("world", WORLDS)
def test_a_second_publisher(make_rig: MakeRig, domain: Domain, world: str, measured: Measured) -> None:
    rig = make_rig(world, "commander")
    intruders: list[Commander] = []

    def inject(index: int) -> float:
        begun = time.monotonic()
        intruders.append(Commander(domain.id, name="intruder"))
        return begun

    def recover(index: int) -> None:
        # It may have stopped for another reason before it saw the intruder: where the machine stood still meanwhile.
        rig.until(lambda: "intruder" in rig.recorder.publishers("/cmd_vel"), "the intruder's discovery")
        time.sleep(0.5)  # the motor, too, has discovered it then
        refusal = rig.arm()
        assert not refusal.success and "/intruder" in refusal.message and "/policy" in refusal.message
        intruders.pop().close()

    try:
        worst = rig.worst(TIMES, inject, recover)
    finally:
        for intruder in intruders:
            intruder.close()
    measured(f"neutral, {world}", worst, limit=1.0, injections=TIMES, repeated=rig.blurred)
    measured("refusals that name both", 0, limit=0, unit="wrong", injections=TIMES)


@pytest.mark.fault(8)
def test_a_policy_that_was_killed_is_forgotten(make_rig: MakeRig, measured: Measured) -> None:
    """Another in its place may drive soon: the lease of a participant is 2 s."""
    rig = make_rig("simulated")
    times, waits = 5 if FULL else 1, []
    for _ in range(times):
        rig.drive()
        killed = rig.signal("policy", signal.SIGKILL)
        rig.restart("policy")
        rig.until(lambda killed=killed: rig.recorder.commands[-1].time > killed + 0.5, "the new one's commands")
        rig.drive(PATIENCE)
        waits.append(time.monotonic() - killed)
    print("s from the kill to driving again, the start of the program included:", waits)
    measured("another drives in its place", max(waits), limit=10.0, injections=times)
