"""Reads the calibration file that a DeepRacer's own software keeps, /opt/aws/deepracer/calibration.json.

As setCalFromFile of aws-deepracer-servo-pkg's servo_mgr.cpp reads it: the pulses at -1, 0 and 1, times the polarity,
where 1 is all the way to the left, or forward.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from outlap.errors import OutlapError
from outlap.files import Model, read_bytes, validate
from outlap.vehicle.hardware import PULSES, check_pulses
from outlap.vehicle.signals import SpeedMap, SteeringMap

LARGEST = 64 * 1024  # bytes; the car's own file has about 400


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
        OutlapError: the file is missing, or refused, or makes pulses that no speed controller is sent.
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

    steered = SteeringMap(
        centre=servo.mid / 1000, left=(steering.left[0], servo.ahead), right=(steering.right[0], servo.back)
    )
    driven = SpeedMap.model_validate(
        speed.model_dump()
        | {
            "neutral": neutral,
            "forward": [(v, moved(signal, ahead, motor.ahead)) for v, signal in speed.forward],
            "reverse": [(v, moved(signal, back, motor.back)) for v, signal in speed.reverse],
            "brake": None if speed.brake is None else moved(speed.brake, back, motor.back),
        }
    )
    try:
        check_pulses(steered, driven)  # a brake beyond the end of reverse is moved beyond the file's end
    except ValueError as error:
        raise OutlapError(
            f"{path}: this calibration and the car file's actuator.speed do not go together: {error}"
        ) from error
    return steered, driven
