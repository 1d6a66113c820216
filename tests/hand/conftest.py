"""A hand file and a car to try it on."""

from __future__ import annotations

import pytest

from outlap.hand.config import HandConfig, load_hand
from outlap.vehicle.car import Car, load_car


@pytest.fixture
def config() -> HandConfig:
    return load_hand()


@pytest.fixture
def car() -> Car:
    return load_car()
