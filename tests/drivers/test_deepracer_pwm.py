"""The DeepRacer's driver against a tree of files that behaves like the kernel's."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.drivers import deepracer
from outlap.drivers.actuator import ActuatorError
from outlap.drivers.fakes.deepracer import FakeDeepRacer
from outlap.drivers.fakes.standin import Sent
from outlap.drivers.lock import hardware_path
from outlap.drivers.opening import open_actuator
from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.vehicle.car import Car, load_car

PATIENCE = 20.0  # s


def last(racer: FakeDeepRacer, count: int) -> Sent:
    """The last of ``count`` writes, once they have been seen."""
    end = time.monotonic() + PATIENCE
    while len(racer.history()) < count:
        assert time.monotonic() < end, f"{len(racer.history())} of {count} writes were seen: {racer.history()}"
        time.sleep(0.005)
    assert len(racer.history()) == count
    return racer.history()[-1]


def seen(racer: FakeDeepRacer, steering: float, speed: float) -> None:
    """Wait until these are the pulses that come out."""
    end = time.monotonic() + PATIENCE
    while racer.history()[-1][1:] != (steering, speed):
        assert time.monotonic() < end, racer.history()
        time.sleep(0.005)


def root(racer: FakeDeepRacer) -> Path:
    return Path(str(racer.hardware["chip"])).parent.parent


def test_nothing_comes_out_before_the_first_write_and_then_all_of_it(
    racer: FakeDeepRacer, equipped: Callable[..., Car]
) -> None:
    actuator = open_actuator(equipped(racer.hardware))
    chip, line = root(racer) / "pwm" / "pwmchip0", root(racer) / "gpio" / "gpio436"
    for channel in ("pwm0", "pwm1"):
        assert (chip / channel / "period").read_text().split()[-1] == "20000000"
        assert (chip / channel / "enable").read_text() == (chip / channel / "duty_cycle").read_text() == "0\n"
    assert (line / "direction").read_text() == "in\n"
    actuator.write(0.0, 0.275, 2.0)
    assert last(racer, 2)[1:] == (1700, 1640)  # the pulse's width, and the line that lets it out
    assert [sent[1:] for sent in racer.history()[:1]] == [(None, None)]
    actuator.write(0.1, 0.0, 3.00001)
    assert last(racer, 3)[1:] == (1500, 1770.001)
    actuator.stop(0.2)
    assert last(racer, 4)[1:] == (1500, 1500)
    assert actuator.sent_speed() == 1500
    actuator.close()
    actuator.close()


def test_every_write_is_kept_however_fast_they_come(racer: FakeDeepRacer, equipped: Callable[..., Car]) -> None:
    actuator = open_actuator(equipped(racer.hardware))
    actuator.send(1500.0, 1500.0)
    for n in range(200):
        actuator.send(None, 1500.0 + n % 2)
    last(racer, 202)
    assert [sent.speed for sent in racer.history()[2:]] == [1500.0 + n % 2 for n in range(200)]


def test_what_runs_is_not_disturbed_by_a_second_process(racer: FakeDeepRacer, equipped: Callable[..., Car]) -> None:
    car = equipped(racer.hardware, neutral="brake")
    open_actuator(car).write(0.0, 0.275, 2.0)
    before = last(racer, 2)
    files = {path: path.read_text() for path in root(racer).rglob("*") if path.is_file()}
    stopper = open_actuator(car)
    assert {path: path.read_text() for path in root(racer).rglob("*") if path.is_file()} == files
    stopper.stop(1.0)  # it finds the car driving forward
    assert last(racer, 3)[1:] == (before.steering, 1300)
    stopper.stop(2.0)
    assert last(racer, 4)[1:] == (before.steering, 1500)


def test_pulses_that_somebody_left_are_never_let_out(racer: FakeDeepRacer, equipped: Callable[..., Car]) -> None:
    car = equipped(racer.hardware)
    open_actuator(car).write(0.0, 0.0, 4.0)
    last(racer, 2)
    with (root(racer) / "gpio" / "gpio436" / "value").open("a") as value:
        value.write("1\n")  # shut
    assert last(racer, 3)[1:] == (None, None)
    actuator = open_actuator(car)
    assert actuator.sent_speed() is None
    actuator.send(1700.0, None)  # the steering alone: the speed goes out neutral, not as it was left
    assert last(racer, 5)[1:] == (1700, 1500)


@pytest.mark.parametrize(("period", "pulse"), [(10_000_000, 900_000), (30_000_000, 25_000_000)])
def test_another_period_is_set_right_while_nothing_comes_out(
    racer: FakeDeepRacer, equipped: Callable[..., Car], period: int, pulse: int
) -> None:
    car = equipped(racer.hardware)
    open_actuator(car).send(1500.0, 1500.0)
    last(racer, 2)
    channel = root(racer) / "pwm" / "pwmchip0" / "pwm0"
    for name, value in (("enable", 0), ("duty_cycle", 0), ("period", period), ("duty_cycle", pulse), ("enable", 1)):
        with (channel / name).open("a") as file:
            file.write(f"{value}\n")
    seen(racer, 1500, pulse / 1000)
    before = len(racer.history())
    open_actuator(car).send(1600.0, 1600.0)
    seen(racer, 1600, 1600)
    assert {sent.speed for sent in racer.history()[before:]} <= {pulse / 1000, None, 0.0, 1600}  # 0: no pulse either
    assert (channel / "period").read_text().split()[-1] == "20000000"


def test_an_inverted_channel_is_turned_round_while_nothing_comes_out(
    racer: FakeDeepRacer, equipped: Callable[..., Car]
) -> None:
    car = equipped(racer.hardware)
    open_actuator(car)
    channel = root(racer) / "pwm" / "pwmchip0" / "pwm0"
    with (channel / "polarity").open("a") as file:
        file.write("inversed\n")
    open_actuator(car).send(1500.0, 1500.0)
    assert last(racer, 2).speed == 1500
    assert (channel / "polarity").read_text().split()[-1] == "normal"


def test_a_refused_pulse_is_told_and_the_next_one_succeeds(racer: FakeDeepRacer, equipped: Callable[..., Car]) -> None:
    actuator = open_actuator(equipped(racer.hardware))
    actuator.write(0.0, 0.0, 1.0)
    last(racer, 2)
    racer.fail(1)
    with pytest.raises(ActuatorError, match=r"duty_cycle did not take 1640000: .*; check the car's power\.$"):
        actuator.write(0.1, 0.0, 2.0)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            actuator.write(0.2, 0.275, 3.0)
            break
        except ActuatorError:
            assert time.monotonic() < end
    seen(racer, 1700, 1770)
    racer.fail(None)
    for now in (0.3, 0.4, 0.5):
        with pytest.raises(ActuatorError):
            actuator.stop(now)
    with pytest.raises(ActuatorError, match="says nothing"):
        actuator.sent_speed()
    racer.fail(0)
    actuator.stop(0.6)
    seen(racer, 1700, 1500)


def test_the_drive_is_written_even_where_the_steering_is_refused(
    racer: FakeDeepRacer, equipped: Callable[..., Car]
) -> None:
    actuator = open_actuator(equipped(racer.hardware))
    actuator.write(0.0, 0.0, 1.0)
    last(racer, 2)
    steering = root(racer) / "pwm" / "pwmchip0" / "pwm1" / "duty_cycle"
    steering.unlink()
    with pytest.raises(ActuatorError, match=r"pwm1/duty_cycle is not there \(any more\)"):
        actuator.write(0.1, 0.0, 0.0)
    assert last(racer, 3).speed == 1500
    steering.write_text("1500000\n")


def test_the_drive_is_written_even_where_the_line_is_gone(racer: FakeDeepRacer, equipped: Callable[..., Car]) -> None:
    actuator = open_actuator(equipped(racer.hardware))
    actuator.write(0.0, 0.0, 1.0)
    last(racer, 2)
    (root(racer) / "gpio" / "gpio436" / "value").unlink()
    with pytest.raises(ActuatorError, match=r"gpio436/value is not there \(any more\)"):
        actuator.stop(0.1)
    assert last(racer, 3).speed == 1500


def test_the_standin_goes_on_where_a_file_is_gone_before_it_is_read(tmp_path: Path) -> None:
    def appears(path: Path) -> None:
        end = time.monotonic() + PATIENCE
        while not path.exists():
            assert time.monotonic() < end, f"{path} does not appear"
            time.sleep(0.001)

    with FakeDeepRacer(tmp_path / "sys", delay=0.1):
        chip = tmp_path / "sys" / "pwm" / "pwmchip0"
        (chip / "export").write_text("0\n")
        appears(chip / "pwm0")  # it reads nothing now, until it has made the files in there
        (chip / "unexport").write_text("0\n")
        (chip / "unexport").unlink()
        appears(chip / "pwm0" / "enable")
        with (chip / "export").open("a") as export:
            export.write("1\n")
        appears(chip / "pwm1" / "enable")


def test_what_other_software_holds_is_told(
    racer: FakeDeepRacer, equipped: Callable[..., Car], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> int:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    actuator = open_actuator(equipped(racer.hardware))
    with monkeypatch.context() as patched:
        patched.setattr(deepracer.os, "write", busy)
        with pytest.raises(ActuatorError, match=r"Device or resource busy; stop what else uses that chip \(sudo syst"):
            actuator.send(1500.0, 1500.0)


def test_what_is_no_pulse_is_never_written(racer: FakeDeepRacer, equipped: Callable[..., Car]) -> None:
    actuator = open_actuator(equipped(racer.hardware))
    for pulse in (0.0, 499.0, 2501.0, float("nan")):
        for steering, speed in ((pulse, 1500.0), (1500.0, pulse)):
            with pytest.raises(ActuatorError, match="is refused: it must last 500 to 2500 µs"):
                actuator.send(steering, speed)
    chip = root(racer) / "pwm" / "pwmchip0"
    assert (chip / "pwm0" / "duty_cycle").read_text() == (chip / "pwm1" / "duty_cycle").read_text() == "0\n"


def test_what_is_not_there_is_named(
    tmp_path: Path, equipped: Callable[..., Car], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**hardware: object) -> str:
        with pytest.raises(ActuatorError) as caught:
            open_actuator(equipped({"driver": "deepracer"} | hardware))
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(str(tmp_path), "ROOT")

    assert refused(chip=str(tmp_path / "none")) == "there is no PWM chip ROOT/none: correct actuator.chip."
    monkeypatch.setattr(deepracer, "PWM_CLASS", tmp_path)
    assert "no PWM chip under ROOT belongs to 0000:00:17.0: is this a DeepRacer?" in refused()
    # A chip on which nothing happens: the folder never appears.
    monkeypatch.setattr(deepracer, "LOOKS", 3)
    (tmp_path / "export").touch()
    assert refused(chip=str(tmp_path)) == "ROOT/pwm1 did not appear within 0.03 s after 1 was written to ROOT/export."
    for channel in ("pwm0", "pwm1"):
        (tmp_path / channel).mkdir()
        for name, value in (("period", "20 ms"), ("duty_cycle", "0"), ("enable", "0")):
            (tmp_path / channel / name).write_text(value)
    assert refused(chip=str(tmp_path)) == "ROOT/pwm1/period holds 'ms' and no number."
    for channel in ("pwm0", "pwm1"):
        (tmp_path / channel / "period").write_text("20000000\n")
    assert "ROOT/gpio/export is not there" in refused(chip=str(tmp_path), enable=str(tmp_path / "gpio/gpio436"))
    monkeypatch.setattr(deepracer.os, "access", lambda *_: False)
    assert "ROOT/pwm1: this user may not write the car's PWM: install the udev rule" in refused(chip=str(tmp_path))
    with pytest.raises(OutlapError, match=r"actuator\.deepracer\.enable"):
        equipped({"driver": "deepracer", "enable": "/sys/class/leds/led0"})


def test_the_chip_is_found_by_the_device_that_it_belongs_to(
    racer: FakeDeepRacer, tmp_path: Path, equipped: Callable[..., Car], monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = tmp_path / "devices" / "pci0000:00" / "0000:00:17.0" / "pwm"
    devices.parent.mkdir(parents=True)
    devices.symlink_to(root(racer) / "pwm")
    found = tmp_path / "class"
    found.mkdir()
    (found / "pwmchip2").symlink_to(devices / "pwmchip0")
    (found / "pwmchip0").symlink_to(tmp_path / "devices" / "0000:00:17.00")
    monkeypatch.setattr(deepracer, "PWM_CLASS", found)
    hardware = {key: value for key, value in racer.hardware.items() if key != "chip"}
    open_actuator(equipped(hardware)).send(1500.0, 1600.0)
    assert last(racer, 2).speed == 1600
    assert hardware_path(equipped(hardware)) == hardware_path(equipped(racer.hardware))  # one car, one lock


def test_a_car_without_the_line_drives_too(racer: FakeDeepRacer, equipped: Callable[..., Car]) -> None:
    actuator = open_actuator(equipped(racer.hardware | {"enable": ""}))
    actuator.write(0.0, 0.0, 2.0)
    assert actuator.sent_speed() == 1640
    assert not (root(racer) / "gpio" / "gpio436").exists()


def test_the_stand_in_tells_what_the_kernel_would_have_refused(tmp_path: Path) -> None:
    with FakeDeepRacer(tmp_path / "sys", delay=0.0) as racer:
        chip, gpio = tmp_path / "sys" / "pwm" / "pwmchip0", tmp_path / "sys" / "gpio"
        for path, value in (
            (chip / "export", "0"),
            (chip / "export", "0"),
            (chip / "export", "16"),
            (chip / "pwm0" / "enable", "1"),
            (chip / "pwm0" / "duty_cycle", "1500000"),
            (chip / "pwm0" / "period", "20 ms"),
            (gpio / "export", "436"),
            (gpio / "gpio436" / "value", "0"),
            (gpio / "gpio436" / "direction", "sideways"),
        ):
            end = time.monotonic() + PATIENCE
            while not path.exists():
                assert time.monotonic() < end
                time.sleep(0.005)
            with path.open("a") as file:
                file.write(f"{value}\n")
        while len(racer.problems) < 7:
            assert time.monotonic() < end, racer.problems
            time.sleep(0.005)
        told = [problem.split(":")[0] for problem in racer.problems]
        exports = ["pwmchip0/export = '0'", "pwmchip0/export = '16'"]  # done after all else that it found with them
        assert [problem for problem in told if "export" in problem] == exports
        assert [problem for problem in told if "export" not in problem] == [
            "pwm0/enable = '1'",
            "pwm0/duty_cycle = '1500000'",
            "pwm0/period = '20 ms'",
            "gpio436/value = '0'",
            "gpio436/direction = 'sideways'",
        ]
        assert racer.history() == []
    assert not (tmp_path / "sys").exists()


@pytest.mark.slow
def test_it_runs_as_a_program_that_writes_a_car_file_and_prints_what_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sys"
    words = [sys.executable, "-m", "outlap.drivers.fakes.deepracer", str(path), "--car", str(tmp_path / "car.yaml")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = iter(program.stdout.readline, "")
        try:
            next(line for line in lines if "Ctrl-C" in line)
            open_actuator(load_car(tmp_path / "car.yaml")).write(0, 0.5236, 0)
            assert next(line for line in lines if "1700 µs" in line).endswith("speed    1446 µs\n")
            refused = subprocess.run(words, capture_output=True, text=True)
        finally:
            program.terminate()
        assert program.wait(PATIENCE) == 0 and not path.exists()
    assert refused.returncode == 1
    assert refused.stderr == f"error: {path}: no folder can be made there: File exists.\n"


def test_the_shipped_car_has_the_pulses_of_the_cars_own_software() -> None:
    car = load_car("deepracer")
    assert car.actuator is not None and car.actuator.driver == "deepracer"
    path = share_directory() / "config" / "cars" / "deepracer.yaml"
    assert "aws-deepracer-servo-pkg" in path.read_text()
    steering, speed = car.actuator.steering, car.actuator.speed
    assert (steering.centre, steering.left[1], steering.right[1]) == (1450, 1700, 1200)
    assert (speed.neutral, speed.forward[-1][1], speed.reverse[-1][1]) == (1446, 1311, 1603.5)
