"""Curvature and speed, and the twist that carries them."""

from __future__ import annotations

import math

import pytest

from outlap.vehicle.command import (
    STANDSTILL,
    driven_curvature,
    is_standstill,
    to_hand_twist,
    to_twist,
    wanted_curvature,
)


@pytest.mark.parametrize("speed", [2.0, 0.05, -0.05, -1.0])
def test_a_command_survives_the_twist(speed: float) -> None:
    linear, turn_rate = to_twist(0.8, speed)
    assert (linear, turn_rate) == (speed, pytest.approx(0.8 * speed))
    assert driven_curvature(linear, turn_rate) == pytest.approx(0.8)
    assert wanted_curvature(linear, turn_rate) == pytest.approx(0.8)


def test_a_car_that_goes_left_backwards_turns_clockwise() -> None:
    assert to_twist(0.5, -1.0) == (-1.0, -0.5)


def test_below_a_standstill_the_motor_keeps_no_curvature_but_its_sender_does() -> None:
    slow = math.nextafter(STANDSTILL, 0.0)
    for speed in (slow, -slow):
        assert is_standstill(speed)
        assert driven_curvature(*to_twist(0.8, speed)) == 0.0
        assert wanted_curvature(*to_twist(0.8, speed)) == pytest.approx(0.8)
    assert not is_standstill(STANDSTILL) and not is_standstill(-STANDSTILL)


def test_a_persons_command_to_stand_carries_a_curvature() -> None:
    assert is_standstill(to_hand_twist(0.8, 0.0)[0])
    assert wanted_curvature(*to_hand_twist(0.8, 0.0)) == pytest.approx(0.8)
    assert to_hand_twist(0.8, 1.0) == to_twist(0.8, 1.0)
    assert to_hand_twist(None, 0.0) == (0.0, 0.0)


def test_nothing_is_divided_by_zero() -> None:
    assert driven_curvature(0.0, 1.0) == wanted_curvature(0.0, 1.0) == 0.0
    assert driven_curvature(math.nan, 1.0) == 0.0
