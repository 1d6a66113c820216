"""Sits beside a car that somebody else's simulator moves: says what the teacher would do there, and counts laps."""

from __future__ import annotations

import math
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outlap.driving.laps import Lap, LapCounter, is_carried
from outlap.driving.task import DrivingTask
from outlap.driving.task_config import TaskConfig
from outlap.learning.live.moments import SECOND, Moment
from outlap.learning.recipes.distill import auxiliary_targets
from outlap.learning.recipes.teacher import Teacher
from outlap.simulation.randomization import OFF
from outlap.track.footing import Footing, footing
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

UNSEEN = 1.0  # s without a moment, after which nobody knows what became of an episode
THERE = 0.15  # m from where it was to be put
GIVEN_UP = 3 * SECOND  # after which a car that was to be put elsewhere is taken to be where it is


class Outcome(Enum):
    """How an episode ended."""

    CLEAN = "clean lap"
    FAILED = "put back"  # off the road, or helped


class Advice(NamedTuple):
    """What is to be learned from a moment."""

    known: NDArray[np.float32]  # (1, k) what the teacher saw
    action: NDArray[np.float64]  # (1, 2) what it would do, in -1 … 1
    auxiliary: NDArray[np.float64]  # (1, 6)


class Coach:
    """One car on one track, known from its moments.

    Attributes:
        outcomes: of the episodes since they were last taken away. An episode begins where the car is put, and ends
            with a clean lap from there, or when somebody has to help.
        laps: those that were completed.

    Args:
        track: the one that the simulator shows.
        car: the car.
        task: what actions mean.
        teacher: who knows what to do.
    """

    def __init__(self, track: Track, car: Car, task: TaskConfig, teacher: Teacher) -> None:
        self.outcomes: list[Outcome] = []
        self.laps: list[Lap] = []
        self._task = DrivingTask(TrackSet([track]), car, 1, task, 0, OFF)
        self._teacher = teacher
        self._scale = np.array([task.curvature_limit, task.speed_limit])
        self._counter = LapCounter(self._task.fleet.tracks.length)
        self._max_speed = car.drive.max_speed  # m/s
        self._driving = False  # whether an episode is under way
        self._target: tuple[float, float] | None = None  # where the car is being put
        self._asked: int | None = None  # stamp of the first moment since that was asked for
        self._last: int | None = None  # stamp of the last moment

    @property
    def teacher_inputs(self) -> int:
        """How many numbers the teacher sees."""
        return self._task.teacher_inputs

    def placed(self, x: float, y: float) -> None:
        """Somebody puts the car at x, y (m)."""
        self._end()
        self._target, self._asked = (x, y), None

    def advise(self, moment: Moment) -> Advice | None:
        """What the teacher says at ``moment``; None where nothing is to be learned: off the road, or being put back."""
        fleet, state = self._task.fleet, moment.state
        moved = math.hypot(*(state[:2] - fleet.state[0, :2]))
        since = math.inf if self._last is None else (moment.stamp - self._last) / SECOND
        self._last = moment.stamp
        if since > UNSEEN:  # disarmed, say, or driven by hand: that says nothing of the policy
            self._driving = False
        elif is_carried(moved, since, self._max_speed):
            self._end()
        fleet.state[0] = state
        near = fleet.located.s if self._driving else np.full(1, np.nan)
        fleet.located = fleet.tracks.locate(fleet.track, fleet.middle(), near)
        if self._target is not None:
            self._asked = moment.stamp if self._asked is None else self._asked
            if math.hypot(*(state[:2] - self._target)) > THERE and moment.stamp < self._asked + GIVEN_UP:
                return None
            self._target = None
        stands, time = footing(fleet.tracks, 0, fleet.car, state[:3], fleet.located.s), moment.stamp / SECOND
        if self._driving:
            self._judge(time, since, stands)
        elif stands.clearance.min() > 0:
            self._driving = True
            self._counter.start(0, stands.s, time)
        if stands.off_road[0]:  # the teacher learned where its own episodes end
            return None
        curvature, speed = (moment.commands[:1] * self._scale).T
        self._task.last = self._task.to_action(curvature, speed)
        known = self._task.teacher_observation()
        return Advice(known, self._teacher.act(known), auxiliary_targets(self._task))

    def _judge(self, time: float, since: float, stands: Footing) -> None:
        """The car stands there at ``time`` (s), ``since`` s after it was last judged."""
        judged = self._counter.step(time, since, stands)
        for lap in judged.laps.values():
            self.laps.append(lap)
            if lap.clean:
                self.outcomes.append(Outcome.CLEAN)
        if judged.left_road[0] or judged.stuck[0]:
            self._end()

    def _end(self) -> None:
        if self._driving:
            self.outcomes.append(Outcome.FAILED)
        self._driving = False
