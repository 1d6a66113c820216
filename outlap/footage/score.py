"""Compares what a policy wanted with what the human did, and with how the car turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlap.files import Model

Floats = NDArray[np.float64]

SMOOTHING = 0.5  # s over which the human's steering is averaged
LAGS = np.round(np.arange(-0.20, 0.401, 0.05), 3)  # s by which the human may follow the policy
TURN = 0.5  # of the reference's own 90th percentile: above it the human clearly turns
FULL = 90  # percentile
ROUNDING = 1e-6  # s; stamps are whole milliseconds


class Agreement(Model):
    """How far the policy's curvature agrees with one reference."""

    samples: int  # frames compared
    correlation: float  # Pearson's
    sign_agreement: float  # part of the clear turns that go to the same side
    turns: int  # frames in clear turns
    lag_s: float  # by which the reference follows the policy, of the best correlation
    gain: float  # reference per curvature (m), by least squares; its sign is fixed, so it is never below zero


@dataclass(frozen=True)
class Series:
    """What is compared, over the frames (n,) of one or several recordings; all are left positive."""

    stamp: Floats  # s
    segment: NDArray[np.int64]
    policy: Floats  # 1/m
    mirrored: Floats  # 1/m, of the mirrored frames
    human: Floats  # -1 … 1
    yaw_rate: Floats  # rad/s, NaN where unknown


def join(parts: list[Series]) -> Series:
    """Several recordings as one; their stretches stay apart."""
    shifted, stretches, start = [], 0, 0.0
    for part in parts:
        shifted.append((part.stamp - part.stamp[0] + start, part.segment + stretches))
        stretches += int(part.segment[-1]) + 1
        start = shifted[-1][0][-1] + 1e3
    return Series(
        np.concatenate([stamp for stamp, _ in shifted]),
        np.concatenate([segment for _, segment in shifted]),
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("policy", "mirrored", "human", "yaw_rate")),
    )


def agreement(series: Series, reference: Floats) -> Agreement:
    """The policy against ``reference`` (n,), smoothed over 0.5 s, at the lag of the best correlation."""
    smooth = smoothed(series.stamp, series.segment, reference)
    best: tuple[float, float, Floats, Floats] | None = None
    for lag in LAGS:
        later = shifted(series.stamp, series.segment, smooth, float(lag))
        known = np.isfinite(later)
        p, r = series.policy[known], later[known]
        value = correlation(p, r)
        if best is None or value > best[0] + 1e-9:
            best = value, float(lag), p, r
    assert best is not None
    value, lag, p, r = best
    full = float(np.percentile(np.abs(r), FULL)) if len(r) else 0.0
    turns = (np.abs(r) >= TURN * full) & (np.abs(r) > 0)
    same = float((np.sign(p[turns]) == np.sign(r[turns])).mean()) if turns.any() else 0.0
    power = float(p @ p)
    return Agreement(
        samples=len(r),
        correlation=value,
        sign_agreement=same,
        turns=int(turns.sum()),
        lag_s=lag + 0.0,  # no -0.0
        gain=max(float(p @ r) / power, 0.0) if power > 0 else 0.0,
    )


def mirror_consistency(series: Series) -> float:
    """Correlation of the policy's curvature with the negated one of the mirrored frames: 1 for a perfect mirror."""
    return correlation(series.policy, -series.mirrored)


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's correlation; 0 where one of them does not change or there are too few samples."""
    if len(a) < 3 or a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def smoothed(stamp: Floats, segment: NDArray[np.int64], values: Floats, width: float = SMOOTHING) -> Floats:
    """Mean (n,) of the known values within ``width`` / 2 s to either side, in the same stretch; NaN where none is."""
    low, high = _bounds(stamp, segment, -width / 2), _bounds(stamp, segment, width / 2)
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    number = count[high] - count[low]
    return np.where(number > 0, (total[high] - total[low]) / np.maximum(number, 1), np.nan)


def shifted(stamp: Floats, segment: NDArray[np.int64], values: Floats, lag: float) -> Floats:
    """The ``values`` (n,) at ``lag`` s later, between frames by linear interpolation; NaN outside the stretch."""
    wanted = stamp + lag
    after = np.clip(np.searchsorted(stamp, wanted - ROUNDING), 0, len(stamp) - 1)
    exact = np.abs(stamp[after] - wanted) <= ROUNDING
    before = np.where(exact, after, np.maximum(after - 1, 0))
    part = np.where(exact, 0, (wanted - stamp[before]) / np.maximum(stamp[after] - stamp[before], ROUNDING))
    inside = (segment[before] == segment) & (segment[after] == segment) & (part >= 0) & (part <= 1)
    return np.where(inside, values[before] + part * (values[after] - values[before]), np.nan)


def _bounds(stamp: Floats, segment: NDArray[np.int64], offset: float) -> NDArray[np.int64]:
    """First rows (n,) not before ``stamp + offset``, within each row's stretch (or its end)."""
    first = np.searchsorted(segment, segment, side="left")
    last = np.searchsorted(segment, segment, side="right")
    return np.clip(np.searchsorted(stamp, stamp + offset, side="left" if offset < 0 else "right"), first, last)
