"""Row 21: a second motor of the same namespace, which one pad and one ``outlap arm`` would drive as well."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from fault_figures import FULL, Measured
from rig import Rig

pytestmark = pytest.mark.live

TIMES = 20 if FULL else 2


@pytest.mark.fault(21)
@pytest.mark.parametrize("world", ["pca9685", "vesc"] if FULL else ["pca9685"])
def test_a_second_motor(
    make_rig: Callable[..., Rig], start: Callable[..., Any], world: str, measured: Measured
) -> None:
    """The second one writes to a simulator that is not there; timed from its own first line."""
    rig = make_rig(world, "commander")
    others: list[Any] = []

    def inject(index: int) -> float:
        others.append(start("motor"))
        rig.until(lambda: "not armed yet" in others[-1].said, "the second motor")
        stamp = re.search(r"\[(\d+\.\d+)\] \[motor\]: disarmed: not armed yet", others[-1].said)
        assert stamp is not None
        return time.monotonic() - (time.time() - float(stamp[1]))

    def recover(index: int) -> None:
        rig.until(lambda: rig.recorder.publishers("/motor/state").count("motor") == 2, "its discovery")
        time.sleep(1.5)  # each motor knows of the other, and has heard where it runs
        refusal = rig.arm()
        assert not refusal.success and refusal.message.startswith("arming refused: ")
        for motor in (rig.programs["motor"], others[-1]):
            assert f"process {motor.process.pid} on " in refusal.message, refusal.message
        assert others[-1].stop(signal.SIGINT) == 0
        rig.until(lambda: rig.recorder.publishers("/motor/state").count("motor") == 1, "its end")

    worst = rig.worst(TIMES, inject, recover)
    measured(f"neutral, {world}", worst, limit=1.0, injections=TIMES, repeated=rig.blurred)
    measured("refusals that name both", 0, limit=0, unit="wrong", injections=TIMES)
