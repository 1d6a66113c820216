"""What a policy may ask of the car: any curvature and speed within limits, or one of a list of actions.

A training file's ``actions`` is ``continuous`` (the limits are the task's own), a list of steering angles and speeds,
or one of DeepRacer's ``model_metadata.json`` files, which holds such a list, or ranges of both.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from outlap.driving.task_config import TaskConfig
from outlap.errors import OutlapError
from outlap.files import Model, read_bytes, validate
from outlap.vehicle.car import Car

WHAT = "DeepRacer action space"
MOST_ACTIONS = 1000
LEAST_STEERING = 0.1  # degrees: a list whose actions all steer less can only drive straight on
TOLERANCE = 1e-3  # degrees by which 30 may be more than a car's 0.5236 rad


class DiscreteAction(Model):
    """One action of a list."""

    steering_angle: Annotated[float, Field(ge=-90, le=90)]  # degrees, left positive
    speed: Annotated[float, Field(ge=0)]  # m/s
    index: int | None = None  # DeepRacer's running number, which says nothing


CONTINUOUS = "continuous"
# ``continuous``, the path of a model_metadata.json, or a list.
Actions = Annotated[
    Annotated[str, Tag("file")] | Annotated[tuple[DiscreteAction, ...], Tag("list")],
    Discriminator(lambda given: "file" if isinstance(given, str) else "list"),
]


class _Range(Model):
    low: float
    high: float

    @model_validator(mode="after")
    def _order(self) -> _Range:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g})")
        return self


class _Ranges(Model):
    steering_angle: _Range  # degrees
    speed: _Range  # m/s


class _Metadata(Model):
    """DeepRacer's file. What it says of sensors, network and algorithm does not apply here."""

    action_space_type: Literal["discrete", "continuous"] | None = None
    sensor: Any = None
    neural_network: Any = None
    training_algorithm: Any = None
    version: Any = None
    lidar_config: Any = None


class _Discrete(_Metadata):
    action_space: tuple[DiscreteAction, ...]


class _Continuous(_Metadata):
    action_space: _Ranges


def with_actions(task: TaskConfig, actions: Actions, car: Car, where: str) -> tuple[TaskConfig, Actions]:
    """A task with the limits, and the list if there is one, that ``actions`` asks for.

    Args:
        task: whose own limits hold when the actions are ``continuous``.
        actions: as in the training file; a path must be absolute or relative to the working directory.
        car: whose wheelbase turns steering angles into curvatures, and whose limits hold.
        where: the training file, which opens the messages.

    Returns:
        The task, and the actions as they can be written down without another file.

    Raises:
        OutlapError: the file cannot be read, a key is unknown, or an action is beyond the car's limits; the sentence
            names it.
    """
    if actions == CONTINUOUS:
        return task, actions
    if isinstance(actions, str):
        where = actions
        found = _read(Path(actions))
        if isinstance(found, _Ranges):
            return _within(task, found, car, where), CONTINUOUS
        actions = found
    plain = tuple(DiscreteAction(steering_angle=each.steering_angle, speed=each.speed) for each in actions)
    return _chosen_from(task, actions, car, where), plain


def _read(path: Path) -> tuple[DiscreteAction, ...] | _Ranges:
    try:
        content = json.loads(read_bytes(path, WHAT, limit=1 << 20))
    except ValueError as error:  # JSON's own and UTF-8's
        raise OutlapError(f"{path}: the {WHAT} is not valid JSON: {error}.") from error
    ranges = isinstance(content, dict) and isinstance(content.get("action_space"), dict)
    metadata = validate(content, _Continuous if ranges else _Discrete, str(path), WHAT)
    if metadata.action_space_type not in (None, "continuous" if ranges else "discrete"):
        raise OutlapError(
            f"{path}: action_space_type says {metadata.action_space_type}, but action_space holds "
            f"{'ranges' if ranges else 'a list'}: make them agree."
        )
    return metadata.action_space


def _within(task: TaskConfig, ranges: _Ranges, car: Car, where: str) -> TaskConfig:
    angle, speed = ranges.steering_angle, ranges.speed
    if abs(angle.low + angle.high) > TOLERANCE or angle.high < LEAST_STEERING:
        raise OutlapError(
            f"{where}: steering_angle reaches from {angle.low:g} to {angle.high:g} degrees: a continuous action space "
            "must steer as far to either side; for anything else give a list."
        )
    if speed.low < 0 or speed.low >= speed.high:
        raise OutlapError(f"{where}: speed must reach from 0 m/s or more to more than that.")
    _check(car, where, "steering_angle", angle.high, speed.high)
    limits = {"curvature_limit": _curvature(angle.high, car), "speed_min": speed.low, "speed_limit": speed.high}
    return task.model_copy(update={**limits, "table": None})


def _chosen_from(task: TaskConfig, actions: tuple[DiscreteAction, ...], car: Car, where: str) -> TaskConfig:
    if len(actions) < 2:
        raise OutlapError(f"{where}: a list of actions needs at least two to choose from, not {len(actions)}.")
    if len(actions) > MOST_ACTIONS:
        raise OutlapError(f"{where}: a list of actions holds at most {MOST_ACTIONS}, not {len(actions)}.")
    for number, action in enumerate(actions):
        _check(car, where, f"action {number}", action.steering_angle, action.speed)
    if max(abs(action.steering_angle) for action in actions) < LEAST_STEERING:
        raise OutlapError(f"{where}: none of the {len(actions)} actions steers.")
    speeds = [action.speed for action in actions]
    if not max(speeds):
        raise OutlapError(f"{where}: none of the {len(actions)} actions drives.")
    table = tuple((_curvature(action.steering_angle, car), action.speed) for action in actions)
    return task.model_copy(
        update={
            "curvature_limit": max(abs(curvature) for curvature, _ in table),
            "speed_min": min(speeds),
            "speed_limit": max(speeds),
            "table": table,
        }
    )


def _check(car: Car, where: str, what: str, angle: float, speed: float) -> None:
    most = math.degrees(car.steering.max_angle)
    if abs(angle) > most + TOLERANCE:
        raise OutlapError(f"{where}: {what} steers {angle:g} degrees, but the car {car.name} reaches only {most:.4g}.")
    if speed > car.drive.max_speed:
        raise OutlapError(
            f"{where}: {what} drives {speed:g} m/s, but the car {car.name} reaches only {car.drive.max_speed:g}."
        )


def _curvature(angle: float, car: Car) -> float:
    """1/m of a steering angle in degrees."""
    return min(max(car.curvature(math.radians(angle)), -car.max_curvature), car.max_curvature)
