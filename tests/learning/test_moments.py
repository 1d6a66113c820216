"""Messages of a live graph, put together by stamps: what belongs together is, and what is not known is dropped."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outlap.learning.live.moments import SECOND, Pairing
from outlap.policy.contract import Contract
from outlap.policy.file import load_policy
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car
from outlap.vehicle.motion import Motion

FRAME, TICK = SECOND // 30, SECOND // 100  # ns
PICTURE = np.zeros((48, 80), np.uint8)


@pytest.fixture
def contract(constant_policy: Callable[[float, float], Path]) -> Contract:
    return load_policy(constant_policy(0.5, 1.0)).contract


@pytest.fixture
def pairing(car: Car, contract: Contract) -> Pairing:
    return Pairing(car, contract)


def moved(seconds: float) -> Motion:
    """1 m/s ahead, turning through half a circle's yaw at 0.1 s."""
    return Motion(seconds, 0.0, math.remainder(math.pi - 0.1 + seconds, math.tau), 1.0, 0.2, 0.5)


def drive(pairing: Pairing, car: Car, frames: range, speed: float = 1.0) -> None:
    """Views that the policy and the motor answer, without odometry."""
    for k in frames:
        pairing.view(k * FRAME, PICTURE)
        pairing.command(k * FRAME, 0.1 * k, speed)
        pairing.sent(k * FRAME, car.steering_angle(0.1 * k), car.wheel_speed(speed))


def locate(pairing: Pairing, ticks: range) -> None:
    for k in ticks:
        pairing.odometry(k * TICK, moved(k / 100))


def test_a_moment_has_the_place_at_its_picture_and_what_the_policy_remembered(
    pairing: Pairing, car: Car, contract: Contract
) -> None:
    drive(pairing, car, range(1, 6))
    assert pairing.take() == []  # nobody knows where
    locate(pairing, range(1, 16))
    moments = pairing.take()
    assert [moment.stamp for moment in moments] == [k * FRAME for k in range(1, 5)]  # 0.167 s is not reached yet
    assert [moment.age for moment in moments] == [0, 1, 2, 3]
    last = moments[-1]
    limits = [contract.action.curvature_limit, contract.action.speed_limit]
    np.testing.assert_allclose(last.commands * limits, [[0.3, 1], [0.2, 1]], rtol=1e-6)
    assert not moments[0].commands.any()
    assert last.state[dynamics.X] == pytest.approx(4 / 30, abs=1e-6)
    assert last.state[dynamics.LATERAL] == pytest.approx(0.2 + 0.5 * car.body.centre_of_mass)
    # Between a heading just below and one just above half a turn lies neither zero nor a whole one.
    assert math.cos(moments[2].state[dynamics.YAW]) == pytest.approx(-1, abs=1e-3)
    # The wheel follows with the servo's lag.
    assert 0 < last.state[dynamics.STEERING] < car.steering_angle(0.3)
    assert pairing.take() == []


def test_pictures_that_nobody_drove_by_are_dropped(pairing: Pairing, car: Car) -> None:
    drive(pairing, car, range(1, 3))
    pairing.view(3 * FRAME, PICTURE)  # never answered
    pairing.view(4 * FRAME, PICTURE)  # answered, but somebody else steers
    pairing.command(4 * FRAME, 0.4, 1.0)
    pairing.sent(4 * FRAME, -0.3, car.wheel_speed(1.0))
    pairing.view(5 * FRAME, PICTURE)  # answered, but the gate holds the car
    pairing.command(5 * FRAME, 0.5, 1.0)
    pairing.sent(5 * FRAME, car.steering_angle(0.5), 0.0)
    drive(pairing, car, range(6, 8))
    locate(pairing, range(1, 60))
    moments = pairing.take()
    assert [moment.stamp // FRAME for moment in moments] == [1, 2, 6, 7]
    assert [moment.age for moment in moments] == [0, 1, 0, 1]  # the picture before 6 is not among them
    assert (pairing.dropped, pairing.taken) == (3, 4)


def test_late_and_broken_messages_change_nothing(pairing: Pairing, car: Car) -> None:
    drive(pairing, car, range(1, 4))
    locate(pairing, range(1, 8))
    pairing.odometry(3 * TICK, moved(9.0))  # late, and from somewhere else
    pairing.odometry(8 * TICK, moved(math.nan))
    pairing.view(2 * FRAME, PICTURE + 1)
    pairing.command(4 * FRAME, math.inf, 1.0)
    pairing.sent(3 * FRAME, 0.0, 0.0)  # the motor again, once stopped
    locate(pairing, range(9, 20))
    moments = pairing.take()
    assert [moment.stamp // FRAME for moment in moments] == [1, 2, 3]
    assert not any(moment.picture.any() for moment in moments)
    assert pairing.ignored == 4


def test_nothing_is_guessed_across_a_gap(pairing: Pairing, car: Car) -> None:
    locate(pairing, range(1, 4))
    drive(pairing, car, range(1, 4))
    locate(pairing, range(30, 60))
    assert pairing.take() == []
    drive(pairing, car, range(30, 34))  # long after: the policy has forgotten what was before
    locate(pairing, range(60, 140))
    moments = pairing.take()
    assert len(moments) == 4
    assert not moments[0].commands.any()
    assert moments[1].commands[0].any()
