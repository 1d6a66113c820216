"""The numbers of the driving task, away from the code that drives, so that a file is read, and refused, at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from outlap.files import Model
from outlap.policy.contract import Action
from outlap.simulation.clock import TICK


class GuideConfig(Model):
    """The fastest line that the teacher is shown, and that it begins by following."""

    grip: Annotated[float, Field(gt=0, le=1)]  # part of the car's friction that the line uses
    margin: Annotated[float, Field(ge=-0.5, le=0.5)]  # m, that the wheels which count keep from the borders


class TaskConfig(Model):
    """The task's numbers; every one stands in the training file."""

    rate_hz: Annotated[float, Field(ge=2, le=120)]  # commands a second
    curvature_limit: Annotated[float, Field(gt=0)]  # 1/m
    speed_min: Annotated[float, Field(ge=0)]  # m/s
    speed_limit: Annotated[float, Field(gt=0)]  # m/s
    table: tuple[tuple[float, float], ...] | None = None  # 1/m and m/s of each action, where they are a list
    episode_s: Annotated[float, Field(gt=1)]  # s, after which a car starts anew elsewhere
    wheels: Literal[1, 4] = 4  # that shall stay on the road: all, or one, which is the rule of a clean lap
    edge_margin: Annotated[float, Field(ge=0)]  # m, those wheels nearer to a border than this are penalised
    edge_penalty: Annotated[float, Field(ge=0)]  # per step, for such a wheel on the border; grows linearly
    change_penalty: Annotated[float, Field(ge=0)]  # per unit of change of the curvature command, squared
    crash_penalty: Annotated[float, Field(ge=0)]  # once, for leaving the road
    guide: GuideConfig | None = None  # of the teacher; without one it finds a line of its own

    @property
    def action(self) -> Action:
        """Limits of the action, as they go into the policy file."""
        return Action(
            curvature_limit=self.curvature_limit,
            speed_min=self.speed_min,
            speed_limit=self.speed_limit,
            table=self.table,
        )

    @property
    def ticks(self) -> int:
        """Simulator ticks a command."""
        return round(1 / (self.rate_hz * TICK))
