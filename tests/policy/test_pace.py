"""Pictures that come more seldom than a policy was trained with."""

from __future__ import annotations

import pytest

from outlap.policy.pace import Pace


def shown(hertz: float, seconds: float = 5.0, every: int = 1, wanted: float = 30.0) -> Pace:
    pace = Pace(wanted, every)
    for step in range(round(seconds * hertz)):
        pace.add(7.0 + step / hertz)
    return pace


@pytest.mark.parametrize(("hertz", "slow", "too_slow"), [(31, 0, 0), (27.5, 0, 0), (25, 1, 0), (20, 1, 0), (15, 1, 1)])
def test_it_tells_of_a_rate_that_is_too_low(hertz: float, slow: bool, too_slow: bool) -> None:
    pace = shown(hertz)
    assert (bool(pace.slow), pace.too_slow) == (bool(slow), bool(too_slow))
    if slow:
        assert pace.slow.startswith(f"the camera gives {hertz:.1f} pictures a second, and the policy needs 30: ")


def test_of_every_second_picture_it_tells_in_the_cameras_own_figures() -> None:
    pace = shown(8.0, every=2, wanted=15.0)
    assert pace.too_slow
    assert pace.slow.startswith("the camera gives 16.0 pictures a second, and the policy needs 30: ")


def test_a_beginning_and_a_gap_say_nothing_and_it_recovers() -> None:
    pace = shown(10, seconds=2.0)
    assert not pace.slow
    pace = shown(10)
    assert pace.too_slow
    pace.add(100.0)
    assert not pace.slow and not pace.too_slow
    for step in range(1, 120):
        pace.add(100.0 + step / 10)
    assert pace.too_slow
    pace.add(3.0)  # time has begun anew
    assert not pace.too_slow
    for step in range(1, 200):
        pace.add(3.0 + step / 10 if step < 40 else 6.9 + (step - 39) / 30)
    assert not pace.slow
