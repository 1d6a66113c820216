"""The figures mean what they say: lag, gain, signs, and nothing across a gap."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from outlap.footage.focal import fundamental
from outlap.footage.horizon import level
from outlap.footage.score import Series, agreement, join, mirror_consistency, shifted, smoothed

Floats = NDArray[np.float64]


def series(policy: Floats, human: Floats, mirrored: Floats | None = None, gap: int | None = None) -> Series:
    """At 20 Hz, with a gap of 10 s before row ``gap``."""
    stamp = np.arange(len(policy)) / 20
    segment = np.zeros(len(policy), dtype=np.int64)
    if gap is not None:
        stamp[gap:] += 10
        segment[gap:] = 1
    return Series(stamp, segment, policy, -policy if mirrored is None else mirrored, human, human)


def wave(n: int = 800, late: float = 0.0) -> Floats:
    time = np.arange(n) / 20 - late
    return np.sin(1.3 * time) + 0.5 * np.sin(0.37 * time)


@pytest.mark.parametrize("late", [-0.2, 0.0, 0.15, 0.4])
def test_lag_and_gain_are_found(late: float) -> None:
    found = agreement(series(2 * wave(), wave(late=late)), wave(late=late))
    assert found.lag_s == pytest.approx(late, abs=0.051)
    assert found.correlation > 0.995
    assert found.sign_agreement == 1
    assert found.gain == pytest.approx(0.5, rel=0.05)


def test_the_wrong_sign_is_no_agreement() -> None:
    found = agreement(series(-wave(), wave()), wave())
    assert found.correlation < -0.5
    assert found.gain == 0
    assert found.sign_agreement < 0.2


def test_only_clear_turns_count_for_the_sign() -> None:
    human = np.where(np.arange(800) % 200 < 100, 0.0, np.where(np.arange(800) < 400, 1.0, -1.0))
    policy = np.where(human == 0, -0.1, human)  # leans to the right where the human drives straight on
    found = agreement(series(policy, human), human)
    assert found.sign_agreement > 0.97
    assert found.turns == pytest.approx(400, abs=20)


def test_nothing_is_smoothed_or_shifted_across_a_gap() -> None:
    values = np.r_[np.zeros(100), np.ones(100)]
    one = series(values, values, gap=100)
    smooth = smoothed(one.stamp, one.segment, values)
    np.testing.assert_allclose(smooth, values)
    later = shifted(one.stamp, one.segment, values, 0.2)
    assert np.flatnonzero(np.isnan(later)).tolist() == [*range(96, 100), *range(196, 200)]
    np.testing.assert_allclose(later[np.isfinite(later)], np.r_[np.zeros(96), np.ones(96)])


def test_unknown_values_are_passed_over() -> None:
    values = np.ones(50)
    values[[0, 10, 11]] = np.nan
    one = series(values, values)
    np.testing.assert_allclose(smoothed(one.stamp, one.segment, values), 1)
    assert np.isnan(smoothed(one.stamp, one.segment, np.full(50, np.nan))).all()


def test_recordings_are_joined_as_strangers() -> None:
    one = join([series(wave(100), wave(100)), series(wave(60), wave(60), gap=30)])
    assert len(one.stamp) == 160
    assert one.segment.tolist() == [0] * 100 + [1] * 30 + [2] * 30
    assert (np.diff(one.stamp) > 0).all()


def test_the_mirror_negates() -> None:
    assert mirror_consistency(series(wave(), wave())) == pytest.approx(1)
    assert mirror_consistency(series(wave(), wave(), mirrored=wave())) == pytest.approx(-1)


def test_a_policy_that_never_changes_correlates_with_nothing() -> None:
    found = agreement(series(np.ones(100), wave(100)), wave(100))
    assert found.correlation == 0


def test_the_focal_length_is_one_lap_not_several() -> None:
    rng = np.random.default_rng(0)
    laps = rng.choice([1, 1, 2, 3], 60) * 0.5 * rng.normal(1, 0.01, 60)
    assert fundamental(np.r_[laps, rng.uniform(0, 2, 20)]) == pytest.approx(0.5, rel=0.03)
    assert fundamental(rng.uniform(0, 2, 10)) is None
    assert fundamental(np.zeros(0)) is None


def test_the_horizon_parts_rising_from_sinking() -> None:
    rng = np.random.default_rng(0)
    row = rng.uniform(0, 1, 2000)
    sunk = 10 * (row - 0.35) * rng.uniform(0.1, 1, 2000)
    wrong, found = level(np.stack([row, sunk], axis=1))
    assert found == pytest.approx(0.35, abs=0.03)
    assert wrong < 0.01
    assert level(np.stack([row, rng.normal(0, 2, 2000)], axis=1))[0] > 0.4
    assert level(np.zeros((10, 2)))[0] == 1
