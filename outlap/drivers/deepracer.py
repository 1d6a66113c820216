"""The DeepRacer's own PWM: two channels of a chip that Linux offers as files, and the line that lets the pulses out.

The files are those of the kernel's sysfs interfaces (Documentation/driver-api/pwm.rst, Documentation/admin-guide/gpio/
sysfs.rst). Channels, period, line and calibration are as in aws-deepracer/aws-deepracer-servo-pkg (pwm.cpp,
servo_mgr.cpp); unlike that, nothing is let out that was not written by this driver.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from outlap.drivers.actuator import ActuatorError, SignalActuator
from outlap.errors import OutlapError
from outlap.files import Model, read_bytes, validate
from outlap.vehicle.car import Car
from outlap.vehicle.hardware import PULSES, DeepRacerPwm, check_pulse
from outlap.vehicle.signals import SpeedMap, SteeringMap

PWM_CLASS = Path("/sys/class/pwm")
PERIOD = 20_000_000  # ns: SERVO_PERIOD of servo_mgr.hpp
LOOKS, BETWEEN = 100, 0.01  # times, and s: how long what was exported may take to appear, udev's permissions included
LARGEST = 64 * 1024  # bytes of a calibration file; the car's own has about 400


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
        chip = _chip_folder(pwm.chip)
        self._steering, self._speed = (_channel(chip, n) for n in (pwm.steering_channel, pwm.speed_channel))
        self._line = _line(Path(pwm.enable)) if pwm.enable else None

    def send(self, steering: float | None, speed: float | None) -> None:
        let_out = self._let_out()
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


class CalibratedPulses(Model):
    """Three pulses in ns, as the DeepRacer's own software keeps them: at -1, 0 and 1 times the polarity."""

    model_config = ConfigDict(extra="ignore")

    min: int
    mid: int
    max: int
    polarity: Literal[1, -1]

    @model_validator(mode="after")
    def _are_pulses(self) -> Self:
        shortest, longest = PULSES
        if not shortest * 1000 <= self.min < self.mid < self.max <= longest * 1000:
            raise ValueError(f"min, mid and max must rise, from {shortest * 1e3:.0f} to {longest * 1e3:.0f} ns")
        return self

    @property
    def ahead(self) -> float:
        """µs, all the way to the left, or forward."""
        return (self.max if self.polarity > 0 else self.min) / 1000

    @property
    def back(self) -> float:
        """µs, all the way to the right, or backwards."""
        return (self.min if self.polarity > 0 else self.max) / 1000


class _Calibration(Model):
    model_config = ConfigDict(extra="ignore")

    servo: Annotated[CalibratedPulses, Field(alias="Servo")]
    motor: Annotated[CalibratedPulses, Field(alias="Motor")]


class _CalibrationFile(Model):
    model_config = ConfigDict(extra="ignore")

    calibration: Annotated[_Calibration, Field(alias="Calibration")]


def calibrated(steering: SteeringMap, speed: SpeedMap, path: Path) -> tuple[SteeringMap, SpeedMap]:
    """The maps with the pulses of the car's own calibration file; angles and speeds stay what the car file says.

    Pulses between neutral and the fastest keep their share of the way.

    Raises:
        OutlapError: the file is missing, or refused.
    """
    try:
        content = json.loads(read_bytes(path, "calibration file", LARGEST))
    except (ValueError, RecursionError) as error:
        raise OutlapError(f"{path}: the calibration file is not valid JSON: {error}.") from error
    found = validate(content, _CalibrationFile, str(path), "calibration file").calibration
    servo, motor = found.servo, found.motor
    neutral, ahead = motor.mid / 1000, speed.forward[-1][1]
    back = speed.reverse[-1][1] if speed.reverse else 2 * speed.neutral - ahead

    def moved(signal: float, end: float, to: float) -> float:
        return neutral + (signal - speed.neutral) * (to - neutral) / (end - speed.neutral)

    return (
        SteeringMap(
            centre=servo.mid / 1000, left=(steering.left[0], servo.ahead), right=(steering.right[0], servo.back)
        ),
        SpeedMap.model_validate(
            speed.model_dump()
            | {
                "neutral": neutral,
                "forward": [(v, moved(signal, ahead, motor.ahead)) for v, signal in speed.forward],
                "reverse": [(v, moved(signal, back, motor.back)) for v, signal in speed.reverse],
                "brake": None if speed.brake is None else moved(speed.brake, back, motor.back),
            }
        ),
    )


def _chip_folder(chip: str) -> Path:
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
        raise ActuatorError(
            f"{path} did not take {value}: {error.strerror or error}; check the car's power."
        ) from error
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
