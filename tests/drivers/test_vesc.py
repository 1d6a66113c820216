"""The VESC's driver against a stand-in that speaks its protocol over a pseudo-terminal."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from outlap.drivers.actuator import ActuatorError
from outlap.drivers.fakes.vesc import LET_GO, FakeVesc, Told
from outlap.drivers.opening import open_actuator
from outlap.drivers.vesc import VescActuator
from outlap.drivers.vesc_packets import Command, command
from outlap.errors import OutlapError
from outlap.files import share_directory, validate
from outlap.vehicle.car import Car, load_car

PATIENCE = 20.0  # s
SHIPPED = share_directory() / "config" / "cars" / "f1tenth.yaml"


def until(happened: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.005)


@pytest.fixture
def vesc() -> Iterator[FakeVesc]:
    with FakeVesc() as vesc:
        yield vesc


def car_for(port: Path | str, neutral: str = "coast") -> Car:
    content = load_car("f1tenth").model_dump()
    content["actuator"]["port"], content["drive"]["neutral"] = str(port), neutral
    return validate(content, Car, "test", "car file")


@pytest.fixture
def actuator(vesc: FakeVesc) -> Iterator[VescActuator]:
    actuator = open_actuator(car_for(vesc.port))
    assert isinstance(actuator, VescActuator)
    yield actuator
    actuator.close()


def names(told: list[Told]) -> list[str]:
    return [packet.name for packet in told]


def test_opening_sends_nothing_and_a_write_is_one_speed_and_one_position(
    vesc: FakeVesc, actuator: VescActuator
) -> None:
    actuator.write(0.0, 0.1, 1.0)
    until(lambda: len(vesc.told()) == 2, "both packets coming")
    speed, servo = vesc.told()
    assert speed.frame == command(Command.SET_RPM, 4614.0)
    assert servo.frame == command(Command.SET_SERVO_POS, 0.5304 - 1.2135 * 0.1)
    assert vesc.history()[-1][1:] == (0.409, 4614.0)
    assert not vesc.skipped


@pytest.mark.parametrize(
    ("neutral", "packet"),
    [("coast", command(Command.SET_CURRENT, 0.0)), ("brake", command(Command.SET_CURRENT_BRAKE, 5.0))],
)
def test_speed_zero_lets_go_or_brakes_and_never_holds_zero(vesc: FakeVesc, neutral: str, packet: bytes) -> None:
    actuator = open_actuator(car_for(vesc.port, neutral))
    actuator.write(0.0, 0.0, 1.0)
    actuator.write(0.1, 0.0, 0.0)
    actuator.write(0.2, 0.0, 1e-9)  # less than one revolution a minute
    actuator.stop(0.3)
    actuator.close()
    until(lambda: len(vesc.told()) == 7, "all packets coming")
    assert [told.frame for told in vesc.told() if told.name != "SET_SERVO_POS"][1:] == [packet] * 3
    assert [sent.speed for sent in vesc.history()] == [4614.0, 0.0, 0.0, 0.0]


def test_a_stop_leaves_the_steering_as_another_process_wrote_it(vesc: FakeVesc, actuator: VescActuator) -> None:
    stopper = open_actuator(car_for(vesc.port))
    actuator.write(0.0, 0.2, 2.0)
    until(lambda: vesc.history(), "the motor's write coming")
    stopper.stop(0.1)
    until(lambda: len(vesc.history()) == 2, "the stopper's write coming")
    assert vesc.history()[-1][1:] == (vesc.history()[0].steering, 0.0)
    stopper.close()


def test_signals_beyond_the_servos_ends_are_cut_and_those_that_are_no_numbers_refused(
    vesc: FakeVesc, actuator: VescActuator
) -> None:
    actuator.send(7.0, None)
    actuator.send(None, 1e12)
    until(lambda: len(vesc.told()) == 2, "both packets coming")
    assert [told.value for told in vesc.told()] == [1.0, 2.0**31 - 1]
    for signals in ((float("nan"), 0.0), (0.5, float("inf"))):
        with pytest.raises(ActuatorError, match="not numbers: nothing was sent"):
            actuator.send(*signals)
    assert len(vesc.told()) == 2


def test_telemetry_is_none_until_an_answer_came_then_it_is_in_si_units(vesc: FakeVesc, actuator: VescActuator) -> None:
    vesc.values = vesc.values._replace(voltage=14.8, fault="motor too hot")
    assert actuator.health(1.0) == {"vesc": "no answer"}  # the question goes out now
    actuator.write(1.5, 0.0, 2.0)  # asks again
    until(lambda: (told := actuator.telemetry(1.6)) and told.values.erpm == 9228.0, "an answer coming")
    told = actuator.telemetry(1.6)
    assert told is not None and told.time == 1.6
    assert told.values == vesc.values._replace(erpm=9228.0)
    health = actuator.health(1.7)
    assert health["vesc"] == "motor too hot" and health["vesc_voltage"] == 14.8 and health["vesc_firmware"] == "6.05"


def test_it_is_asked_a_few_times_a_second_only_and_not_at_all_by_who_does_not_listen(
    vesc: FakeVesc, actuator: VescActuator
) -> None:
    stopper = open_actuator(car_for(vesc.port))
    actuator.telemetry(0.0)
    for tick in range(51):
        actuator.write(tick * 0.02, 0.0, 1.0)
        stopper.stop(tick * 0.02)
    until(lambda: len(vesc.history()) == 102, "all writes coming")
    assert names(vesc.told()).count("GET_VALUES") == 5 or names(vesc.told()).count("GET_VALUES") == 6
    # The answers are still there for the motor: the stopper has read none of them.
    until(lambda: actuator.telemetry(1.0), "an answer coming")
    stopper.close()


def test_an_answer_is_found_among_rubbish_and_told_as_old_when_no_more_come(
    vesc: FakeVesc, actuator: VescActuator
) -> None:
    vesc.send(b"\x02\xff\x03rubbish" * 60)
    for tick in range(400):
        actuator.telemetry(tick * 0.25)
        if actuator.telemetry(tick * 0.25):
            break
        time.sleep(0.02)
    assert actuator.health(tick * 0.25)["vesc"] == "answers"
    vesc.unplug()
    assert actuator.health(tick * 0.25 + 5)["vesc"] == "no answer for 5 s"


def answered(vesc: FakeVesc, actuator: VescActuator, now: float) -> str:
    """What is wrong a moment after both sides have spoken; at ``now`` and a little later by the actuator's time."""
    actuator.problem(now)
    time.sleep(0.1)
    return actuator.problem(now + 0.25)


def test_it_must_say_who_it_is_before_it_is_trusted_and_again_behind_a_new_plug(
    vesc: FakeVesc, actuator: VescActuator
) -> None:
    vesc.answers = False
    assert answered(vesc, actuator, 0.0) == (
        f"no VESC answers on {vesc.port}: another device is there, or its power is off; check actuator.port in the car "
        "file"
    )
    assert actuator.voltage(0.3) is None
    vesc.answers = True
    until(lambda: answered(vesc, actuator, 1.0) == "", "an answer")
    assert actuator.voltage(1.3) == 15.6
    vesc.values = vesc.values._replace(fault="battery voltage too low")
    until(lambda: answered(vesc, actuator, 2.0) == "the VESC reports: battery voltage too low", "the fault")
    vesc.values = vesc.values._replace(fault="none")
    vesc.answers = False
    later = itertools.count(4.0, 2.0)  # an answer to what was asked before may still come, and is not too old at first
    silent = f"the VESC on {vesc.port} does not answer any more"
    until(lambda: answered(vesc, actuator, next(later)) == silent, "silence")
    vesc.unplug()
    assert answered(vesc, actuator, next(later)).startswith("no VESC answers on ")
    vesc.plug_in()  # what is there now takes all, and says nothing
    assert answered(vesc, actuator, next(later)).startswith("no VESC answers on ")
    vesc.answers = True
    until(lambda: answered(vesc, actuator, next(later)) == "", "an answer of the new one")


def test_old_firmware_is_told_and_not_misread(vesc: FakeVesc, actuator: VescActuator) -> None:
    vesc.firmware = bytes([Command.FW_VERSION, 2, 18])
    until(lambda: "has firmware 2.18, whose answers have another layout" in answered(vesc, actuator, 0.0), "a word")
    assert actuator.telemetry(1.0) is None and actuator.voltage(1.0) is None
    assert actuator.health(1.0) == {"vesc": "too old", "vesc_firmware": "2.18"}


def test_a_pulled_plug_is_told_in_one_sentence_and_a_plug_put_back_is_found_by_the_next_write(
    vesc: FakeVesc, actuator: VescActuator
) -> None:
    actuator.write(0.0, 0.0, 1.0)
    until(lambda: vesc.history(), "the first write coming")
    vesc.unplug()
    for _ in range(3):
        with pytest.raises(ActuatorError, match=r"the VESC on .* is not there .*: check its cable") as caught:
            actuator.stop(0.1)
        assert "\n" not in str(caught.value)
    vesc.plug_in()
    actuator.stop(0.2)
    until(lambda: len(vesc.history()) == 2, "a write coming again")
    assert vesc.history()[-1].speed == 0.0


@pytest.mark.parametrize("writes", [1, 3])
def test_a_bus_that_is_disturbed_refuses_as_many_writes_as_it_was_told_to(
    vesc: FakeVesc, actuator: VescActuator, writes: int
) -> None:
    actuator.stop(0.0)
    until(lambda: vesc.history(), "the first write coming")
    vesc.fail(writes)
    for _ in range(writes):
        with pytest.raises(ActuatorError):
            actuator.stop(0.0)
        time.sleep(0.1)  # for the stand-in to count it
    actuator.stop(0.0)
    until(lambda: len(vesc.history()) == 2, "the write after them coming")


def test_telemetry_of_a_port_that_is_gone_never_raises(vesc: FakeVesc, actuator: VescActuator) -> None:
    vesc.unplug()
    assert actuator.telemetry(0.0) is None
    assert actuator.health(9.0) == {"vesc": "no answer"}
    vesc.plug_in()
    until(lambda: actuator.telemetry(time.monotonic()), "an answer coming after the plug was put back")


def test_a_vesc_that_takes_no_bytes_does_not_hold_the_motor_up_and_drives_on_no_old_command() -> None:
    ours, port = os.openpty()  # nobody reads
    try:
        actuator = open_actuator(car_for(os.ttyname(port)))
        begin = time.monotonic()
        with pytest.raises(ActuatorError, match="takes no more bytes"):
            while True:
                actuator.write(0.0, 0.1, 1.0)
                assert time.monotonic() - begin < PATIENCE
        with contextlib.suppress(ActuatorError):  # what waited was thrown away, so there is room again
            actuator.stop(0.0)
        actuator.close()
    finally:
        termios.tcflush(port, termios.TCIOFLUSH)
        os.close(ours)
        os.close(port)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "is not there (No such file or directory): check its cable"),
        (lambda path: path.write_text("x"), "is no serial port"),
        (os.mkfifo, "is no serial port"),
        (Path.mkdir, "is not there (Is a directory)"),
    ],
)
def test_what_is_no_serial_port_is_refused(tmp_path: Path, make: Callable[[Path], Any], message: str) -> None:
    make(tmp_path / "port")
    with pytest.raises(ActuatorError) as caught:
        open_actuator(car_for(tmp_path / "port"))
    assert message in str(caught.value) and str(tmp_path / "port") in str(caught.value)


def test_a_closed_actuator_may_be_closed_again(actuator: VescActuator) -> None:
    actuator.close()
    actuator.close()


@pytest.mark.slow
def test_the_stand_in_lets_the_motor_go_after_a_second_without_a_command(
    vesc: FakeVesc, actuator: VescActuator
) -> None:
    actuator.write(0.0, 0.0, 1.0)
    until(lambda: LET_GO in names(vesc.told()), "the motor being let go")
    speed, let_go = vesc.told()[0], vesc.told()[-1]
    assert let_go.time - speed.time >= 1.0
    actuator.telemetry(5.0)
    until(lambda: (told := actuator.telemetry(5.0)) and told.values.erpm == 0.0, "the motor standing")
    assert names(vesc.told()).count(LET_GO) == 1


def test_the_stand_in_does_not_obey_a_damaged_packet(vesc: FakeVesc, actuator: VescActuator) -> None:
    descriptor = os.open(vesc.port, os.O_WRONLY | os.O_NOCTTY)
    damaged = bytearray(command(Command.SET_RPM, 9000.0))
    damaged[4] ^= 1
    os.write(descriptor, bytes(damaged))
    os.close(descriptor)
    actuator.stop(0.0)
    until(lambda: vesc.history(), "the good packet coming")
    assert names(vesc.told()) == ["SET_CURRENT"] and vesc.skipped == len(damaged)


def test_the_stand_in_runs_as_a_program() -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "outlap.drivers.fakes.vesc"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert program.stdout is not None
    try:
        port = program.stdout.readline().removeprefix("port: ").strip()
        actuator = open_actuator(car_for(port))
        actuator.write(0.0, 0.0, 1.0)
        assert "set_rpm 4614" in program.stdout.readline()
        assert "set_servo_pos 0.53" in program.stdout.readline()
        actuator.close()
    finally:
        program.send_signal(2)
        rest = program.communicate(timeout=PATIENCE)[0]
    assert program.returncode == 0 and "Traceback" not in rest


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("left: [0.31347, 0.15]", "left: [0.31347, -0.15]", "between 0 and 1"),
        ("brake_time: 0.0", "double_tap: true", "speed.neutral must be 0, without brake and double_tap"),
        ("brake_time: 0.0", "brake: -500.0", "speed.neutral must be 0, without brake"),
        ("max_angle: 0.26 ", "max_angle: 0.30 ", "steering.max_angle is 0.3, but the signals of actuator reach"),
    ],
)
def test_a_car_file_that_no_vesc_could_follow_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = SHIPPED.read_text()
    assert text.count(old) == 1
    (tmp_path / "mine.yaml").write_text(text.replace(old, new))
    with pytest.raises(OutlapError) as caught:
        load_car(tmp_path / "mine.yaml")
    assert message in str(caught.value)


def test_the_shipped_cars_maps_are_those_of_its_source() -> None:
    car = load_car("f1tenth")
    assert car.actuator is not None
    for angle in (-0.26, -0.1, 0.0, 0.2):
        assert car.actuator.steering.signal(angle) == pytest.approx(-1.2135 * angle + 0.5304, abs=1e-5)
    for speed in (-2.0, 0.5, 5.0):
        assert car.actuator.speed.signal(speed) == pytest.approx(4614 * speed)
