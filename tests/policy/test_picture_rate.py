"""Pictures that come more seldom than a policy was trained with."""

from __future__ import annotations

import pytest

from outlap.policy.picture_rate import PictureRate


def shown(hertz: float, seconds: float = 5.0, every: int = 1, wanted: float = 30.0) -> PictureRate:
    rate = PictureRate(wanted, every)
    for step in range(round(seconds * hertz)):
        rate.add(7.0 + step / hertz)
    return rate


@pytest.mark.parametrize(("hertz", "slow", "too_slow"), [(31, 0, 0), (27.5, 0, 0), (25, 1, 0), (20, 1, 0), (15, 1, 1)])
def test_it_tells_of_a_rate_that_is_too_low(hertz: float, slow: bool, too_slow: bool) -> None:
    rate = shown(hertz)
    assert (bool(rate.slow), rate.too_slow) == (bool(slow), bool(too_slow))
    if slow:
        assert rate.slow.startswith(f"the camera gives {hertz:.1f} pictures a second, and the policy needs 30: ")


def test_of_every_second_picture_it_tells_in_the_cameras_own_figures() -> None:
    rate = shown(8.0, every=2, wanted=15.0)
    assert rate.too_slow
    assert rate.slow.startswith("the camera gives 16.0 pictures a second, and the policy needs 30: ")


def test_a_beginning_and_a_gap_say_nothing_and_it_recovers() -> None:
    rate = shown(10, seconds=2.0)
    assert not rate.slow
    rate = shown(10)
    assert rate.too_slow
    rate.add(100.0)
    assert not rate.slow and not rate.too_slow
    for step in range(1, 120):
        rate.add(100.0 + step / 10)
    assert rate.too_slow
    rate.add(3.0)  # time has begun anew
    assert not rate.too_slow
    for step in range(1, 200):
        rate.add(3.0 + step / 10 if step < 40 else 6.9 + (step - 39) / 30)
    assert not rate.slow
