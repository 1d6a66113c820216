"""One drive, judged by evaluation, the live referee, a lesson's coach and validation: the same laps for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from outlap.driving.laps import Lap
from outlap.driving.pilots import Crew, LinePilot
from outlap.driving.task_config import TaskConfig
from outlap.evaluation.laps import PlannedTrial, Trial, drive
from outlap.learning.config import TrainingConfig
from outlap.learning.live.coach import Coach, Outcome
from outlap.learning.live.moments import SECOND, Moment
from outlap.learning.recipes.teacher import Teacher
from outlap.learning.runs.results import contract
from outlap.learning.runs.validation import Validation
from outlap.racing.referee import Referee
from outlap.simulation.cameras import Eyes
from outlap.simulation.fleet import Fleet
from outlap.simulation.randomization import Randomization
from outlap.track.footing import Pose, start_pose
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

LATE = Randomization.model_validate({"car": {"action_delay": 0.0125}})
LAPS = 3
SWERVE = range(70, 95)  # steps of the drive that leaves the road

KNOWN = 43  # numbers that a teacher of at most 2 m/s knows without a guide


class Recorded:
    """Drives the fastest line, swerves off where it is to, and keeps its commands as the networks' float32."""

    view = None

    def __init__(self, car: Car, swerve: range) -> None:
        self._pilot, self._swerve = LinePilot(car, 2.0, 30.0), swerve
        self.commands: list[NDArray[np.float32]] = []

    def task_config(self) -> TaskConfig:
        return self._pilot.task_config()

    def crew(self, fleet: Fleet, eyes: Eyes | None) -> Crew:
        self._crew = self._pilot.crew(fleet, eyes)
        return self

    def act(self) -> NDArray[np.float64]:
        command = self._crew.act().astype(np.float32)
        if len(self.commands) in self._swerve:
            command[:] = [-3.0, 2.0]
        self.commands.append(command[0])
        return command.astype(np.float64)

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """It has no memory."""

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Nor anything for each car."""


class Replayed(nn.Module):
    """In the place of a student: gives the recorded commands, one after the other, as parts of the limits."""

    def __init__(self, commands: list[NDArray[np.float32]], config: TaskConfig) -> None:
        super().__init__()
        half = (config.speed_limit - config.speed_min) / 2
        self._actions = [
            torch.tensor([[c / config.curvature_limit, (v - config.speed_min) / half - 1]]) for c, v in commands
        ]
        self._next = 0

    def forward(self, frames: torch.Tensor, commands: torch.Tensor) -> tuple[torch.Tensor]:
        action = self._actions[min(self._next, len(self._actions) - 1)]
        self._next += 1
        return (action.float(),)


@pytest.fixture
def oval() -> Track:
    return load_track("oval")


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.float64]]:
    """Fills with where the first car of each fleet is after each of its steps, before anybody puts it back."""
    found: list[NDArray[np.float64]] = []
    step = Fleet.step

    def watched(self: Fleet, *arguments: Any) -> None:
        step(self, *arguments)
        found.append(self.state[0].copy())

    monkeypatch.setattr(Fleet, "step", watched)
    return found


def heat(oval: Track, car: Car, pilot: Recorded) -> Trial:
    """An evaluation's."""
    (trial,), _ = drive(pilot, [oval], [PlannedTrial(0, 0, 0, LAPS, True)], car, LATE)
    return trial


def refereed(oval: Track, car: Car, states: list[NDArray[np.float64]], period: float) -> list[Lap]:
    referee = Referee(oval, car, laps=0)
    referee.start(0.0)
    for k, state in enumerate(states, 1):
        referee.step(k * period, Pose(*state[:3]))
    return referee.laps


def coached(oval: Track, car: Car, states: list[NDArray[np.float64]], config: TaskConfig, period: float) -> Coach:
    coach = Coach(oval, car, config, Teacher(nn.Linear(KNOWN, 2)))
    start = np.zeros(len(states[0]))
    start[:3] = start_pose(TrackSet([oval]))
    for k, state in enumerate([start, *states]):
        stamp = SECOND + round(k * period * SECOND)
        coach.advise(Moment(stamp, np.zeros((48, 80), np.uint8), np.zeros((2, 2), np.float32), state, 0))
    return coach


def validated(
    oval: Track, car: Car, commands: list[NDArray[np.float32]], tiny: Callable[..., dict[str, Any]], task: TaskConfig
) -> float | None:
    config = TrainingConfig.model_validate(tiny(validation={"cars": 1, "tracks": ["oval"]}))
    validation = config.validation.model_copy(update={"randomization": LATE})
    promise = contract(config, car, 0)
    action = promise.action.model_copy(
        update={"curvature_limit": task.curvature_limit, "speed_min": task.speed_min, "speed_limit": task.speed_limit}
    )
    judge = Validation(validation, car, task, promise.model_copy(update={"action": action}), 0)
    (lap,) = judge(Replayed(commands, task)).laps  # type: ignore[arg-type]  in a student's place
    return lap.lap_time_s


@pytest.mark.slow
def test_a_clean_drive_has_the_same_laps_for_all(
    oval: Track, car: Car, states: list[NDArray[np.float64]], tiny: Callable[..., dict[str, Any]]
) -> None:
    pilot = Recorded(car, range(0))
    config = pilot.task_config()
    period = 1 / config.rate_hz
    trial = heat(oval, car, pilot)
    path = list(states)
    assert trial.clean and len(trial.laps) == LAPS
    times = [lap.time_s for lap in trial.laps]
    assert len(set(times)) > 1  # the first began at rest
    assert [lap.time_s for lap in refereed(oval, car, path, period)] == pytest.approx(times, abs=5e-4)
    coach = coached(oval, car, path, config, period)
    assert [lap.time_s for lap in coach.laps] == pytest.approx(times, abs=5e-4)
    assert coach.outcomes == [Outcome.CLEAN] * LAPS
    assert validated(oval, car, pilot.commands, tiny, config) == pytest.approx(times[0], abs=1e-3)


@pytest.mark.slow
def test_a_drive_that_leaves_the_road_is_clean_for_nobody(
    oval: Track, car: Car, states: list[NDArray[np.float64]], tiny: Callable[..., dict[str, Any]]
) -> None:
    pilot = Recorded(car, SWERVE)
    config = pilot.task_config()
    period = 1 / config.rate_hz
    trial = heat(oval, car, pilot)
    path = list(states)
    assert trial.completed and not trial.clean
    assert [lap.clean for lap in trial.laps] == [False, True, True]
    assert trial.off_track == trial.laps[0].off_track > 0
    judged = refereed(oval, car, path, period)
    assert [lap.off_track for lap in judged] == [lap.off_track for lap in trial.laps]
    assert [lap.time_s for lap in judged] == pytest.approx([lap.time_s for lap in trial.laps], abs=5e-4)
    # A lesson's episode ends there, and the next one begins where the car was put.
    coach = coached(oval, car, path, config, period)
    assert coach.outcomes[0] is Outcome.FAILED
    assert Outcome.CLEAN in coach.outcomes
    assert validated(oval, car, pilot.commands, tiny, config) is None
