"""The car file's description of real hardware: what the motor node writes to, and the camera's device."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from outlap.files import Model
from outlap.vehicle.signals import SpeedMap, SteeringMap

DevicePath = Annotated[str, Field(min_length=1, max_length=200)]
# µs. RC servos and speed controllers take 1000 to 2000, most of them somewhat more; what lies far beyond is a slip of
# the unit, and drives a servo against its stop.
PULSES = 500.0, 2500.0


class Maps(Model):
    """What every actuator has: the signals for angles and speeds, found by ``outlap calibrate``."""

    steering: SteeringMap
    speed: SpeedMap


class PulseMaps(Maps):
    """The signals of a servo and an RC speed controller: pulse widths in µs."""

    steering_channel: Annotated[int, Field(ge=0, le=15)] = 1
    speed_channel: Annotated[int, Field(ge=0, le=15)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.steering_channel == self.speed_channel:
            raise ValueError("steering_channel and speed_channel must differ")
        steering, speed = self.steering, self.speed
        if speed.brake is not None and speed.reverse and not speed.double_tap:
            # To such a controller the brake's signal is one to go backwards.
            raise ValueError(
                "a controller that reverses at once has no brake: leave speed.brake out, or set double_tap"
            )
        check_pulses(steering, speed)
        return self


class Pca9685(PulseMaps):
    """A PCA9685 PWM chip on an I2C bus, with a servo and an RC speed controller. Signals are pulse widths in µs."""

    driver: Literal["pca9685"]
    bus: DevicePath = "/dev/i2c-1"  # a character device; or a Unix socket behind which a stand-in speaks
    address: Annotated[int, Field(ge=0x03, le=0x77)] = 0x40
    frequency: Annotated[float, Field(ge=40, le=330)] = 60.0  # Hz, pulses a second
    oscillator: Annotated[float, Field(ge=20e6, le=30e6)] = 25e6  # Hz, the chip's own, which differs from chip to chip


class Vesc(Maps):
    """A VESC on a serial port. Signals are the servo's position, 0 to 1, and electrical revolutions a minute."""

    driver: Literal["vesc"]
    port: DevicePath = "/dev/ttyACM0"
    baud_rate: Annotated[int, Field(ge=9600, le=3_000_000)] = 115_200  # of no effect over USB
    brake_current: Annotated[float, Field(ge=0, le=200)] = 5.0  # A, where drive.neutral is brake

    @model_validator(mode="after")
    def _as_a_vesc_has_them(self) -> Self:
        steering, speed = self.steering, self.speed
        if not all(0 <= signal <= 1 for signal in (steering.centre, steering.left[1], steering.right[1])):
            raise ValueError("the signals of steering must lie between 0 and 1, the ends of a VESC's servo")
        if speed.neutral != 0 or speed.brake is not None or speed.double_tap:
            raise ValueError("speed.neutral must be 0, without brake and double_tap: a VESC brakes by brake_current")
        return self


class DeepRacerPwm(PulseMaps):
    """The DeepRacer's own PWM, through the kernel's files. Signals are pulse widths in µs.

    Defaults are those of aws-deepracer-servo-pkg (pwm.cpp, servo_mgr.hpp).
    """

    driver: Literal["deepracer"]
    # The PWM chip's folder; or, without a slash, the device whose chip it is: its number differs from boot to boot.
    chip: DevicePath = "0000:00:17.0"
    # The line that lets the pulses out, low; empty: there is none. 436 up to Ubuntu 20.04, 514 with 24.04's kernel.
    enable: Annotated[str, Field(pattern=r"^(/.*gpio\d+)?$", max_length=200)] = "/sys/class/gpio/gpio436"
    # The car's own calibration, /opt/aws/deepracer/calibration.json, whose pulses take the place of these; empty: none
    calibration: Annotated[str, Field(max_length=200)] = ""


Hardware = Annotated[Pca9685 | Vesc | DeepRacerPwm, Field(discriminator="driver")]


class Battery(Model):
    """What voltages of the battery mean; they count where the actuator reports one, as a VESC does."""

    low: Annotated[float, Field(gt=0, le=100)]  # V, below which the car is not armed
    empty: Annotated[float, Field(gt=0, le=100)]  # V, below which an armed car stops, before the computer browns out

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low < self.empty:
            raise ValueError("low must not be less than empty")
        return self


class CameraDevice(Model):
    """The camera's device; the size of its pictures is the lens's, their rate the camera's."""

    path: DevicePath = "/dev/video0"
    format: Literal["MJPG", "YUYV"] = "MJPG"  # how pictures travel; MJPG needs less of the bus
    exposure: Annotated[float, Field(ge=0, le=1)] = 0.0  # s; 0: the camera chooses


def check_pulses(steering: SteeringMap, speed: SpeedMap) -> None:
    """Raise a ValueError where one of the maps' signals is no pulse width that can be sent."""
    for signal in (steering.centre, steering.left[1], steering.right[1], speed.neutral, speed.brake):
        if signal is not None:
            check_pulse(signal)
    for _, signal in (*speed.forward, *speed.reverse):
        check_pulse(signal)


def check_pulse(pulse: float, error: type[Exception] = ValueError) -> None:
    """Raise ``error`` for a pulse width in µs that no servo or speed controller is sent; NaN is none."""
    shortest, longest = PULSES
    if not shortest <= pulse <= longest:
        raise error(f"a pulse of {pulse:g} µs is refused: it must last {shortest:g} to {longest:g} µs.")
