"""An evaluation from end to end: the laps, under each disturbance too, and how they compare with the best possible."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from outlap.driving.choice import Driver
from outlap.errors import OutlapError
from outlap.evaluation.laps import Trace, Trial, planned
from outlap.evaluation.report import (
    DIGITS,
    Evaluation,
    Optimal,
    by_track,
    counted,
    mean_of,
    quickest_lap,
    row_result,
    track_results,
)
from outlap.evaluation.sharing import Task, drive_all
from outlap.evaluation.suite import Row, disturbed
from outlap.simulation.randomization import Randomization
from outlap.simulation.yardstick import limits_of, quickest
from outlap.track.fastest import FastestLine, fastest_line
from outlap.track.geometry import TrackSet
from outlap.track.speed import Limits
from outlap.track.track import Track
from outlap.vehicle.car import Car

SPACING = 0.1  # m, between the nodes of fastest lines: lap times within 0.1 % of those with finer ones
FINER = (0.06, 0.03)  # m, where a lap beats what was found: a winding track has several best lines, one for each start


class Plan(NamedTuple):
    """What is to be driven."""

    tracks: Sequence[Track]
    trials: int  # laps a track and seed
    seeds: Sequence[int]
    name: str  # of the randomization
    randomization: Randomization
    rows: Mapping[str, Row]  # of the suite
    laps_in_a_row: int = 1  # of each trial
    from_line: bool = False  # trials begin on the start line, instead of anywhere

    @property
    def laps(self) -> int:
        """How many trials that are."""
        return self.trials * len(self.tracks) * len(self.seeds) * (1 + len(self.rows))


class Assessment(NamedTuple):
    """What was found."""

    evaluation: Evaluation
    traces: list[Trace]  # of the laps without a disturbance, where they were kept
    fastest: dict[str, FastestLine]  # by the track's name; none where the nominal car cannot stay on the road


def assess(
    driver: Driver,
    car: Car,
    plan: Plan,
    jobs: int,
    report: Callable[[int], None] | None = None,
    traced: bool = False,
    reward: Path | None = None,
) -> Assessment:
    """Drive all laps of ``plan``.

    Args:
        driver: who drives.
        car: the car.
        plan: what to drive.
        jobs: processes that share the laps.
        report: called now and then with the number of laps that have ended since its last call.
        traced: keep every step of the laps without a disturbance.
        reward: Python file whose rewards the traces hold; by default they hold the built-in one.

    Raises:
        OutlapError: what is wrong with the plan, before any lap is driven; a policy file was exchanged meanwhile; or
            the reward file is at fault.
    """
    plans = planned(plan.tracks, plan.trials, plan.seeds, plan.laps_in_a_row, plan.from_line)
    disturbances = {name: disturbed(plan.randomization, name, row) for name, row in plan.rows.items()}
    tasks = [Task(driver, plan.randomization, plans, traced, reward if traced else None)]
    tasks += [Task(driver, randomization, plans) for randomization in disturbances.values()]
    over = threading.Event()
    with ThreadPoolExecutor(1) as aside:
        # Beside the laps: this process otherwise only waits for the others.
        lines = aside.submit(_fastest_lines, plan.tracks, limits_of(car, driver.speed_limit), over)
        try:
            driven, *rows = drive_all(tasks, plan.tracks, car, jobs, report)
            fastest, unknown = lines.result()
        finally:
            over.set()
    quicker = quickest(plan.randomization.car)
    _search_finer(fastest, plan.tracks, limits_of(car, driver.speed_limit), by_track(driven.trials), quicker)
    optimal = {
        name: Optimal(
            flying_s=round(line.lap_time, DIGITS),
            standing_s=round(line.standing_lap_time, DIGITS),
            laps_in_a_row=plan.laps_in_a_row,
        )
        for name, line in fastest.items()
    }
    trained, lengths = driver.trained_on, TrackSet(plan.tracks).length
    known = {one.name for one, length in zip(plan.tracks, lengths, strict=True) if trained and trained.knows(length)}
    count = counted(driven.trials)
    tracks = track_results(driven.trials, optimal, known, unknown, quicker)
    evaluation = Evaluation(
        policy=driver.name,
        digest=driver.digest,
        car=car.name,
        seeds=list(plan.seeds),
        randomization=plan.name,
        laps_in_a_row=plan.laps_in_a_row,
        from_line=plan.from_line,
        trained_on=trained,
        clean_fraction=count.clean_fraction,
        clean_interval=count.clean_interval,
        completed_fraction=round(count.completed / count.laps, DIGITS),
        mean_lap_time_s=count.mean_lap_time_s,
        over_optimal=mean_of([track.over_optimal for track in tracks]),
        over_flying=mean_of([track.over_flying for track in tracks]),
        tracks=tracks,
        perturbations=[
            row_result(name, plan.rows[name].says, row.trials, randomization.model_dump(exclude_none=True))
            for (name, randomization), row in zip(disturbances.items(), rows, strict=True)
        ],
        trials=driven.trials,
    )
    return Assessment(evaluation, driven.traces, fastest)


def _search_finer(
    found: dict[str, FastestLine],
    tracks: Sequence[Track],
    limits: Limits,
    trials: Mapping[str, Sequence[Trial]],
    quicker: float,
) -> None:
    """Search anew, in place, where a lap was faster than the line by more than the car may be ``quicker``."""
    for track in tracks:
        for spacing in FINER:
            line = found.get(track.name)
            if line is None or quickest_lap(trials.get(track.name, ())) >= line.lap_time / quicker:
                break
            with contextlib.suppress(OutlapError):
                found[track.name] = min(line, fastest_line(track, limits, spacing), key=lambda one: one.lap_time)


def _fastest_lines(
    tracks: Sequence[Track], limits: Limits, over: threading.Event
) -> tuple[dict[str, FastestLine], dict[str, str]]:
    """The lines by the tracks' names, and why there is none: a policy may still drive there, off the road in parts."""
    found: dict[str, FastestLine] = {}
    unknown: dict[str, str] = {}
    for track in tracks:
        if over.is_set():
            break
        try:
            found[track.name] = fastest_line(track, limits, SPACING)
        except OutlapError as error:
            unknown[track.name] = str(error)
    return found, unknown
