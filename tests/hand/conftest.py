"""A hand file and a car to try it on."""

from __future__ import annotations

import pytest
import yaml

from outlap.files import share_directory, validate
from outlap.hand.config import HandConfig, load_hand
from outlap.vehicle.car import Car, load_car


@pytest.fixture
def config() -> HandConfig:
    return load_hand()


@pytest.fixture
def numbered() -> HandConfig:
    """As hand files were before controls had names: the numbers that joydev gives an Xbox pad on its cable."""
    content = yaml.safe_load((share_directory() / "config" / "hand.yaml").read_text())
    content["joystick"]["speed"]["axis"], content["joystick"]["steering"]["axis"] = 1, 3
    content["joystick"] |= {"dead_man": {"button": 4}, "arm": {"button": 0}, "disarm": {"button": 1}}
    content["joystick"] |= {"policy": {"button": 3}, "faster": {"axis": 7}, "slower": {"axis": 7, "beyond": -0.5}}
    return validate(content, HandConfig, "here", "hand file")


@pytest.fixture
def car() -> Car:
    return load_car()
