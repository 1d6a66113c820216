"""What an evaluation found, as it stands in its JSON file."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from outlap import __version__
from outlap.evaluation.laps import Trial
from outlap.evaluation.statistics import Interval, exact_interval
from outlap.policy.contract import TrainedOn

DIGITS = 4  # of fractions and times


class Optimal(BaseModel):
    """The time-optimal lap of the nominal car under the driver's speed cap on one track."""

    flying_s: float  # s, of a lap without end
    standing_s: float  # s, of a lap from a standing start, mean over where it begins
    laps_in_a_row: int = 1  # of each trial

    @property
    def mean_s(self) -> float:
        """Seconds a lap of a trial: its first lap from a standing start, the others flying."""
        return (self.standing_s + (self.laps_in_a_row - 1) * self.flying_s) / self.laps_in_a_row


class Count(BaseModel):
    """How a group of trials went."""

    laps: int  # trials; each is one lap, or laps_in_a_row of them
    clean: int
    completed: int
    off_track: int  # times that a car left the road
    clean_fraction: float
    clean_interval: Interval  # 95 %, exact (Clopper and Pearson)
    mean_lap_time_s: float | None  # s, of the clean laps


class TrackResult(Count):
    """The laps on one track in one direction."""

    track: str
    trained_on: bool = False  # whether the policy was trained on this very track, so that this is no test of it
    optimal: Optimal | None = None
    over_optimal: float | None = None  # mean lap time of clean trials / time-optimal one, from a standing start
    over_flying: float | None = None  # the same / flying time-optimal lap
    not_compared: str | None = None  # why there is no such figure: no lap keeps the limits, or one beat the optimal one
    beaten: bool = False  # a clean lap took less than the time-optimal one, so that one of the two must be wrong


class RowResult(Count):
    """All laps under one row of the perturbation suite."""

    name: str
    says: str
    clean_by_track: dict[str, int]
    randomization: dict[str, Any]  # the whole that it was driven with


class Evaluation(BaseModel):
    """All of an evaluation; ``docs/evaluation.md`` explains every key."""

    outlap_version: str = __version__
    policy: str  # file, or the name of a built-in driver
    digest: str  # of the policy file; empty for a built-in driver
    car: str
    seeds: list[int]
    randomization: str  # name or file
    laps_in_a_row: int = 1  # of each trial
    from_line: bool = False  # whether trials begin on the start line (heats), instead of anywhere
    trained_on: TrainedOn | None = None  # as the policy file says; unknown of older ones and of built-in drivers
    clean_fraction: float
    clean_interval: Interval
    completed_fraction: float
    mean_lap_time_s: float | None  # of the clean laps
    over_optimal: float | None  # mean of the tracks' figures
    over_flying: float | None
    tracks: list[TrackResult]
    perturbations: list[RowResult]
    trials: list[Trial]


def counted(trials: Sequence[Trial]) -> Count:
    """The figures of a group of laps, at least one."""
    times = [trial.lap_time_s for trial in trials if trial.clean and trial.lap_time_s is not None]
    clean = sum(trial.clean for trial in trials)
    return Count(
        laps=len(trials),
        clean=clean,
        completed=sum(trial.completed for trial in trials),
        off_track=sum(trial.off_track for trial in trials),
        clean_fraction=round(clean / len(trials), DIGITS),
        clean_interval=Interval(*(round(end, DIGITS) for end in exact_interval(clean, len(trials)))),
        mean_lap_time_s=round(float(np.mean(times)), DIGITS) if times else None,
    )


def by_track(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """The trials of each track, in the order in which tracks first appear."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.track, []).append(trial)
    return groups


def track_results(
    trials: Sequence[Trial],
    optimal: Mapping[str, Optimal],
    known: Collection[str] = (),
    unknown: Mapping[str, str] | None = None,
    quicker: float = 1.0,
) -> list[TrackResult]:
    """One result a track.

    Args:
        trials: all laps.
        optimal: time-optimal laps by the track's name, where they are known.
        known: names of tracks that the policy was trained on.
        unknown: by the track's name, why no time-optimal lap is known.
        quicker: how many times faster than the optimal lap a car may be that differs from its file.
    """
    found = []
    for name, group in by_track(trials).items():
        count, best = counted(group), optimal.get(name)
        beaten = None if best is None else _beaten(name, group, best, quicker)
        mean = count.mean_lap_time_s if beaten is None else None
        found.append(
            TrackResult(
                **dict(count),
                track=name,
                trained_on=name in known,
                optimal=best,
                over_optimal=None if best is None or mean is None else round(mean / best.mean_s, DIGITS),
                over_flying=None if best is None or mean is None else round(mean / best.flying_s, DIGITS),
                not_compared=(unknown or {}).get(name) if beaten is None else beaten,
                beaten=beaten is not None,
            )
        )
    return found


def quickest_lap(trials: Sequence[Trial]) -> float:
    """Seconds of the quickest clean lap; infinite where there is none."""
    return min((lap.time_s for trial in trials for lap in trial.laps if lap.clean), default=math.inf)


def _beaten(name: str, trials: Sequence[Trial], best: Optimal, quicker: float) -> str | None:
    """A sentence if a clean lap on one track took less time than any car of these limits can."""
    least, driven = best.flying_s / quicker, quickest_lap(trials)
    if driven >= least:
        return None
    drawn = f" ({least:.3f} s with the quickest car that may be drawn)" if quicker > 1 else ""
    return (
        f"track {name}: a clean lap took {driven:.3f} s, and the time-optimal one takes {best.flying_s:.3f} s"
        f"{drawn}. No lap can be faster, so one of the two is wrong: please report it, with the track's file."
    )


def row_result(name: str, says: str, trials: Sequence[Trial], randomization: dict[str, Any]) -> RowResult:
    """The result of one row of the suite."""
    tally = {track: sum(trial.clean for trial in group) for track, group in by_track(trials).items()}
    return RowResult(**dict(counted(trials)), name=name, says=says, clean_by_track=tally, randomization=randomization)


def mean_of(values: Sequence[float | None]) -> float | None:
    """The mean of those that are known."""
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), DIGITS) if known else None
