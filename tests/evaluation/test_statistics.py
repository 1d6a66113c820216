"""Confidence, checked against published and hand-made figures."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.evaluation.statistics import exact_interval, mcnemar, mean_interval, paired_interval


def test_all_of_twenty_is_not_certainty() -> None:
    low, high = exact_interval(20, 20)
    assert low == pytest.approx(0.025 ** (1 / 20))  # Clopper and Pearson in closed form
    assert high == 1
    assert exact_interval(0, 20) == pytest.approx((1 - low, 0)[::-1])


def test_mcnemar_is_the_sign_test_on_laps_that_differ() -> None:
    assert mcnemar(0, 0) == 1
    assert mcnemar(0, 5) == mcnemar(5, 0) == pytest.approx(2 / 32)
    assert mcnemar(3, 3) == 1
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 1024)


def test_paired_intervals_are_honest_at_the_ends_and_turn_round() -> None:
    z = 1.959964
    low, high = paired_interval(54, 0, 0, 0)
    assert (low, high) == pytest.approx((-(z**2) / (54 + z**2), z**2 / (54 + z**2)))  # Wilson's, in closed form
    low, high = paired_interval(36, 12, 2, 0)
    assert paired_interval(36, 2, 12, 0) == pytest.approx((-high, -low))
    assert low < -0.2 < high < 0  # 12 more against 2 of 50


@pytest.mark.slow
def test_paired_intervals_hold_the_truth_about_19_times_of_20() -> None:
    rng = np.random.default_rng(0)
    for chances in ((0.9, 0.06, 0.02, 0.02), (0.5, 0.2, 0.1, 0.2)):
        truth = chances[2] - chances[1]
        intervals = [paired_interval(*table) for table in rng.multinomial(120, chances, 1000).tolist()]
        assert 0.93 < np.mean([low <= truth <= high for low, high in intervals]) < 0.98


def test_a_mean_of_alike_values_has_no_interval() -> None:
    assert mean_interval([]) is mean_interval([1.0]) is mean_interval([2.0, 2.0]) is None
    interval = mean_interval([1.0, 2.0, 3.0, 4.0] * 25)
    assert interval is not None
    assert interval == mean_interval([1.0, 2.0, 3.0, 4.0] * 25)
    assert interval.low == pytest.approx(2.5 - 1.96 * 0.1118, abs=0.03)
    assert interval.high == pytest.approx(2.5 + 1.96 * 0.1118, abs=0.03)
