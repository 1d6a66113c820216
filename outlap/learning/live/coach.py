"""Sits beside a car that somebody else's simulator moves: says what the teacher would do there, and counts laps."""

from __future__ import annotations

import math
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outlap.driving.task import DrivingTask
from outlap.driving.task_config import TaskConfig
from outlap.learning.live.moments import SECOND, Moment
from outlap.learning.recipes.distill import auxiliary_targets
from outlap.learning.recipes.teacher import Teacher
from outlap.simulation.randomization import OFF
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

JUMP = 0.3  # m beyond what the car can have driven since the last moment, and it was carried
THERE = 0.15  # m from where it was to be put
GIVEN_UP = 3 * SECOND  # after which a car that was to be put elsewhere is taken to be where it is


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
        self._asked: int | None = None  # stamp of the first moment since that was asked for
        self._last: int | None = None  # stamp of the last moment
        self._progress = 0.0  # m since the episode began

    def placed(self, x: float, y: float) -> None:
        """Somebody puts the car at x, y (m)."""
        self._end()
        self._target, self._asked = (x, y), None

    def advise(self, moment: Moment) -> Advice | None:
        """What the teacher says at ``moment``; None where nothing is to be learned: off the road, or being put back."""
        fleet, state = self._task.fleet, moment.state
        s, moved = float(fleet.located.s[0]), math.hypot(*(state[:2] - fleet.state[0, :2]))
        since = math.inf if self._last is None else (moment.stamp - self._last) / SECOND
        self._last = moment.stamp
        if moved > JUMP + self._max_speed * since:
            self._end()
        fleet.state[0] = state
        near = fleet.located.s if self._driving else np.full(1, np.nan)
        fleet.located = fleet.tracks.locate(fleet.track, fleet.middle(), near)
        if self._target is not None:
            self._asked = moment.stamp if self._asked is None else self._asked
            if math.hypot(*(state[:2] - self._target)) > THERE and moment.stamp < self._asked + GIVEN_UP:
                return None
            self._target = None
        clearance = fleet.wheel_clearance()
        if self._driving:
            self._drive(float(fleet.located.s[0]) - s, clearance)
        elif clearance.min() > 0:
            self._driving, self._progress = True, 0.0
        # The teacher learned where its own episodes end: as long as the car's middle is on the road.
        if min(fleet.located.left[0], fleet.located.right[0]) < 0:
            return None
        curvature, speed = (moment.commands[:1] * self._scale).T
        self._task.last = self._task.to_action(curvature, speed)
        known = self._task.teacher_observation()
        return Advice(known, self._teacher.act(known), auxiliary_targets(self._task))

    def _drive(self, ahead: float, clearance: NDArray[np.float64]) -> None:
        """The car moved on by ``ahead`` m along the lap, and its wheels are so far from the borders."""
        self._progress += (ahead + self._length / 2) % self._length - self._length / 2
        if clearance.max() <= 0:
            self._end()
        elif self._progress >= self._length:
            self.outcomes.append(Outcome.CLEAN)
            self._progress -= self._length

    def _end(self) -> None:
        if self._driving:
            self.outcomes.append(Outcome.FAILED)
        self._driving = False
