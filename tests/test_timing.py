"""Rates and paces, with injected time."""

from __future__ import annotations

import pytest

from outlap.timing import Intervals, Pacer, Rate


def test_a_steady_rate_is_read_exactly() -> None:
    rate = Rate(window=2.0)
    assert rate.hertz(0.0) == 0
    for step in range(300):
        rate.add(step / 30)
        if step > 1:
            assert rate.hertz(step / 30) == pytest.approx(30.0)
    assert rate.hertz(299 / 30 + 0.02) == pytest.approx(30.0)


def test_a_stopped_source_falls_to_zero() -> None:
    rate = Rate(window=2.0)
    for step in range(61):
        rate.add(step / 30)
    assert rate.hertz(2.5) < 30
    assert rate.hertz(3.5) < rate.hertz(2.5)
    assert rate.hertz(4.1) == 0


def test_an_undisturbed_pace_keeps_its_period_though_each_step_comes_a_little_late() -> None:
    pacer, now = Pacer(0.01, now=0.0), 0.0
    for _ in range(1000):
        now += pacer.wait(now) + 0.001
        pacer.stepped(now)
    assert now == pytest.approx(10.0, abs=0.01)


def test_a_loop_that_cannot_keep_up_slows_down_without_bursts() -> None:
    pacer, now = Pacer(0.01, now=0.0), 0.0
    pacer.stepped(now := now + 5.0)  # something blocked for five seconds
    gaps = []
    for _ in range(50):
        wait = pacer.wait(now)
        gaps.append(wait)
        pacer.stepped(now := now + wait)
    assert min(gaps) >= 0.005 - 1e-12
    assert sum(gaps) == pytest.approx(0.5, abs=0.011), "the five seconds are lost, not made up for"


def test_a_step_that_is_due_does_not_wait() -> None:
    assert Pacer(0.01, now=0.0).wait(0.5) == 0


def test_intervals_keep_the_gaps_of_the_last_few() -> None:
    intervals = Intervals(count=4)
    assert intervals.quantile(0.99) == 0
    intervals.add(0.0)
    assert intervals.quantile(0.99) == 0
    for time in (9.0, 10.0, 11.0, 13.0, 16.0):
        intervals.add(time)
    assert intervals.quantile(0.0) == 1.0
    assert intervals.quantile(0.5) == 2.0
    assert intervals.quantile(1.0) == 3.0
