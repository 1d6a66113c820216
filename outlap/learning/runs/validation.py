"""How good is the student as it learns? A few laps on tracks and in looks that it is never trained on.

Each validation drives the very same laps: same places, looks and cars. It shares no random stream with the training, so
how often it is made changes nothing about what is learned.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from outlap.driving.laps import time_limit
from outlap.driving.task import DrivingTask
from outlap.driving.task_config import TaskConfig
from outlap.learning.networks.student import Exported, Student
from outlap.learning.runs.records import ValidationLap
from outlap.learning.settings import ValidationConfig
from outlap.policy.contract import Contract
from outlap.policy.runtime import BatchDriver, Policy
from outlap.simulation.cameras import Eyes
from outlap.simulation.clock import LIVE_DELAY, TICK
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import Car


class Score(NamedTuple):
    """What a validation found."""

    clean_laps: float  # fraction of all
    lap_time: float  # s, mean of the clean laps; infinite where there are none
    laps: tuple[ValidationLap, ...] = ()

    def as_good_as(self, other: Score | None) -> bool:
        """Whether this is no worse than ``other``: more clean laps or, of as many, in no more time."""
        return other is None or (self.clean_laps, -self.lap_time) >= (other.clean_laps, -other.lap_time)


class Validation:
    """Cars on standing starts around the tracks, which can be sent off again and again.

    Args:
        config: how many cars, and where.
        car: the car.
        task: the training's; rewards do not matter here.
        contract: the policy's, whose observation and rate the student drives with.
        seed: of starts, looks and cars.
    """

    def __init__(self, config: ValidationConfig, car: Car, task: TaskConfig, contract: Contract, seed: int) -> None:
        self.config, self._contract = config, contract
        tracks = TrackSet([load_track(name) for name in config.tracks])
        n = config.cars
        rng = np.random.default_rng(seed)
        self._task = DrivingTask(tracks, car, n, task, int(rng.integers(1 << 31)), config.randomization)
        fleet = self._task.fleet
        track = np.arange(n) % len(config.tracks)
        self._names = [tracks.tracks[k].name for k in track]
        self._length = tracks.length[track]
        # Evenly spread over each lap.
        place = (np.arange(n) // len(config.tracks)) / np.maximum(-(-n // len(config.tracks)), 1)
        self._start = place * self._length
        fleet.stand(np.arange(n), track, self._start)
        self._task.begin(np.arange(n))
        if config.randomization.car is None or config.randomization.car.action_delay is None:
            fleet.delay[:] = rng.integers(LIVE_DELAY[0], LIVE_DELAY[1] + 1, n)
        self._eyes = Eyes(
            fleet, contract.observation.view, int(rng.integers(1 << 31)), config.randomization, contract.rate_hz
        )
        self._begin = self._task.state(), self._eyes.state()

    def due(self, iteration: int, last: int, clean: bool) -> bool:
        """Whether to validate after the student's ``iteration`` of ``last``; ``clean``: there was a clean lap yet."""
        return iteration == last or iteration % (self.config.every if clean else self.config.until_clean) == 0

    def __call__(
        self,
        student: Student,
        between: Callable[[], None] = lambda: None,
        watch: Callable[[NDArray[np.uint8], NDArray[np.bool_]], None] | None = None,
    ) -> Score:
        """Let ``student`` drive, which stays as it is.

        Args:
            student: who drives.
            between: called between steps.
            watch: given what the cars see (n, H, W) and which of them still drive (n,), each step.
        """
        task, eyes, fleet = self._task, self._eyes, self._task.fleet
        task.load(self._begin[0])
        eyes.load(self._begin[1])
        driver = BatchDriver(cast(Policy, _Network(student, self._contract)), fleet.n)
        period = task.config.ticks * TICK
        limit, lap_time = time_limit(self._length), np.full(fleet.n, np.nan)
        driving = np.ones(fleet.n, dtype=bool)
        time = 0.0
        while driving.any():
            between()
            pictures = eyes.look()
            if watch is not None:
                watch(pictures, driving)
            command = driver.act(pictures).astype(np.float64)
            task.step(task.to_action(command[:, 0], command[:, 1]))
            time += period
            judged = task.judged
            assert judged is not None
            for row, lap in judged.laps.items():
                if driving[row] and lap.clean:
                    lap_time[row] = lap.time_s
                driving[row] = False
            driving &= ~(judged.left_road | judged.stuck) & (time < limit)
        clean = np.isfinite(lap_time)
        laps = tuple(
            ValidationLap(
                track=name,
                start_m=round(float(start), 3),
                lap_time_s=round(float(time), 3) if np.isfinite(time) else None,
            )
            for name, start, time in zip(self._names, self._start, lap_time, strict=True)
        )
        return Score(float(clean.mean()), float(lap_time[clean].mean()) if clean.any() else math.inf, laps)


class _Network:
    """The student as it is now, in the place of a policy file's network."""

    def __init__(self, student: Student, contract: Contract) -> None:
        self.contract = contract
        self._module = Exported(copy.deepcopy(student), contract.action).eval()

    def infer(self, frames: NDArray[np.float32], commands: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return self._module(torch.from_numpy(frames), torch.from_numpy(commands)).numpy()
