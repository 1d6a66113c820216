"""An evaluation from end to end: the laps, under each disturbance too, and how they compare with the best possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from outlap.errors import OutlapError
from outlap.evaluation.drivers import Driver
from outlap.evaluation.laps import Trace, planned
from outlap.evaluation.report import Evaluation, Optimal, counted, mean_of, row_result, track_results
from outlap.evaluation.sharing import Task, drive_all
from outlap.evaluation.suite import Row, disturbed
from outlap.simulation.randomization import Randomization
from outlap.simulation.yardstick import limits_of
from outlap.track.fastest import FastestLine, fastest_line
from outlap.track.track import Track
from outlap.vehicle.car import Car


class Plan(NamedTuple):
    """What is to be driven."""

    tracks: Sequence[Track]
    trials: int  # laps a track and seed
    seeds: Sequence[int]
    name: str  # of the randomization
    randomization: Randomization
    rows: Mapping[str, Row]  # of the suite

    @property
    def laps(self) -> int:
        """How many laps that are."""
        return self.trials * len(self.tracks) * len(self.seeds) * (1 + len(self.rows))


def assess(
    driver: Driver,
    car: Car,
    plan: Plan,
    jobs: int,
    report: Callable[[int], None] | None = None,
    traced: bool = False,
    fastest: Mapping[str, FastestLine] | None = None,
) -> tuple[Evaluation, list[Trace]]:
    """Drive all laps of ``plan``.

    Args:
        driver: who drives.
        car: the car.
        plan: what to drive.
        jobs: processes that share the laps.
        report: called now and then with the number of laps that have ended since its last call.
        traced: keep every step of the laps without a disturbance; otherwise there are no traces.
        fastest: the fastest lines by the tracks' names; those missing are not compared with.

    Raises:
        OutlapError: what is wrong with the plan, before any lap is driven; or a policy file was exchanged meanwhile.
    """
    laps = planned(plan.tracks, plan.trials, plan.seeds)
    disturbances = {name: disturbed(plan.randomization, name, row) for name, row in plan.rows.items()}
    tasks = [Task(driver, plan.randomization, laps, traced)]
    tasks += [Task(driver, randomization, laps) for randomization in disturbances.values()]
    driven, *rows = drive_all(tasks, plan.tracks, car, jobs, report)
    optimal = {
        name: Optimal(flying_s=line.lap_time, standing_s=line.standing_lap_time)
        for name, line in (fastest or {}).items()
    }
    count, tracks = counted(driven.trials), track_results(driven.trials, optimal)
    evaluation = Evaluation(
        policy=driver.name,
        digest=driver.digest,
        car=car.name,
        seeds=list(plan.seeds),
        randomization=plan.name,
        clean_fraction=count.clean_fraction,
        clean_interval=count.clean_interval,
        completed_fraction=round(count.completed / count.laps, 4),
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
    return evaluation, driven.traces


def fastest_lines(tracks: Sequence[Track], car: Car, speed_limit: float) -> dict[str, FastestLine]:
    """Fastest lines of the nominal car under a speed limit (m/s), by track; none where it cannot stay on the road."""
    found: dict[str, FastestLine] = {}
    for track in tracks:
        try:
            found[track.name] = fastest_line(track, limits_of(car, speed_limit))
        except OutlapError:
            continue  # a policy may still drive it with some wheels beyond the borders
    return found
