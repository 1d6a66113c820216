"""The DeepRacer's own PWM: two channels of a chip that Linux offers as files, and the line that lets the pulses out.

The files are those of the kernel's sysfs interfaces (Documentation/driver-api/pwm.rst, Documentation/admin-guide/gpio/
sysfs.rst). Channels, period, line and calibration are as in aws-deepracer/aws-deepracer-servo-pkg (pwm.cpp,
servo_mgr.cpp); unlike that, nothing is let out that was not written by this driver.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

from outlap.drivers.actuator import ActuatorError, SignalActuator
from outlap.drivers.deepracer_calibration import calibrated
from outlap.vehicle.car import Car
from outlap.vehicle.hardware import DeepRacerPwm, check_pulse

PWM_CLASS = Path("/sys/class/pwm")
PERIOD = 20_000_000  # ns: SERVO_PERIOD of servo_mgr.hpp
LOOKS, BETWEEN = 100, 0.01  # times, and s: how long what was exported may take to appear, udev's permissions included


class DeepRacerActuator(SignalActuator):
    """Servo and speed controller of a DeepRacer. Signals are pulse widths in µs."""

    def __init__(self, car: Car) -> None:
        """Open both channels. What already makes pulses of 20 ms goes on undisturbed.

        Raises:
            ActuatorError: the chip is not there, or may not be written.
            OutlapError: the car's calibration file is refused.
        """
        super().__init__(car)
        pwm = car.actuator
        assert isinstance(pwm, DeepRacerPwm)
        if pwm.calibration:
            maps = calibrated(self.steering_map, self.speed_map, Path(pwm.calibration))
            self.steering_map, self.speed_map = maps
        chip = chip_folder(pwm.chip)
        self._steering, self._speed = (_channel(chip, n) for n in (pwm.steering_channel, pwm.speed_channel))
        self._line = _line(Path(pwm.enable)) if pwm.enable else None

    def send(self, steering: float | None, speed: float | None) -> None:
        try:
            let_out = self._let_out()
        except ActuatorError:
            let_out = False  # told in the end, when the pulses have been tried
        if speed is None and not let_out:
            speed = self.speed_map.neutral  # what its channel still holds is somebody else's, and is not to be let out
        pulses = [(folder, p) for folder, p in ((self._steering, steering), (self._speed, speed)) if p is not None]
        for _, pulse in pulses:
            check_pulse(pulse, ActuatorError)
        failed: ActuatorError | None = None
        for folder, pulse in pulses:
            try:
                _write(folder / "duty_cycle", str(round(pulse * 1000)))
                _ensure(folder / "enable", "1")
            except ActuatorError as error:  # the drive is tried all the same
                failed = error
        if failed is not None:
            raise failed
        if self._line is not None and not let_out:
            if (self._line / "direction").exists():
                _ensure(self._line / "direction", "out")
            _ensure(self._line / "value", "0")

    def sent_speed(self) -> float | None:
        if _read(self._speed / "enable") != "1" or not self._let_out():
            return None
        return _number(self._speed / "duty_cycle") / 1000

    def close(self) -> None:
        pass  # no file stays open

    def _let_out(self) -> bool:
        """Whether pulses reach the servo and the speed controller."""
        if self._line is None:
            return True
        direction = self._line / "direction"
        return (not direction.exists() or _read(direction) == "out") and _read(self._line / "value") == "0"


def chip_folder(chip: str) -> Path:
    """The chip's folder, from itself or from the device that it belongs to, as getSysPath of pwm.cpp finds it."""
    if "/" in chip:
        if not (Path(chip) / "export").exists():
            raise ActuatorError(f"there is no PWM chip {chip}: correct actuator.chip.")
        return Path(chip)
    with contextlib.suppress(OSError):
        for folder in sorted(PWM_CLASS.glob("pwmchip*")):
            if chip in folder.readlink().parts:
                return folder
    raise ActuatorError(f"no PWM chip under {PWM_CLASS} belongs to {chip}: is this a DeepRacer? See actuator.chip.")


def _channel(chip: Path, number: int) -> Path:
    """The folder of one channel, exported, with pulses of 20 ms; off, unless they were that already."""
    folder = chip / f"pwm{number}"
    _export(chip / "export", number, folder, ("period", "duty_cycle", "enable"))
    polarity = folder / "polarity"
    inversed = polarity.exists() and _read(polarity) == "inversed"
    if inversed or _number(folder / "period") != PERIOD:
        # In this order, because a pulse longer than the period is refused, and a polarity while there are pulses.
        _ensure(folder / "enable", "0")
        _ensure(folder / "duty_cycle", "0")
        _ensure(folder / "period", str(PERIOD))
        if inversed:
            _write(polarity, "normal")
    return folder


def _line(folder: Path) -> Path:
    """The folder of the line that lets the pulses out, exported and else untouched."""
    _export(folder.parent / "export", int(folder.name.removeprefix("gpio")), folder, ("value",))
    return folder


def _export(file: Path, number: int, folder: Path, needed: tuple[str, ...]) -> None:
    """Have the kernel make ``folder``, and wait until this user may write the files in it that are ``needed``."""
    if not folder.exists():
        try:
            _write(file, str(number))
        except ActuatorError:
            if not folder.exists():  # else another process, the motor's or its stopper's, was faster
                raise
    for _ in range(LOOKS):
        if all(os.access(folder / name, os.W_OK) for name in needed):
            return
        time.sleep(BETWEEN)
    if folder.exists():
        raise ActuatorError(_forbidden(folder))
    raise ActuatorError(f"{folder} did not appear within {LOOKS * BETWEEN:g} s after {number} was written to {file}.")


def _ensure(path: Path, value: str) -> None:
    if _read(path) != value:
        _write(path, value)


def _write(path: Path, value: str) -> None:
    """Write a value in one piece."""
    try:
        # Appending is plain writing to the kernel's files; a stand-in's keep every value that way.
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except OSError as error:
        raise ActuatorError(_unopened(path, error)) from error
    try:
        os.write(handle, f"{value}\n".encode())
    except OSError as error:
        advice = "check the car's power"
        if error.errno == errno.EBUSY:  # what other software holds is not changed under it
            advice = "stop what else uses that chip (sudo systemctl stop deepracer-core)"
        raise ActuatorError(f"{path} did not take {value}: {error.strerror or error}; {advice}.") from error
    finally:
        os.close(handle)


def _read(path: Path) -> str:
    try:
        words = path.read_text().split()
    except (OSError, ValueError) as error:
        said = _unopened(path, error) if isinstance(error, OSError) else f"{path} holds no text."
        raise ActuatorError(said) from error
    if not words:
        raise ActuatorError(f"{path} says nothing.")
    return words[-1]


def _number(path: Path) -> int:
    text = _read(path)
    if not text.isdecimal():
        raise ActuatorError(f"{path} holds {text[:20]!r} and no number.")
    return int(text)


def _unopened(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return f"{path} is not there (any more): is this a DeepRacer, and was its channel unexported?"
    if error.errno in (errno.EACCES, errno.EPERM):
        return _forbidden(path)
    return f"{path}: {error.strerror or error}."


def _forbidden(path: Path) -> str:
    return f"{path}: this user may not write the car's PWM: install the udev rule of docs/car.md."
