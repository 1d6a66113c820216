"""Sits beside a car that somebody else's simulator moves: says what the teacher would do there, and counts laps."""

from __future__ import annotations

import math
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outlap.learning.distill import auxiliary_targets
from outlap.learning.pairing import SECOND, Moment
from outlap.learning.task import DrivingTask, TaskConfig
from outlap.learning.teacher import Teacher
from outlap.simulation.randomization import OFF
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

JUMP = 0.3  # m beyond what the car can have driven since the last moment, and it was carried
THERE = 0.15  # m from where it was to be put


class Outcome(Enum):
    """How an episode ended."""

    CLEAN = "clean lap"  # a whole lap, never with all wheels beyond the borders
    FAILED = "put back"  # off the road, or helped


class Advice(NamedTuple):
    """What is to be learned from a moment."""

    known: NDArray[np.float32]  # (1, 43) what the teacher saw
    action: NDArray[np.float64]  # (1, 2) what it would do, in -1 … 1
    auxiliary: NDArray[np.float64]  # (1, 6)


class Coach:
    """One car on one track, known from its moments.

    Attributes:
        outcomes: of the episodes since they were last taken away. An episode begins where the car is put, and ends
            with a clean lap from there, or when somebody has to help.

    Args:
        track: the one that the simulator shows.
        car: the car.
        task: what actions mean.
        teacher: who knows what to do.
    """

    def __init__(self, track: Track, car: Car, task: TaskConfig, teacher: Teacher) -> None:
        self.outcomes: list[Outcome] = []
        self._task = DrivingTask(TrackSet([track]), car, 1, task, 0, OFF)
        self._teacher = teacher
        self._scale = np.array([task.curvature_limit, task.speed_limit])
        self._length = float(self._task.fleet.tracks.length[0])  # m
        self._max_speed = car.drive.max_speed  # m/s
        self._driving = False  # whether an episode is under way
        self._target: tuple[float, float] | None = None  # where the car is being put
        self._last: int | None = None  # stamp of the last moment
        self._progress = 0.0  # m since the episode began

    def placed(self, x: float, y: float) -> None:
        """Somebody puts the car at x, y (m)."""
        self._end()
        self._target = (x, y)

    def advise(self, moment: Moment) -> Advice | None:
        """What the teacher says at ``moment``; None where nothing is to be learned: off the road, or being put back."""
        fleet, state = self._task.fleet, moment.state
        before = fleet.located.s[0]
        moved = math.hypot(*(state[:2] - fleet.state[0, :2]))
        since = math.inf if self._last is None else (moment.stamp - self._last) / SECOND
        carried = moved > JUMP + self._max_speed * since
        self._last = moment.stamp
        fleet.state[0] = state
        near = np.full(1, np.nan) if carried or not self._driving else fleet.located.s
        fleet.located = fleet.tracks.locate(fleet.track, fleet.middle(), near)
        if self._target is not None:
            if math.hypot(*(state[:2] - self._target)) > THERE:
                return None
            self._target = None
            self._begin()
        elif carried:
            self._end()
        clearance = fleet.wheel_clearance()
        if self._driving:
            ahead = (fleet.located.s[0] - before + self._length / 2) % self._length - self._length / 2
            self._progress += float(ahead)
            if clearance.max() <= 0:
                self._end()
            elif self._progress >= self._length:
                self.outcomes.append(Outcome.CLEAN)
                self._progress -= self._length
        elif clearance.min() > 0:
            self._begin()
        # The teacher learned where its own episodes end: as long as the car's middle is on the road.
        if min(fleet.located.left[0], fleet.located.right[0]) < 0:
            return None
        curvature, speed = (moment.commands[:1] * self._scale).T
        self._task.last = self._task.to_action(curvature, speed)
        known = self._task.teacher_observation()
        return Advice(known, self._teacher.act(known), auxiliary_targets(self._task))

    def _begin(self) -> None:
        self._driving, self._progress = True, 0.0

    def _end(self) -> None:
        if self._driving:
            self.outcomes.append(Outcome.FAILED)
        self._driving = False
