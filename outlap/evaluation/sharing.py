"""Laps shared among processes: the same results however many there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from outlap.driving.choice import Driver
from outlap.driving.pilots import Pilot
from outlap.evaluation.laps import BATCH, PlannedTrial, Trace, Trial, batches, drive
from outlap.launching.jobs.executor import Executor, Job, Setup, ThisProcess, Worker
from outlap.launching.jobs.processes import LocalProcesses
from outlap.simulation.randomization import Randomization
from outlap.track.track import Track
from outlap.vehicle.car import Car

WORTH = 24  # laps; a process of its own for fewer takes longer to start than to drive them


class Task(NamedTuple):
    """Trials to be driven under one randomization."""

    driver: Driver
    randomization: Randomization
    plans: Sequence[PlannedTrial]
    traced: bool = False
    reward: Path | None = None  # a user's file, for the traces; the built-in one without it


@dataclass
class Driven:
    """What became of a task, in the order of its plans."""

    trials: list[Trial] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def drive_all(
    tasks: Sequence[Task],
    tracks: Sequence[Track],
    car: Car,
    jobs: int,
    report: Callable[[int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> list[Driven]:
    """Drive the laps of all tasks.

    Args:
        tasks: what to drive.
        tracks: the tracks that the plans' indices mean.
        car: the car.
        jobs: processes that share the laps; results do not depend on it.
        report: called now and then with the number of trials that have ended since its last call.
        warn: called with a sentence when a process was lost and its laps are driven again; by default it goes to the
            standard error.

    Raises:
        OutlapError: a policy file is refused, or processes die again and again.
    """
    total = sum(len(task.plans) for task in tasks)
    processes = min(jobs, -(-total // WORTH))
    rounds = -(-total // (BATCH * processes))
    size = max(-(-total // (rounds * processes)), 1)
    parts = [(k, plans) for k, task in enumerate(tasks) for plans in batches(tracks, task.plans, size)]
    calls = [
        Job(f"part {i} of {len(parts)} of the laps", _drive_part, (k, plans)) for i, (k, plans) in enumerate(parts, 1)
    ]
    executor: Executor = ThisProcess() if processes == 1 else LocalProcesses(processes)
    threads = processes == 1 < jobs  # those beside it have nothing to do
    setup = Setup(_Common, (tuple(tasks), tuple(tracks), car, threads))
    results = executor.run(calls, setup, report, warn)
    return [
        _in_order(task.plans, [(plans, found) for (i, plans), found in zip(parts, results, strict=True) if i == k])
        for k, task in enumerate(tasks)
    ]


def _in_order(
    plans: Sequence[PlannedTrial], parts: list[tuple[list[PlannedTrial], tuple[list[Trial], list[Trace]]]]
) -> Driven:
    trials = {plan: trial for part, (found, _) in parts for plan, trial in zip(part, found, strict=True)}
    traces = {plan: trace for part, (_, found) in parts if found for plan, trace in zip(part, found, strict=True)}
    return Driven([trials[plan] for plan in plans], [traces[plan] for plan in plans if plan in traces])


class _Common:
    """What all parts need, once in each process."""

    def __init__(self, tasks: Sequence[Task], tracks: Sequence[Track], car: Car, threads: bool) -> None:
        self.tasks, self.tracks, self.car, self.threads = tasks, tracks, car, threads
        self._pilots: dict[Driver, Pilot] = {}

    def pilot(self, driver: Driver) -> Pilot:
        """The driver's pilot, loaded when first asked for."""
        if driver not in self._pilots:
            self._pilots[driver] = driver.pilot(self.car)
        return self._pilots[driver]


def _drive_part(worker: Worker, k: int, plans: list[PlannedTrial]) -> tuple[list[Trial], list[Trace]]:
    """Drive some trials of task ``k``."""
    common: _Common = worker.prepared
    task = common.tasks[k]
    return drive(
        common.pilot(task.driver),
        common.tracks,
        plans,
        common.car,
        task.randomization,
        worker.report,
        task.traced,
        task.reward,
        common.threads,
    )
