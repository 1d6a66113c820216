"""Many laps at once, faster than real time: how good is a policy, over many starts, tracks and looks?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel

from outlap.learning.eyes import Eyes
from outlap.learning.task import DrivingTask, TaskConfig
from outlap.policy.runtime import BatchDriver, Policy
from outlap.simulation.fleet import TICK
from outlap.simulation.randomization import OFF, Randomization
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

BATCH = 128  # cars that drive at once
SLOWEST = 0.5  # m/s, mean speed below which a lap counts as not completed
LEAST_TIME = 60.0  # s, that even the shortest lap is given


class Trial(BaseModel):
    """One lap from a standing start somewhere on a track."""

    track: str
    completed: bool  # the lap was finished in time
    clean: bool  # and never were all four wheels beyond the borders at once
    lap_time_s: float | None  # s, None where not completed
    off_track: int  # times that all four wheels were off; the car was put back each time
    start_m: float  # m, where on the lap it began
    mean_speed: float  # m/s


class Evaluation(BaseModel):
    """All trials of an evaluation."""

    policy: str
    digest: str
    seed: int
    look: str
    trials: list[Trial]
    clean_fraction: float
    completed_fraction: float
    mean_lap_time_s: float | None  # of the clean laps


def evaluate(
    policy: Policy,
    tracks: Sequence[Track],
    car: Car,
    trials: int,
    seed: int,
    randomization: Randomization = OFF,
    report: Callable[[int], None] | None = None,
) -> list[Trial]:
    """Drive ``trials`` laps on each of ``tracks``, all from a standing start at a random place.

    Args:
        policy: who drives.
        tracks: the tracks.
        car: the car.
        trials: laps a track.
        seed: of starts, looks and cars.
        randomization: of looks, cameras and cars; without it the look is plain, the cars drive as on file, and their
            cameras show the canonical view exactly. Commands take effect 1 or 2 ticks
            late in either case, as on a live graph.
        report: called with the number of laps finished so far.
    """
    jobs = [(index, trial) for index in range(len(tracks)) for trial in range(trials)]
    found: list[Trial] = []
    all_tracks = TrackSet(tracks)
    for begin in range(0, len(jobs), BATCH):
        part = np.array([index for index, _ in jobs[begin : begin + BATCH]])
        tell = (lambda done, before=begin: report(before + done)) if report else None
        found += _drive(policy, all_tracks, part, car, [seed, begin], randomization, tell)
    return found


def summarise(trials: list[Trial], policy: Policy, seed: int, look: str) -> Evaluation:
    """The trials with their fractions."""
    times = [trial.lap_time_s for trial in trials if trial.clean and trial.lap_time_s is not None]
    return Evaluation(
        policy=str(policy.path or ""),
        digest=policy.digest,
        seed=seed,
        look=look,
        trials=trials,
        clean_fraction=float(np.mean([trial.clean for trial in trials])),
        completed_fraction=float(np.mean([trial.completed for trial in trials])),
        mean_lap_time_s=float(np.mean(times)) if times else None,
    )


def _drive(
    policy: Policy,
    tracks: TrackSet,
    index: np.ndarray,
    car: Car,
    seed: list[int],
    randomization: Randomization,
    report: Callable[[int], None] | None,
) -> list[Trial]:
    """One lap of each car, on the tracks ``index`` (n,)."""
    contract, n = policy.contract, len(index)
    rng = np.random.default_rng(seed)
    task = DrivingTask(tracks, car, n, _task_config(policy), int(rng.integers(1 << 31)), randomization)
    fleet = task.fleet
    rows = np.arange(n)
    length = tracks.length[index]
    start = rng.random(n) * length
    fleet.place(rows, index, start)
    fleet.delay[:] = rng.integers(1, max(task.config.ticks - 1, 2), n)  # what a live graph needs, 1 or 2 ticks
    eyes = Eyes(fleet, contract.observation.view, int(rng.integers(1 << 31)), randomization)
    driver = BatchDriver(policy, n)
    progress, lap_time = np.zeros(n), np.full(n, np.nan)
    off_track, distance = np.zeros(n, dtype=int), np.zeros(n)
    limit = np.maximum(length / SLOWEST, LEAST_TIME)
    period = task.config.ticks * TICK
    steps = np.zeros(n)
    running = np.ones(n, dtype=bool)
    while running.any():
        command = driver.act(eyes.look()).astype(np.float64)
        before = fleet.located.s
        task.step(task.to_action(command[:, 0], command[:, 1]))
        steps += running
        ahead = (fleet.located.s - before + length / 2) % length - length / 2
        progress += ahead * running
        distance += np.abs(fleet.state[:, 3]) * period * running
        off = running & (fleet.wheel_clearance().max(axis=1) < 0)
        if off.any():
            off_track += off
            fleet.place(rows[off], index[off], fleet.located.s[off])
            driver.reset(off)
        finished = running & (progress >= length)
        lap_time[finished] = steps[finished] * period
        running &= ~finished & (steps * period < limit)
        if report is not None and finished.any():
            report(n - int(running.sum()))
    return [
        Trial(
            track=tracks.tracks[index[i]].name,
            completed=bool(np.isfinite(lap_time[i])),
            clean=bool(np.isfinite(lap_time[i]) and off_track[i] == 0),
            lap_time_s=round(float(lap_time[i]), 3) if np.isfinite(lap_time[i]) else None,
            off_track=int(off_track[i]),
            start_m=round(float(start[i]), 3),
            mean_speed=round(float(distance[i] / (steps[i] * period)), 3),
        )
        for i in range(n)
    ]


def _task_config(policy: Policy) -> TaskConfig:
    """A task with the policy's own action and rate; rewards do not matter here."""
    contract = policy.contract
    return TaskConfig(
        rate_hz=contract.rate_hz,
        curvature_limit=contract.action.curvature_limit,
        speed_min=contract.action.speed_min,
        speed_limit=contract.action.speed_limit,
        episode_s=3600,
        edge_margin=0,
        edge_penalty=0,
        change_penalty=0,
        crash_penalty=0,
    )
