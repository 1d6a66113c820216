"""Rows 23 to 25: a device that is not the one, one that reports a fault or a low battery, a camera that is too slow."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from fault_figures import FULL, Measured
from rig import Rig

from outlap.drivers.fakes.vesc import FakeVesc
from outlap.drivers.vesc_packets import Command

pytestmark = pytest.mark.live

MakeRig = Callable[..., Rig]
TIMES = 20 if FULL else 2
FEW = 5 if FULL else 1
HEARD = 0.5  # s, in which what the VESC says has reached the gate


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    return make_rig("vesc", "commander", battery={"low": 14.0, "empty": 13.0})


def vesc_of(rig: Rig) -> FakeVesc:
    assert isinstance(rig.standin, FakeVesc)
    return rig.standin


def refused(rig: Rig, words: str) -> None:
    """Arming is refused with these words, a regular expression."""
    answer = rig.arm()
    assert not answer.success and re.search(words, answer.message), answer.message


@pytest.mark.fault(23)
def test_a_port_on_which_no_vesc_answers(rig: Rig, measured: Measured) -> None:
    """A lidar on the same kind of port takes all that is written, and says nothing that a VESC would say."""
    vesc = vesc_of(rig)

    def inject(index: int) -> float:
        vesc.answers = False
        return time.monotonic()

    def recover(index: int) -> None:
        refused(rig, "does not answer any more")
        # Replugged, it is somebody else: it was never heard there.
        vesc.unplug()
        vesc.plug_in()
        rig.until(lambda: "no VESC answers on" in rig.arm().message, "a refusal of a device that is unknown")
        assert str(vesc.port) in rig.arm().message
        vesc.answers = True

    measured("neutral, vesc", rig.worst(FEW, inject, recover), limit=1.5, injections=FEW, repeated=rig.blurred)


@pytest.mark.fault(23)
def test_a_vesc_of_old_firmware_or_one_that_answers_late(rig: Rig, measured: Measured) -> None:
    vesc = vesc_of(rig)
    new = vesc.firmware
    rig.drive()
    for _ in range(FEW):
        vesc.firmware = bytes([Command.FW_VERSION, 2, 18])
        vesc.unplug()
        vesc.plug_in()
        rig.until(lambda: "firmware 2.18, whose answers have another layout" in rig.arm().message, "a refusal")
        assert not rig.moving
        vesc.firmware, vesc.answers = new, False
        vesc.unplug()
        vesc.plug_in()
        time.sleep(rig.draw(1.0, 3.0))
        assert "no VESC answers on" in rig.arm().message
        vesc.answers = True  # late, but at last
        rig.drive()
    measured("refusals that say why", 0, limit=0, unit="wrong", injections=FEW)


@pytest.mark.fault(24)
def test_a_fault_that_telemetry_reports(rig: Rig, measured: Measured) -> None:
    vesc = vesc_of(rig)
    well = vesc.values

    def inject(index: int) -> float:
        vesc.values = well._replace(fault="battery voltage too low", voltage=14.5)
        return time.monotonic()

    def recover(index: int) -> None:
        refused(rig, "the VESC reports: battery voltage too low")
        vesc.values = well
        time.sleep(HEARD)

    worst = rig.worst(TIMES, inject, recover)
    measured("neutral, vesc", worst, limit=0.5, injections=TIMES, repeated=rig.blurred)


@pytest.mark.fault(24)
def test_a_battery_that_runs_down(rig: Rig, measured: Measured) -> None:
    """Between `low` and `empty` an armed car goes on, and one that is not is not armed."""
    vesc = vesc_of(rig)
    well = vesc.values

    def inject(index: int) -> float:
        vesc.values = well._replace(voltage=13.5)
        time.sleep(1.0)
        begun = time.monotonic()
        vesc.values = well._replace(voltage=12.9)
        return begun

    def recover(index: int) -> None:
        vesc.values = well._replace(voltage=13.5)
        time.sleep(HEARD)
        refused(rig, r"13\.5 V, and arming needs 14 V \(battery\.low\)")
        vesc.values = well
        time.sleep(HEARD)

    worst = rig.worst(FEW, inject, recover)
    measured("neutral, battery empty", worst, limit=1.2, injections=FEW, repeated=rig.blurred)


@pytest.mark.fault(25)
def test_a_camera_far_below_the_policys_rate(make_rig: MakeRig, measured: Measured) -> None:
    rig = make_rig("pca9685")

    def inject(index: int) -> float:
        rig.player.period = 1 / 13.0  # s: none is late, so that nothing else stops the car
        return time.monotonic()

    def recover(index: int) -> None:
        refused(rig, r"the camera gives 1\d\.\d pictures a second, and the policy needs 30: ")
        rig.player.period = 1 / 30
        time.sleep(2.5)

    worst = rig.worst(FEW, inject, recover)
    measured("neutral, pca9685", worst, limit=4.0, injections=FEW, repeated=rig.blurred)
