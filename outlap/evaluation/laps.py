"""Laps driven many at once: each from a standing start at a place of its own, in a world drawn for it alone.

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

from outlap.driving.pilots import Pilot
from outlap.driving.reward.user_reward import UserReward
from outlap.driving.task import DrivingTask
from outlap.simulation.cameras import Eyes
from outlap.simulation.clock import TICK
from outlap.simulation.randomization import Randomization
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car

BATCH = 256  # cars that drive at once, at most: with 96 a lap takes a fifth longer, with 384 as long as with 192
FULL = 0.85  # part of a batch's cars still driving, below which the others are dropped from it
SLOWEST = 0.5  # m/s, mean speed below which a lap counts as not completed
LEAST_TIME = 60.0  # s, that even the shortest lap is given
LIVE_DELAY = (1, 2)  # ticks from a command to the actuators on a live graph, least and most

# Columns of a trace's rows.
S, X, Y, SPEED, CURVATURE, WANTED_SPEED, REWARD = range(7)  # m, m, m, m/s, 1/m asked for, m/s asked for, –


class Lap(NamedTuple):
    """One lap to be driven."""

    track: int  # index of the track
    seed: int
    number: int  # of the trial on this track with this seed


class Trial(BaseModel):
    """One lap from a standing start somewhere on a track."""

    track: str
    seed: int
    number: int
    completed: bool  # the lap was finished in time
    clean: bool  # and never were all four wheels beyond the borders at once
    lap_time_s: float | None  # s, None where not completed
    off_track: int  # times that all four wheels were off; the car was put back each time
    left_road_at: list[tuple[float, float, float]]  # m along the lap, x, y in m: where the car's middle was each time
    start_m: float  # m, where on the lap it began
    mean_speed: float  # m/s


@dataclass(frozen=True)
class Trace:
    """How a lap went, step by step."""

    track: str
    rows: NDArray[np.float32]  # (steps, 7) of S … REWARD; the place and the speed are those before the step


def planned(tracks: Sequence[Track], trials: int, seeds: Sequence[int]) -> list[Lap]:
    """Every lap of an evaluation: ``trials`` on each track with each seed."""
    return [Lap(k, seed, i) for k in range(len(tracks)) for seed in seeds for i in range(trials)]


def batches(tracks: Sequence[Track], laps: Sequence[Lap], most: int = BATCH) -> list[list[Lap]]:
    """The laps dealt out to batches that take about as long as each other."""
    length = TrackSet(tracks).length
    order = sorted(laps, key=lambda lap: (-length[lap.track], lap))
    count = -(-len(order) // most)
    return [order[k::count] for k in range(count)]


def drive(
    pilot: Pilot,
    tracks: Sequence[Track],
    laps: Sequence[Lap],
    car: Car,
    randomization: Randomization,
    report: Callable[[int], None] | None = None,
    traced: bool = False,
    reward: Path | None = None,
    threads: bool = True,
) -> tuple[list[Trial], list[Trace]]:
    """Drive ``laps`` all at once.

    Args:
        pilot: who drives.
        tracks: the tracks that the laps' indices mean.
        laps: what to drive.
        car: the car.
        randomization: of looks, cameras and cars. Unless it says how late commands are, they take effect 1 or 2 ticks
            late, as on a live graph.
        report: called with the number of laps that ended since its last call.
        traced: keep every step; otherwise there are no traces.
        reward: Python file whose rewards the traces hold; by default they hold the built-in one, speed along the lap.
        threads: draw pictures on all cores.

    Returns:
        trials, and traces or nothing, in the laps' order.

    Raises:
        OutlapError: the reward file is at fault.
    """
    batch = _Batch(pilot, tracks, laps, car, randomization, traced, reward, threads)
    left = len(laps)
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
    """Laps as they are driven: arrays with an entry a lap, and a fleet with a car for each that still drives."""

    def __init__(
        self,
        pilot: Pilot,
        tracks: Sequence[Track],
        laps: Sequence[Lap],
        car: Car,
        randomization: Randomization,
        traced: bool,
        reward: Path | None,
        threads: bool,
    ) -> None:
        used = sorted({lap.track for lap in laps})  # each track costs a map
        self.tracks = TrackSet([tracks[k] for k in used])
        self.laps, n = list(laps), len(laps)
        self.at = np.arange(n)  # the lap that each car of the fleet drives
        self.running = np.ones(n, dtype=bool)  # cars whose lap has not ended
        self.track = np.searchsorted(used, [lap.track for lap in laps])
        self.length = self.tracks.length[self.track]
        names = [zlib.crc32(one.name.encode()) for one in self.tracks.tracks]
        draws = [
            np.random.default_rng([names[k], lap.seed, lap.number]) for k, lap in zip(self.track, laps, strict=True)
        ]
        config = pilot.task_config()
        self.period = config.ticks * TICK
        self.reward = None if reward is None else UserReward(reward, self.tracks, car, n, 0)
        self.task = DrivingTask(self.tracks, car, n, config, 0, randomization, self.reward)
        self.fleet = self.task.fleet
        self.eyes = (
            None if pilot.view is None else Eyes(self.fleet, pilot.view, 0, randomization, config.rate_hz, threads)
        )
        self.start = np.array([rng.random() for rng in draws]) * self.length
        self.fleet.delay[:] = [rng.integers(LIVE_DELAY[0], LIVE_DELAY[1] + 1) for rng in draws]
        for row, rng in enumerate(draws):
            rows = np.array([row])
            self.task.start(rows, self.track[rows], self.start[rows], rng)
            if self.eyes is not None:
                self.eyes.reset(rows, rng)
        self.crew = pilot.crew(self.fleet, self.eyes)
        self.limit = np.maximum(self.length / SLOWEST, LEAST_TIME)  # s
        self.time, self.progress, self.distance = np.zeros(n), np.zeros(n), np.zeros(n)  # s, m, m
        self.lap_time = np.full(n, np.nan)  # s
        self.left_road: list[list[tuple[float, float, float]]] = [[] for _ in laps]
        self.steps: list[tuple[NDArray[np.int64], NDArray[np.float32]]] | None = [] if traced else None

    @property
    def left(self) -> int:
        """How many laps have not ended."""
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
        length = self.length[at]
        ahead = (fleet.located.s - before)[running]
        ahead = (ahead + length / 2) % length - length / 2
        done = self.progress[at] + ahead
        self.progress[at] = done
        self.time[at] += self.period
        self.distance[at] += np.abs(fleet.state[running, dynamics.SPEED]) * self.period
        finished = done >= length
        # The line was crossed within the step.
        beyond = np.clip((done - length)[finished] / np.maximum(ahead[finished], 1e-9), 0, 1)
        self.lap_time[at[finished]] = self.time[at[finished]] - beyond * self.period
        # In the very step that finished the lap, wheels still count.
        self._put_back(running)
        self.running[running] = ~finished & (self.time[at] < self.limit[at])

    def _put_back(self, running: NDArray[np.bool_]) -> None:
        """Note which cars have all wheels off the road, and put them back on the centre line, at rest."""
        fleet = self.fleet
        off = running & (fleet.wheel_clearance().max(axis=1) < 0)
        if not off.any():
            return
        rows = np.flatnonzero(off)
        for row, place in zip(rows, fleet.middle()[rows], strict=True):
            s, x, y = (round(float(value), 3) for value in (fleet.located.s[row], *place))
            self.left_road[self.at[row]].append((s, x, y))
        fleet.place(rows, fleet.track[rows], fleet.located.s[rows])
        self.crew.reset(off)

    def _shrink(self) -> None:
        """Drop the cars whose laps have ended."""
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
        """What became of each lap."""
        return [
            Trial(
                track=self.tracks.tracks[self.track[i]].name,
                seed=lap.seed,
                number=lap.number,
                completed=bool(np.isfinite(self.lap_time[i])),
                clean=bool(np.isfinite(self.lap_time[i])) and not self.left_road[i],
                lap_time_s=round(float(self.lap_time[i]), 3) if np.isfinite(self.lap_time[i]) else None,
                off_track=len(self.left_road[i]),
                left_road_at=self.left_road[i],
                start_m=round(float(self.start[i]), 3),
                mean_speed=round(float(self.distance[i] / self.time[i]), 3),
            )
            for i, lap in enumerate(self.laps)
        ]

    def traces(self) -> list[Trace]:
        """Every step of each lap, where they were kept."""
        if self.steps is None:
            return []
        at, rows = (np.concatenate(part) for part in zip(*self.steps, strict=True))
        order = np.argsort(at, kind="stable")
        parts = np.split(rows[order], np.cumsum(np.bincount(at, minlength=len(self.laps)))[:-1])
        return [Trace(self.tracks.tracks[k].name, part) for k, part in zip(self.track, parts, strict=True)]
