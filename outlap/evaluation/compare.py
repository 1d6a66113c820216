"""One driver against another over the same laps: what differs, and whether it could be chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel

from outlap import __version__
from outlap.errors import OutlapError
from outlap.evaluation.laps import Trial
from outlap.evaluation.report import DIGITS
from outlap.evaluation.statistics import Interval, mcnemar, mean_interval, paired_interval

CERTAIN = 0.05  # a p-value below it is called more than chance


class Side(BaseModel):
    """One of the drivers."""

    policy: str
    digest: str
    clean: int
    mean_lap_time_s: float | None  # of its clean laps


class Comparison(BaseModel):
    """One driver against the first, lap by lap."""

    policy: str
    against: str
    laps: int
    both_clean: int
    only_this_clean: int
    only_first_clean: int
    neither_clean: int
    clean_difference: float  # this one's clean fraction minus the first's
    clean_interval: Interval  # 95 %
    p_value: float  # McNemar's exact test, times the number of comparisons made (Bonferroni)
    time_difference_s: float | None  # this one's mean lap time minus the first's, over laps that both drove cleanly
    time_interval_s: Interval | None  # 95 %
    verdict: str


class Comparisons(BaseModel):
    """All of a comparison."""

    outlap_version: str = __version__
    car: str
    randomization: str
    laps_in_a_row: int = 1  # of each trial
    from_line: bool = False  # whether trials begin on the start line (heats), instead of anywhere
    seeds: list[int]
    tracks: list[str]
    sides: list[Side]
    comparisons: list[Comparison]


def compare(
    first: str, trials: Sequence[Trial], other: str, others: Sequence[Trial], comparisons: int = 1
) -> Comparison:
    """Compare two drivers' trials.

    Args:
        first, other: the drivers' names.
        trials, others: of the same laps.
        comparisons: how many are made at once; each makes a chance find likelier, so p-values grow with it.

    Raises:
        OutlapError: the laps are not the same.
    """
    theirs = {(one.track, one.seed, one.number): one for one in others}
    if len(trials) != len(theirs) or any((one.track, one.seed, one.number) not in theirs for one in trials):
        raise OutlapError(
            f"{first} and {other} did not drive the same laps: compare them by the same tracks and seeds."
        )
    pairs = [(one, theirs[one.track, one.seed, one.number]) for one in trials]
    both = sum(a.clean and b.clean for a, b in pairs)
    first_only, other_only = sum(a.clean > b.clean for a, b in pairs), sum(a.clean < b.clean for a, b in pairs)
    neither = len(pairs) - both - first_only - other_only
    slower = [
        b.lap_time_s - a.lap_time_s
        for a, b in pairs
        if a.clean and b.clean and a.lap_time_s is not None and b.lap_time_s is not None
    ]
    p = min(comparisons * mcnemar(first_only, other_only), 1.0)
    interval = mean_interval(slower)
    mean = round(float(np.mean(slower)), DIGITS) if slower else None
    return Comparison(
        policy=other,
        against=first,
        laps=len(pairs),
        both_clean=both,
        only_this_clean=other_only,
        only_first_clean=first_only,
        neither_clean=neither,
        clean_difference=round((other_only - first_only) / len(pairs), DIGITS),
        clean_interval=Interval(
            *(round(end, DIGITS) for end in paired_interval(both, first_only, other_only, neither))
        ),
        p_value=round(p, 2 * DIGITS),
        time_difference_s=mean,
        time_interval_s=None if interval is None else Interval(*(round(end, DIGITS) for end in interval)),
        verdict=_verdict(first_only, other_only, p, mean, interval),
    )


def _verdict(first_only: int, other_only: int, p: float, mean: float | None, interval: Interval | None) -> str:
    """Both findings in words."""
    if first_only == other_only == 0:
        clean = "the same laps are clean"
    else:
        differ, better = first_only + other_only, "more" if other_only > first_only else "fewer"
        split = f"{max(first_only, other_only)} of the {differ} laps that differ"
        if p < CERTAIN:
            clean = f"{better} clean laps than the first, beyond chance ({split} go one way, p = {p:.2g})"
        else:
            clean = f"the difference in clean laps could be chance ({split} go one way, p = {p:.2g})"
    if mean is None:
        return f"{clean}; no lap was clean for both, so lap times cannot be compared"
    if interval is None:
        return f"{clean}; {'lap times are equal' if mean == 0 else 'too few laps to judge lap times'}"
    if interval.low <= 0 <= interval.high:
        return f"{clean}; the difference in lap times could be chance"
    return f"{clean}; its laps are {abs(mean):.3f} s {'slower' if mean > 0 else 'faster'}, beyond chance"
