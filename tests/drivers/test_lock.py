"""One process a car, whoever starts it and however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outlap.drivers import lock
from outlap.drivers.lock import HardwareHeldError, hardware_path, hold_hardware, lock_path
from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.vehicle.car import Car, load_car

ACTUATOR = """
actuator:
  driver: {driver}
  {key}: {device}
  steering: {steering}
  speed: {speed}
"""
PULSES = (
    "{centre: 1500, left: [0.6, 1800], right: [-0.6, 1200]}",
    "{neutral: 1500, forward: [[0, 1550], [5, 1900]], reverse: [[0, 1450], [5, 1100]]}",
)
VESC = (
    "{centre: 0.5, left: [0.6, 0.9], right: [-0.6, 0.1]}",
    "{neutral: 0, forward: [[0, 0], [5, 9000]], reverse: [[0, 0], [5, -9000]]}",
)
HOLDER = """
import sys
from outlap.drivers.lock import hold_hardware
from outlap.vehicle.car import Car, load_car

with hold_hardware(load_car(sys.argv[1]), "the motor node"):
    print("held", flush=True)
    sys.stdin.read()
"""


def car_file(folder: Path, driver: str = "pca9685", key: str = "bus", device: str = "") -> Path:
    text = (share_directory() / "config" / "cars" / "deepracer.yaml").read_text().split("\nactuator:")[0]
    path = folder / "car.yaml"
    steering, speed = VESC if driver == "vesc" else PULSES
    actuator = ACTUATOR.format(
        driver=driver, key=key, device=device or folder / "device", steering=steering, speed=speed
    )
    path.write_text(text + actuator)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = car_file(tmp_path)
    file = lock_path(load_car(path))
    yield path
    file.unlink(missing_ok=True)


def test_a_chip_that_is_named_by_its_device_and_is_not_there_is_taken_by_that_name(tmp_path: Path) -> None:
    assert hardware_path(load_car(car_file(tmp_path, "deepracer", "chip", "'0000:00:17.0'"))) == "0000:00:17.0"


@pytest.mark.parametrize(("driver", "key"), [("pca9685", "bus"), ("vesc", "port"), ("deepracer", "chip")])
def test_the_device_is_what_counts(tmp_path: Path, driver: str, key: str) -> None:
    car = load_car(car_file(tmp_path, driver, key))
    (tmp_path / "real").touch()
    (tmp_path / "device").symlink_to("real")
    assert hardware_path(car) == str(tmp_path.resolve() / "real")


def test_a_second_process_is_told_who_holds_the_car_until_that_one_is_killed(path: Path) -> None:
    car = load_car(path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(HardwareHeldError, match=rf"held by the motor node \(process {holder.pid}\)"),
            hold_hardware(car, "me"),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait(30)
    with hold_hardware(car, "me"), pytest.raises(HardwareHeldError, match="held by me"), hold_hardware(car, "me again"):
        pass
    with hold_hardware(car, "me"):
        pass


@pytest.fixture
def locked(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Car, Path]:
    """A car that was held before, and where the lock's file was."""
    monkeypatch.setattr(lock, "FOLDERS", (tmp_path,))
    car = load_car(path)
    with hold_hardware(car, "me"):
        (file,) = tmp_path.glob("outlap*.lock")
    assert not file.exists()
    return car, file


def test_a_file_that_may_only_be_read_is_locked_all_the_same(locked: tuple[Car, Path]) -> None:
    car, file = locked
    file.write_text("\x1b[31mnasty\n")
    file.chmod(0o444)
    with hold_hardware(car, "me"):
        pass


def test_a_link_in_the_lock_file_s_place_is_refused(locked: tuple[Car, Path], tmp_path: Path) -> None:
    car, file = locked
    victim = tmp_path / "victim"
    victim.write_text("keep")
    file.symlink_to(victim)
    with pytest.raises(OutlapError, match="cannot lock"), hold_hardware(car, "me"):
        pass
    assert victim.read_text() == "keep"


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_none(
    locked: tuple[Car, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    car, file = locked
    opened, handles = lock._opened, []

    def opened_too_early(path: Path) -> int:
        handles.append(opened(path))
        if len(handles) == 1:
            file.unlink()
        return handles[-1]

    monkeypatch.setattr(lock, "_opened", opened_too_early)
    with hold_hardware(car, "me"):
        assert len(handles) == 2
        with pytest.raises(HardwareHeldError, match="held by me"), hold_hardware(car, "another"):
            pass


def test_a_simulated_car_has_nothing_to_hold() -> None:
    car = load_car("deepracer").model_copy(update={"actuator": None})
    with pytest.raises(OutlapError, match="can only be simulated"), hold_hardware(car, "me"):
        pass
