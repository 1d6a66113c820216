"""When a battery is too low to arm, and when an armed car stops."""

from __future__ import annotations

import pytest

from outlap.drivers.battery import SAG, BatteryWatch
from outlap.errors import OutlapError
from outlap.files import validate
from outlap.vehicle.car import Car, load_car
from outlap.vehicle.hardware import Battery

THREE_CELLS = Battery(low=10.5, empty=9.6)


def test_below_low_it_is_not_armed() -> None:
    watch = BatteryWatch(THREE_CELLS)
    assert watch.problem(0.0, 10.5, armed=False) == ""
    assert watch.problem(1.0, 10.4, armed=False) == (
        "the battery has 10.4 V, and arming needs 10.5 V (battery.low): charge it"
    )


def test_an_armed_car_goes_on_until_it_has_been_empty_for_a_while() -> None:
    watch = BatteryWatch(THREE_CELLS)
    assert watch.problem(0.0, 9.7, armed=True) == ""
    assert watch.problem(0.1, 9.0, armed=True) == ""  # it speeds up
    assert watch.problem(0.3, 9.7, armed=True) == ""
    assert watch.problem(0.4, 9.0, armed=True) == ""
    assert watch.problem(0.3 + SAG, 9.0, armed=True) == ""
    assert "9.0 V, less than 9.6 V (battery.empty)" in watch.problem(0.35 + SAG, 9.0, armed=True)
    assert "arming needs 10.5 V" in watch.problem(0.4 + SAG, 9.0, armed=False)


def test_what_is_not_known_stops_nothing() -> None:
    assert BatteryWatch(None).problem(0.0, 1.0, armed=True) == ""
    assert BatteryWatch(THREE_CELLS).problem(9.0, None, armed=False) == ""


@pytest.mark.parametrize(
    ("battery", "words"),
    [
        ({"low": 9.0, "empty": 9.6}, "low must not be less than empty"),
        ({"low": 10.5}, "battery.empty: missing"),
        ({"low": 10.5, "empty": 0}, "battery.empty: Input should be greater than 0"),
        ({"low": float("nan"), "empty": 9.6}, "battery.low"),
        ({"low": 10.5, "empty": 9.6, "cells": 3}, "battery.cells: unknown key"),
    ],
)
def test_a_car_file_that_says_it_wrongly_is_refused(battery: dict, words: str) -> None:
    with pytest.raises(OutlapError, match=words):
        validate(load_car("f1tenth").model_dump() | {"battery": battery}, Car, "mycar.yaml", "car file")
