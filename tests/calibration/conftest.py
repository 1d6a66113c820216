"""Hidden cars, the person who calibrates them, and the car file that is to hold what is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from outlap.calibration.fakes.car import Hidden, HiddenCar
from outlap.calibration.fakes.person import Person
from outlap.calibration.fakes.trials import car_file
from outlap.calibration.rig import Rig
from outlap.vehicle.car import Car, load_car


class Scene(NamedTuple):
    """A hidden car on the bench, and who stands before it."""

    car: Car
    fake: HiddenCar
    person: Person
    rig: Rig


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A car file with an actuator that nobody has calibrated."""
    return car_file(tmp_path)


@pytest.fixture
def scene(path: Path) -> Callable[..., Scene]:
    """``scene(trim=1480, answers={"stand": "n"})``: a hidden car with these facts, a person with these answers."""

    def make(answers: dict[str, object] | None = None, room: float = 8.0, top: float = 2.5, **facts: object) -> Scene:
        car, rng = load_car(path), np.random.default_rng(3)
        fake = HiddenCar(car, replace(Hidden(), **facts), rng)  # type: ignore[arg-type]  # one dict for several types
        person = Person(fake, rng, room=room, top=top, answers=answers)
        return Scene(car, fake, person, Rig(car, fake, person))

    return make
