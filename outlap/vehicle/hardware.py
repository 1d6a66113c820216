"""The car file's description of real hardware: what the motor node writes to, and the camera's device."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from outlap.files import Model
from outlap.vehicle.signals import SpeedMap, SteeringMap

DevicePath = Annotated[str, Field(min_length=1, max_length=200)]


class Maps(Model):
    """What every actuator has: the signals for angles and speeds, found by ``outlap calibrate``."""

    steering: SteeringMap
    speed: SpeedMap


class Pca9685(Maps):
    """A PCA9685 PWM chip on an I2C bus, with a servo and an RC speed controller. Signals are pulse widths in µs."""

    driver: Literal["pca9685"]
    bus: DevicePath = "/dev/i2c-1"  # a character device; or a Unix socket behind which a stand-in speaks
    address: Annotated[int, Field(ge=0x03, le=0x77)] = 0x40
    frequency: Annotated[float, Field(ge=40, le=330)] = 60.0  # Hz, pulses a second
    oscillator: Annotated[float, Field(ge=20e6, le=30e6)] = 25e6  # Hz, the chip's own, which differs from chip to chip
    steering_channel: Annotated[int, Field(ge=0, le=15)] = 1
    speed_channel: Annotated[int, Field(ge=0, le=15)] = 0


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


class DeepRacerPwm(Maps):
    """The DeepRacer's own PWM, through the kernel's files. Signals are pulse widths in µs."""

    driver: Literal["deepracer"]
    chip: DevicePath = "/sys/class/pwm/pwmchip0"
    steering_channel: Annotated[int, Field(ge=0, le=15)] = 1
    speed_channel: Annotated[int, Field(ge=0, le=15)] = 0
    enable: str = "/sys/class/gpio/gpio436"  # the line that lets the pulses out, low; empty: there is none
    calibration: str = ""  # the car's own calibration file, whose signals take the place of these; empty: none


Hardware = Annotated[Pca9685 | Vesc | DeepRacerPwm, Field(discriminator="driver")]


class CameraDevice(Model):
    """The camera's device; the size of its pictures is the lens's, their rate the camera's."""

    path: DevicePath = "/dev/video0"
    format: Literal["MJPG", "YUYV"] = "MJPG"  # how pictures travel; MJPG needs less of the bus
    exposure: Annotated[float, Field(ge=0, le=1)] = 0.0  # s; 0: the camera chooses
