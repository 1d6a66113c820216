"""The PCA9685's driver against the chip's registers, byte by byte; data sheet: NXP PCA9685, rev. 4."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outlap.drivers.actuator import ActuatorError
from outlap.drivers.fakes.pca9685 import Chip, FakePca9685
from outlap.drivers.i2c import Message
from outlap.drivers.opening import open_actuator
from outlap.drivers.pca9685 import prescale
from outlap.vehicle.car import Car, load_car

ADDRESS = 0x40


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[FakePca9685]:
    with FakePca9685(tmp_path / "i2c") as chip:
        yield chip


def written(chip: FakePca9685, since: int = 0) -> list[bytes]:
    """What was written in single messages, without the register numbers of reads."""
    return [m[0].data for _, m, taken in chip.transfers[since:] if taken and len(m) == 1 and m[0].data is not None]


@pytest.mark.parametrize(
    ("frequency", "oscillator", "value"),
    [(200, 25e6, 0x1E), (60, 25e6, 101), (50, 25e6, 121), (50, 27e6, 131), (1526, 25e6, 3), (24, 25e6, 253)],
)
def test_the_prescale_is_that_of_the_data_sheet(frequency: float, oscillator: float, value: int) -> None:
    assert prescale(frequency, oscillator) == value


def test_a_chip_after_power_on_is_set_up_asleep_and_makes_no_pulse_before_the_first_write(
    chip: FakePca9685, equipped: Callable[..., Car]
) -> None:
    open_actuator(equipped(chip.hardware)).close()
    assert written(chip) == [
        b"\xfd\x10",  # ALL_LED_OFF_H: every output off
        b"\x00\x30",  # MODE1: AI, SLEEP
        b"\xfe\x65",  # PRE_SCALE: 101, for 60 Hz
        b"\x01\x04",  # MODE2: OUTDRV
        b"\x00\x20",  # MODE1: AI, awake
    ]
    assert chip.chip.registers[0xFE] == 101
    assert [chip.chip.pulse(channel) for channel in range(16)] == [None] * 16


def test_both_neighbouring_channels_go_in_one_write(chip: FakePca9685, equipped: Callable[..., Car]) -> None:
    actuator = open_actuator(equipped(chip.hardware))
    since = len(chip.transfers)
    actuator.write(0.0, 0.55, 4.0)  # 1900 µs each: 1900e-6 · 25e6 / 102 = 465.7 counts
    assert written(chip, since) == [b"\x06\x00\x00\xd2\x01\x00\x00\xd2\x01"]
    actuator.stop(0.1)  # 1500 µs: 367.6 counts
    assert written(chip, since)[1:] == [b"\x06\x00\x00\x70\x01"]
    assert chip.history()[-1][1:] == (pytest.approx(1900, abs=2.1), pytest.approx(1500, abs=2.1))
    # Every write is followed by a look at MODE1, and by nothing else.
    assert [m for _, m, _ in chip.transfers[since + 1 :: 2]] == [
        [Message(ADDRESS, b"\x00"), Message(ADDRESS, None, 1)]
    ] * 2


def test_channels_that_are_apart_go_in_one_write_each(tmp_path: Path, equipped: Callable[..., Car]) -> None:
    with FakePca9685(tmp_path / "i2c", address=0x41, steering_channel=15, speed_channel=13) as chip:
        actuator = open_actuator(equipped(chip.hardware))
        since = len(chip.transfers)
        actuator.send(1500.0, 1600.0)
        assert written(chip, since) == [b"\x3a\x00\x00\x88\x01", b"\x42\x00\x00\x70\x01"]
        assert all(m.address == 0x41 for transfer in chip.transfers for m in transfer.messages)


@pytest.mark.parametrize(("frequency", "oscillator"), [(50, 25e6), (60, 26.5e6), (100, 24.1e6), (330, 25e6)])
def test_pulses_are_as_long_as_asked_whatever_the_frequency_and_the_oscillator(
    tmp_path: Path, equipped: Callable[..., Car], frequency: float, oscillator: float
) -> None:
    with FakePca9685(tmp_path / "i2c", oscillator=oscillator) as chip:
        actuator = open_actuator(equipped(chip.hardware | {"frequency": frequency}))
        count = 1e6 * (prescale(frequency, oscillator) + 1) / oscillator  # µs
        for pulse in (500.0, 1000.3, 1499.9, 2500.0):
            actuator.send(pulse, pulse)
            assert chip.history()[-1][1:] == (pytest.approx(pulse, abs=count / 2),) * 2


def test_a_chip_that_runs_is_not_disturbed_by_a_second_process(chip: FakePca9685, equipped: Callable[..., Car]) -> None:
    car = equipped(chip.hardware)
    motor = open_actuator(car)
    motor.write(0.0, 0.3, 2.0)
    before, since, sent = bytes(chip.chip.registers), len(chip.transfers), chip.history()
    stopper = open_actuator(car)
    assert written(chip, since) == [] and chip.history() == sent and bytes(chip.chip.registers) == before
    stopper.stop(1.0)
    assert chip.history()[-1][1:] == (sent[-1].steering, pytest.approx(1500, abs=2.1))
    motor.write(1.1, 0.0, 2.0)  # both go on
    assert chip.history()[-1][1:] == (pytest.approx(1500, abs=2.1), pytest.approx(1640, abs=2.1))


def test_a_stop_by_another_process_brakes_what_the_chip_still_sends(
    chip: FakePca9685, equipped: Callable[..., Car]
) -> None:
    car = equipped(chip.hardware, neutral="brake")
    open_actuator(car).write(0.0, 0.3, 2.0)
    stopper = open_actuator(car)
    assert stopper.sent_speed() == pytest.approx(1640, abs=2.1)
    stopper.stop(1.0)
    stopper.stop(2.0)
    assert [sent.speed for sent in chip.history()[-2:]] == pytest.approx([1300, 1500], abs=2.1)


def test_a_running_chip_without_auto_increment_gets_it_without_a_pause(
    chip: FakePca9685, equipped: Callable[..., Car]
) -> None:
    car = equipped(chip.hardware)
    open_actuator(car).write(0.0, 0.3, 2.0)
    chip.chip.registers[0x00] = 0x01  # ALLCALL, awake
    chip.chip.registers[0x01] = 0x0C  # OUTDRV, and outputs that change on ACK
    since, pulses = len(chip.transfers), [chip.chip.pulse(channel) for channel in range(16)]
    actuator = open_actuator(car)
    assert written(chip, since) == [b"\x00\x20", b"\x01\x04"]
    assert [chip.chip.pulse(channel) for channel in range(16)] == pulses
    actuator.send(1000.0, 1000.0)
    assert chip.history()[-1][1:] == (pytest.approx(1000, abs=2.1),) * 2


@pytest.mark.parametrize(("register", "value"), [(0xFE, 121), (0x01, 0x14), (0x00, 0x30)])
def test_a_chip_left_at_another_frequency_or_inverted_or_asleep_carries_no_old_pulse_over(
    chip: FakePca9685, equipped: Callable[..., Car], register: int, value: int
) -> None:
    car = equipped(chip.hardware)
    open_actuator(car).write(0.0, 0.3, 4.0)
    chip.chip.registers[register] = value
    actuator = open_actuator(car)
    assert [chip.chip.pulse(channel) for channel in range(16)] == [None] * 16
    assert actuator.sent_speed() is None
    actuator.send(1500.0, 1500.0)
    assert chip.history()[-1][1:] == (pytest.approx(1500, abs=2.1),) * 2


def test_a_dip_of_the_supply_is_told_and_the_next_write_sets_the_chip_up_again(
    chip: FakePca9685, equipped: Callable[..., Car]
) -> None:
    actuator = open_actuator(equipped(chip.hardware))
    actuator.write(0.0, 0.0, 2.0)
    chip.lose_power()
    with pytest.raises(ActuatorError, match="lost its settings"):
        actuator.write(0.1, 0.0, 2.0)
    assert chip.history()[-1].speed is None
    actuator.write(0.2, 0.0, 2.0)
    assert chip.history()[-1].speed == pytest.approx(1640, abs=2.1)


def test_what_is_no_pulse_never_reaches_the_bus(chip: FakePca9685, equipped: Callable[..., Car]) -> None:
    actuator = open_actuator(equipped(chip.hardware))
    since = len(chip.transfers)
    for pulse in (0.0, 499.0, 2501.0, -1500.0, float("nan"), float("inf")):
        for steering, speed in ((pulse, 1500.0), (1500.0, pulse), (None, pulse)):
            with pytest.raises(ActuatorError, match=r"a pulse of .* is refused: it must last 500 to 2500 µs\.$"):
                actuator.send(steering, speed)
    assert len(chip.transfers) == since


def test_an_external_clock_is_refused(chip: FakePca9685, equipped: Callable[..., Car]) -> None:
    chip.chip.write(0.0, b"\x00\x50")  # EXTCLK, which stays until the power goes
    with pytest.raises(ActuatorError, match="external clock: switch its power off and on"):
        open_actuator(equipped(chip.hardware))


def test_another_chip_at_that_address_is_refused(
    chip: FakePca9685, equipped: Callable[..., Car], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chip, "_put", lambda *_: None)
    with pytest.raises(ActuatorError, match="does not keep its settings"):
        open_actuator(equipped(chip.hardware))


def test_a_refused_write_is_told_and_the_next_one_succeeds(chip: FakePca9685, equipped: Callable[..., Car]) -> None:
    actuator = open_actuator(equipped(chip.hardware))
    actuator.write(0.0, 0.0, 1.0)
    chip.fail(1)
    with pytest.raises(ActuatorError, match=r"no answer at address 0x40 of .*: check the chip's wiring, power and add"):
        actuator.write(0.1, 0.0, 2.0)
    actuator.write(0.2, 0.0, 3.0)
    assert chip.history()[-1].speed == pytest.approx(1770, abs=2.1)
    chip.fail(None)
    for now in (0.3, 0.4, 0.5):
        with pytest.raises(ActuatorError):
            actuator.stop(now)
    chip.fail(0)
    actuator.stop(0.6)
    assert chip.history()[-1].speed == pytest.approx(1500, abs=2.1)


def test_the_registers_of_the_stand_in_follow_the_data_sheet() -> None:
    chip = Chip()
    chip.write(0.0, b"\xfe\x02")
    chip.write(0.0, b"\xfe")
    assert chip.read(1) == b"\x03"  # never below 3
    chip.write(0.0, b"\x06\x01\x02")
    chip.write(0.0, b"\x06")
    assert chip.read(2) == b"\x02\x02"  # no auto-increment yet: the same register twice
    chip.write(0.0, b"\x00\x21")
    chip.write(0.0, b"\xfe\x65")
    chip.write(0.0, b"\xfe")
    assert chip.read(2) == b"\x03\x21"  # awake, PRE_SCALE is not taken; behind it comes MODE1
    chip.write(0.0, b"\x42\x00\x00\x00\x02\x31")  # LED15, then MODE1: asleep while a channel runs
    chip.write(0.0, b"\x00")
    assert chip.read(1) == b"\xb1"  # RESTART
    chip.write(1.0, b"\x00\x21")
    assert chip.pulse(15) is None
    chip.write(1.0001, b"\x00\xa1")  # too early
    assert chip.pulse(15) is None
    chip.write(1.001, b"\x00\xa1")
    assert chip.pulse(15) == pytest.approx(512 * 4 / 25)
    chip.write(1.1, b"\xfa\x00\x00\x00\x10")
    chip.write(1.2, b"\xfa")
    assert chip.pulse(15) is None and chip.read(4) == bytes(4)  # to be written only


def test_the_shipped_donkeycar_sends_the_counts_of_donkeycars_own_defaults(tmp_path: Path) -> None:
    car = load_car("donkeycar")
    assert car.actuator is not None and car.actuator.driver == "pca9685"
    with FakePca9685(tmp_path / "i2c") as chip:
        actuator = open_actuator(car.model_copy(update={"actuator": car.actuator.model_copy(update=chip.hardware)}))
        # STEERING_LEFT_PWM 460, STEERING_RIGHT_PWM 290 and THROTTLE_STOPPED_PWM 370 of cfg_complete.py
        for angle, count in ((0.4, 460), (-0.4, 290), (0.0, 375)):
            actuator.write(0.0, angle, 0.0)
            registers = chip.chip.registers[0x06:0x0E]
            assert (registers[2] | registers[3] << 8, registers[6] | registers[7] << 8) == (370, count)


@pytest.mark.slow
def test_it_runs_as_a_program_that_prints_what_it_is_told(tmp_path: Path, equipped: Callable[..., Car]) -> None:
    path = tmp_path / "i2c"
    words = [sys.executable, "-m", "outlap.drivers.fakes.pca9685", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = iter(program.stdout.readline, "")
        try:
            said = [next(line for line in lines if "Ctrl-C" in line)]
            actuator = open_actuator(equipped({"driver": "pca9685", "bus": str(path)}))
            actuator.write(0.0, 0.55, 0.0)
            said.append(next(line for line in lines if "1901.3 µs" in line))
        finally:
            program.terminate()
        assert program.wait(20) == 0 and not path.exists()
    assert "speed  1501.4 µs" in said[1]
    refused = subprocess.run([*words[:-1], "/nowhere/i2c"], capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr == "error: /nowhere/i2c: no socket can be made there: No such file or directory.\n"
