"""Maps from angles and speeds to signals, and what of them a car file refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from outlap.errors import OutlapError
from outlap.files import validate
from outlap.vehicle.car import Car
from outlap.vehicle.hardware import PULSES, check_pulse
from outlap.vehicle.signals import SpeedMap, SteeringMap

STEERING: dict[str, Any] = {"centre": 1480.0, "left": (0.5, 1900.0), "right": (-0.4, 1100.0)}
SPEED: dict[str, Any] = {
    "neutral": 1500.0,
    "forward": ((0.0, 1540.0), (1.0, 1580.0), (4.0, 1900.0)),
    "reverse": ((0.0, 1460.0), (2.0, 1200.0)),
}


def equipped(car: Car, steering: dict[str, Any] | None = None, speed: dict[str, Any] | None = None, **keys: Any) -> Car:
    """The car with a PCA9685; keys with two underscores lead into sections: ``drive__max_speed=2``."""
    content = car.model_dump()
    hardware: dict[str, Any] = {"driver": "pca9685", "steering": STEERING, "speed": SPEED}
    content["actuator"] = hardware | {"steering": STEERING | (steering or {}), "speed": SPEED | (speed or {})}
    content["steering"]["max_angle"] = 0.4
    for key, value in keys.items():
        *sections, last = key.split("__")
        place = content
        for section in sections:
            place = place[section]
        place[last] = value
    return validate(content, Car, "mine.yaml", "car file")


def test_an_angle_becomes_a_signal_by_the_line_through_its_side() -> None:
    points = SteeringMap.model_validate(STEERING)
    signals = [points.signal(angle) for angle in (0.5, 0.25, 0.0, -0.2, -0.4)]
    assert signals == pytest.approx([1900, 1690, 1480, 1290, 1100])
    assert points.signal(3.0) == 1900 and points.signal(-3.0) == 1100
    assert points.reach == 0.4
    mirrored = SteeringMap.model_validate({"centre": 0.5, "left": (0.4, 0.1), "right": (-0.4, 0.9)})
    assert mirrored.signal(0.2) == pytest.approx(0.3)


def test_a_speed_becomes_a_signal_beyond_the_dead_band() -> None:
    points = SpeedMap.model_validate(SPEED)
    signals = [points.signal(speed) for speed in (0.0, 1e-9, 0.5, 2.5, 4.0, -1e-9, -1.0, -2.0)]
    assert signals == pytest.approx([1500, 1540, 1560, 1740, 1900, 1460, 1330, 1200])
    assert points.signal(50.0) == 1900 and points.signal(-50.0) == 1200
    assert points.fastest == (4.0, 2.0)
    onward = SpeedMap.model_validate({"neutral": 0.0, "forward": ((0, 0), (2, 9000))})  # no dead band, no reverse
    assert [onward.signal(speed) for speed in (0.0, 1.0, -1.0)] == [0, 4500, 0]
    assert onward.fastest == (2.0, 0.0)


def test_more_speed_never_means_less_signal() -> None:
    for sign in (1, -1):
        flipped = {
            "neutral": 1500,
            "forward": [(v, 1500 + sign * (s - 1500)) for v, s in SPEED["forward"]],
            "reverse": [(v, 1500 + sign * (s - 1500)) for v, s in SPEED["reverse"]],
        }
        points = SpeedMap.model_validate(flipped)
        signals = np.array([points.signal(speed) for speed in np.linspace(-3, 5, 401)])
        assert np.all(sign * np.diff(signals) >= 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left": (-0.5, 1900)}, "left must be an angle above zero and right one below"),
        ({"right": (0.0, 1100)}, "left must be an angle above zero and right one below"),
        ({"right": (-0.5, 1600)}, "must lie on different sides of centre"),
        ({"left": (0.5, 1480)}, "must lie on different sides of centre"),
        ({"centre": float("nan")}, "finite"),
        ({"left": (float("inf"), 1900)}, "finite"),
        ({"left": (0.5,)}, "left"),
        ({"trim": 3}, "trim"),
    ],
)
def test_what_is_no_steering_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SteeringMap.model_validate(STEERING | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forward": ((0, 1540),)}, "forward"),
        ({"forward": ((0.1, 1540), (4, 1900))}, "the first at 0 m/s"),
        ({"forward": ((0, 1540), (4, 1900), (4, 1950))}, "each faster than the last"),
        ({"forward": ((0, 1540), (2, 1700), (4, 1600))}, "the signals of forward must lead away from neutral"),
        ({"forward": ((0, 1450), (4, 1900))}, "the signals of forward must lead away from neutral"),
        ({"forward": ((0, 1540), (2, 1600), (4, 1600))}, "the signals of forward must lead away from neutral"),
        ({"forward": ((0, 1540), (4, float("nan")))}, "finite"),
        ({"reverse": ((0, 1460),)}, "reverse must have two points or more"),
        ({"reverse": ((0, 1540), (2, 1700))}, "on different sides of neutral"),
        ({"reverse": ((0, 1460), (-2, 1200))}, "each faster than the last"),
        ({"brake": 1600}, "brake must lie on the other side of neutral"),
        ({"brake": 1500}, "brake must lie on the other side of neutral"),
        ({"brake": 1300, "brake_time": 9}, "brake_time"),
        ({"forward": tuple((v, 1540 + v) for v in range(51))}, "forward"),
    ],
)
def test_what_is_no_drive_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SpeedMap.model_validate(SPEED | change)


def test_a_car_may_want_no_more_than_its_signals_reach(car: Car) -> None:
    whole = equipped(car)
    assert whole.actuator is not None and whole.actuator.driver == "pca9685"
    for key, value, message in (
        ("steering__max_angle", 0.41, r"steering\.max_angle is 0\.41, but the signals of actuator reach 0\.4 only\.$"),
        ("drive__max_speed", 4.1, r"drive\.max_speed is 4\.1, but the signals of actuator reach 4 only\.$"),
        ("drive__max_reverse_speed", 2.1, r"drive\.max_reverse_speed is 2\.1, but .* reach 2 only\.$"),
        ("drive__neutral", "brake", r"drive\.neutral is brake, which needs the signal actuator\.speed\.brake\.$"),
        ("actuator__frequency", 1000, r"actuator\.pca9685\.frequency: "),
        ("actuator__address", 0x80, r"actuator\.pca9685\.address: "),
        ("actuator__speed_channel", 1, r"steering_channel and speed_channel must differ\.$"),
        ("actuator__bus", "", r"actuator\.pca9685\.bus: "),
        ("actuator__oscillators", 25e6, r"actuator\.pca9685\.oscillators: unknown key\.$"),
        ("actuator__driver", "pca9684", r"^mine\.yaml: the car file is refused: actuator: "),
        ("actuator", {"driver": "vesc"}, r"actuator\.vesc\.steering: missing; actuator\.vesc\.speed: missing\.$"),
    ):
        with pytest.raises(OutlapError, match=message) as caught:
            equipped(car, **{key: value})
        assert "\n" not in str(caught.value)
    assert equipped(car, speed={"brake": 1300, "double_tap": True}, drive__neutral="brake").drive.neutral == "brake"
    with pytest.raises(OutlapError, match=r"leave speed\.brake out, or set double_tap\.$"):
        equipped(car, speed={"brake": 1300})
    with pytest.raises(OutlapError, match=r"max_reverse_speed is 2, but the signals of actuator reach 0 only"):
        equipped(car, speed={"reverse": ()})


@pytest.mark.parametrize(
    ("steering", "speed"),
    [
        ({"left": (0.5, 2501)}, {}),
        ({"right": (-0.5, 499)}, {}),
        ({"centre": 0.5, "left": (0.5, 1.0), "right": (-0.5, 0.0)}, {}),  # a VESC's, in a PCA9685's place
        ({}, {"forward": ((0, 1540), (4, 2600))}),
        ({}, {"reverse": ((0, 1460), (2, 400))}),
        ({}, {"brake": 3.0, "double_tap": True}),
    ],
)
def test_pulses_that_no_servo_takes_are_refused_with_the_car_file(
    car: Car, steering: dict[str, Any], speed: dict[str, Any]
) -> None:
    with pytest.raises(OutlapError, match=r"a pulse of .* µs is refused: it must last 500 to 2500 µs\.$"):
        equipped(car, steering, speed)


def test_what_is_a_pulse() -> None:
    for pulse in (*PULSES, 1500.0):
        check_pulse(pulse)
    for pulse in (float("nan"), float("inf"), -1500.0, 0.0, 499.9, 2500.1):
        with pytest.raises(ValueError, match="refused"):
            check_pulse(pulse)
