"""Laps driven many at once: each from a standing start at a place of its own, in a world drawn for it alone.

A trial is a lap, or several in a row; what begins on the start line is a heat, as a race is. What a lap is, and which
ones are clean, says :mod:`outlap.driving.laps`.

Everything random about a lap comes from its track's name, its seed and its number. Its result is the same whatever
laps are driven beside it, in whichever order, and on however many cores.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from outlap.driving.laps import Lap, mean_lap_time, time_limit
from outlap.driving.pilots import Pilot
from outlap.driving.reward.user_reward import UserReward
from outlap.driving.task import DrivingTask
from outlap.simulation.cameras import Eyes
from outlap.simulation.clock import LIVE_DELAY, TICK
from outlap.simulation.randomization import Randomization
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car

BATCH = 256  # cars that drive at once, at most: with 96 a lap takes a fifth longer, with 384 as long as with 192
FULL = 0.85  # part of a batch's cars still driving, below which the others are dropped from it

# Columns of a trace's rows.
S, X, Y, SPEED, CURVATURE, WANTED_SPEED, REWARD = range(7)  # m, m, m, m/s, 1/m asked for, m/s asked for, –


class PlannedTrial(NamedTuple):
    """One trial to be driven."""

    track: int  # index of the track
    seed: int
    number: int  # of the trial on this track with this seed
    laps: int = 1  # in a row
    from_line: bool = False  # on the start line, instead of anywhere


class Trial(BaseModel):
    """One lap, or several in a row, from a standing start."""

    track: str
    seed: int
    number: int
    completed: bool  # all of its laps were finished in time
    clean: bool  # and all of them were clean
    lap_time_s: float | None  # s, mean of its laps, the first from a standing start; None where not completed
    off_track: int  # times that no wheel was on the road; the car was put back each time
    put_back: int = 0  # times that the car was put back because it was stuck
    laps: list[Lap] = []  # those that were finished
    left_road_at: list[tuple[float, float, float]]  # m along the lap, x, y in m: where the car's middle was each time
    start_m: float  # m, where on the lap it began
    mean_speed: float  # m/s


@dataclass(frozen=True)
class Trace:
    """How a lap went, step by step."""

    track: str
    rows: NDArray[np.float32]  # (steps, 7) of S … REWARD; the place and the speed are those before the step


def planned(
    tracks: Sequence[Track], trials: int, seeds: Sequence[int], laps: int = 1, from_line: bool = False
) -> list[PlannedTrial]:
    """Every trial of an evaluation: ``trials`` on each track with each seed, of ``laps`` laps in a row."""
    return [
        PlannedTrial(k, seed, i, laps, from_line) for k in range(len(tracks)) for seed in seeds for i in range(trials)
    ]


def batches(tracks: Sequence[Track], plans: Sequence[PlannedTrial], most: int = BATCH) -> list[list[PlannedTrial]]:
    """The trials dealt out to batches that take about as long as each other."""
    length = TrackSet(tracks).length
    order = sorted(plans, key=lambda plan: (-length[plan.track], plan))
    count = -(-len(order) // most)
    return [order[k::count] for k in range(count)]


def drive(
    pilot: Pilot,
    tracks: Sequence[Track],
    plans: Sequence[PlannedTrial],
    car: Car,
    randomization: Randomization,
    report: Callable[[int], None] | None = None,
    traced: bool = False,
    reward: Path | None = None,
    threads: bool = True,
) -> tuple[list[Trial], list[Trace]]:
    """Drive ``plans`` all at once.

    Args:
        pilot: who drives.
        tracks: the tracks that the plans' indices mean.
        plans: what to drive.
        car: the car.
        randomization: of looks, cameras and cars. Unless it says how late commands are, they take effect 1 or 2 ticks
            late, as on a live graph.
        report: called with the number of trials that ended since its last call.
        traced: keep every step; otherwise there are no traces.
        reward: Python file whose rewards the traces hold; by default they hold the built-in one, speed along the lap.
        threads: draw pictures on all cores.

    Returns:
        trials, and traces or nothing, in the plans' order.

    Raises:
        OutlapError: the reward file is at fault.
    """
    batch = _Batch(pilot, tracks, plans, car, randomization, traced, reward, threads)
    left = len(plans)
    try:
        while left:
            batch.step()
            ended, left = left - batch.left, batch.left
            if report is not None and ended:
                report(ended)
    finally:
        batch.close()
    return batch.trials(), batch.traces()


class _Batch:
    """Trials as they are driven: arrays with an entry a trial, and a fleet with a car for each that still drives."""

    def __init__(
        self,
        pilot: Pilot,
        tracks: Sequence[Track],
        plans: Sequence[PlannedTrial],
        car: Car,
        randomization: Randomization,
        traced: bool,
        reward: Path | None,
        threads: bool,
    ) -> None:
        used = sorted({plan.track for plan in plans})  # each track costs a map
        self.tracks = TrackSet([tracks[k] for k in used])
        self.plans, n = list(plans), len(plans)
        self.at = np.arange(n)  # the trial that each car of the fleet drives
        self.running = np.ones(n, dtype=bool)  # cars whose trial has not ended
        self.track = np.searchsorted(used, [plan.track for plan in plans])
        self.length = self.tracks.length[self.track]
        names = [zlib.crc32(one.name.encode()) for one in self.tracks.tracks]
        draws = [
            np.random.default_rng([names[k], plan.seed, plan.number]) for k, plan in zip(self.track, plans, strict=True)
        ]
        config = pilot.task_config()
        self.period = config.ticks * TICK
        self.reward = None if reward is None else UserReward(reward, self.tracks, car, n, 0)
        self.task = DrivingTask(self.tracks, car, n, config, 0, randomization, self.reward)
        self.fleet = self.task.fleet
        self.eyes = (
            None if pilot.view is None else Eyes(self.fleet, pilot.view, 0, randomization, config.rate_hz, threads)
        )
        # Drawn for heats, too, so that what else is random about a trial does not depend on where it begins.
        anywhere = np.array([rng.random() for rng in draws]) * self.length
        self.start = np.where([plan.from_line for plan in plans], 0.0, anywhere)
        self.fleet.delay[:] = [rng.integers(LIVE_DELAY[0], LIVE_DELAY[1] + 1) for rng in draws]
        for row, rng in enumerate(draws):
            rows = np.array([row])
            self.task.start(rows, self.track[rows], self.start[rows], rng)
            if self.eyes is not None:
                self.eyes.reset(rows, rng)
        self.crew = pilot.crew(self.fleet, self.eyes)
        self.wanted = np.array([plan.laps for plan in plans])
        self.limit = time_limit(self.length, self.wanted)  # s
        self.time, self.distance = np.zeros(n), np.zeros(n)  # s, m
        self.driven: list[list[Lap]] = [[] for _ in plans]
        self.put_back = np.zeros(n, dtype=np.int64)  # times that a car was stuck
        self.left_road: list[list[tuple[float, float, float]]] = [[] for _ in plans]
        self.steps: list[tuple[NDArray[np.int64], NDArray[np.float32]]] | None = [] if traced else None

    @property
    def left(self) -> int:
        """How many trials have not ended."""
        return int(np.count_nonzero(self.running))

    def step(self) -> None:
        """One command of every car."""
        if self.left < FULL * len(self.at) and self.reward is None:  # which remembers its cars
            self._shrink()
        fleet = self.fleet
        command = np.asarray(self.crew.act(), dtype=np.float64)
        before, middle, speed = fleet.located.s, fleet.middle(), fleet.state[:, dynamics.SPEED].copy()
        reward, *_ = self.task.step(self.task.to_action(command[:, 0], command[:, 1]))
        running, at = self.running, self.at[self.running]
        if self.steps is not None:
            columns = (before, middle[:, 0], middle[:, 1], speed, command[:, 0], command[:, 1], reward)
            self.steps.append((at, np.stack(columns, axis=1)[running].astype(np.float32)))
        self.time[at] += self.period
        self.distance[at] += np.abs(fleet.state[running, dynamics.SPEED]) * self.period
        judged = self.task.judged
        assert judged is not None
        for row, lap in judged.laps.items():
            if running[row]:
                self.driven[self.at[row]].append(lap)
        self._put_back(running & judged.left_road, running & judged.stuck)
        done = np.array([len(self.driven[i]) for i in at]) >= self.wanted[at]
        self.running[running] = ~done & (self.time[at] < self.limit[at])

    def _put_back(self, left_road: NDArray[np.bool_], stuck: NDArray[np.bool_]) -> None:
        """Put cars back on the centre line, at rest, and note where they left the road."""
        helped = left_road | stuck
        if not helped.any():
            return
        fleet, rows = self.fleet, np.flatnonzero(helped)
        s = fleet.footing(rows).s
        for row, place in zip(np.flatnonzero(left_road), fleet.middle()[left_road], strict=True):
            self.left_road[self.at[row]].append(
                (round(float(fleet.located.s[row]), 3), round(float(place[0]), 3), round(float(place[1]), 3))
            )
        self.put_back[self.at[stuck]] += 1
        fleet.stand(rows, fleet.track[rows], s)
        self.task.laps.placed(rows, self.task.time)
        self.crew.reset(helped)

    def _shrink(self) -> None:
        """Drop the cars whose trials have ended."""
        rows = np.flatnonzero(self.running)
        self.at, self.running = self.at[rows], self.running[rows]
        self.task.keep(rows)
        if self.eyes is not None:
            self.eyes.keep(rows)
        self.crew.keep(rows)

    def close(self) -> None:
        """End the process that a user's reward file runs in."""
        if self.reward is not None:
            self.reward.close()

    def trials(self) -> list[Trial]:
        """What became of each trial."""
        return [
            Trial(
                track=self.tracks.tracks[self.track[i]].name,
                seed=plan.seed,
                number=plan.number,
                completed=len(self.driven[i]) == plan.laps,
                clean=len(self.driven[i]) == plan.laps and all(one.clean for one in self.driven[i]),
                lap_time_s=mean_lap_time(self.driven[i], 3) if len(self.driven[i]) == plan.laps else None,
                off_track=len(self.left_road[i]),
                put_back=int(self.put_back[i]),
                laps=self.driven[i],
                left_road_at=self.left_road[i],
                start_m=round(float(self.start[i]), 3),
                mean_speed=round(float(self.distance[i] / self.time[i]), 3),
            )
            for i, plan in enumerate(self.plans)
        ]

    def traces(self) -> list[Trace]:
        """Every step of each lap, where they were kept."""
        if self.steps is None:
            return []
        at, rows = (np.concatenate(part) for part in zip(*self.steps, strict=True))
        order = np.argsort(at, kind="stable")
        parts = np.split(rows[order], np.cumsum(np.bincount(at, minlength=len(self.plans)))[:-1])
        return [Trace(self.tracks.tracks[k].name, part) for k, part in zip(self.track, parts, strict=True)]
