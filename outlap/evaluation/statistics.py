"""How sure k clean laps of n make us, and whether one policy's laps beat another's by more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

CONFIDENCE = 0.95
RESAMPLES = 2000  # of the bootstrap; its limits then move by about a fiftieth of their distance from draw to draw


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def exact_interval(k: int, n: int) -> Interval:
    """Clopper and Pearson's 95 % interval of a probability, ``k`` times of ``n``."""
    found = binomtest(k, n).proportion_ci(CONFIDENCE, method="exact")
    return Interval(float(found.low), float(found.high))


def mcnemar(first_only: int, second_only: int) -> float:
    """p-value of McNemar's exact test: how often chance alone would split the laps that differ so unevenly, or more."""
    differ = first_only + second_only
    return float(binomtest(first_only, differ, 0.5).pvalue) if differ else 1.0


def paired_interval(both: int, first_only: int, second_only: int, neither: int) -> Interval:
    """95 % interval of (second's fraction − first's) over the same trials, (k, n) by how the pairs went.

    Newcombe's method 10 (Statistics in Medicine 17, 1998): Wilson's intervals of both fractions, joined with the
    pairs' correlation; it stays honest where all or none of the laps are clean.
    """
    n = both + first_only + second_only + neither
    first, second = both + first_only, both + second_only
    wilson = [binomtest(k, n).proportion_ci(CONFIDENCE, method="wilson") for k in (second, first)]
    p, q = second / n, first / n
    below_p, above_p = p - wilson[0].low, wilson[0].high - p
    below_q, above_q = q - wilson[1].low, wilson[1].high - q
    product = math.sqrt(float(first) * (n - first) * second * (n - second))
    covariance = both * neither - first_only * second_only
    if covariance > 0:
        covariance = max(covariance - n / 2, 0.0)
    phi = covariance / product if product else 0.0
    low = p - q - math.sqrt(max(below_p**2 - 2 * phi * below_p * above_q + above_q**2, 0.0))
    high = p - q + math.sqrt(max(above_p**2 - 2 * phi * above_p * below_q + below_q**2, 0.0))
    return Interval(float(low), float(high))


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Bootstrap 95 % interval of a mean; None for fewer than two values or all alike, which say nothing of spread."""
    sample = np.asarray(values, dtype=float)
    if len(sample) < 2 or np.ptp(sample) == 0:
        return None
    drawn = np.random.default_rng(0).integers(0, len(sample), (RESAMPLES, len(sample)))
    low, high = np.quantile(sample[drawn].mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(high))
