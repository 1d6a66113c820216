"""Cars with hardware that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from outlap.drivers.fakes.deepracer import FakeDeepRacer
from outlap.files import validate
from outlap.vehicle.car import Car

STEERING = {"centre": 1500.0, "left": (0.55, 1900.0), "right": (-0.6, 1080.0)}
SPEED = {
    "neutral": 1500.0,
    "forward": ((0.0, 1540.0), (2.0, 1640.0), (4.0, 1900.0)),
    "reverse": ((0.0, 1460.0), (2.0, 1200.0)),
}
BRAKE = {"brake": 1300.0, "brake_time": 0.5, "double_tap": True}


@pytest.fixture
def equipped(car: Car) -> Callable[..., Car]:
    """``equipped({"driver": "pca9685", …}, neutral="brake", brake_time=0.1)``: the car with that hardware."""

    def equip(hardware: dict[str, object], neutral: str = "coast", **speed: Any) -> Car:
        content = car.model_dump()
        content["drive"]["neutral"] = neutral
        speed_map = SPEED | (BRAKE if neutral == "brake" else {})
        content["actuator"] = {"steering": STEERING, "speed": speed_map | speed} | hardware
        return validate(content, Car, "mine.yaml", "car file")

    return equip


@pytest.fixture
def racer(tmp_path: Path) -> Iterator[FakeDeepRacer]:
    with FakeDeepRacer(tmp_path / "sys") as racer:
        yield racer
        assert racer.problems == []
