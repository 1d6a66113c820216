"""The training file: everything that decides what a run learns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from outlap.camera.view import View
from outlap.errors import OutlapError
from outlap.files import Model, read_yaml, share_directory, validate
from outlap.learning.actions import CONTINUOUS, Actions, with_actions
from outlap.learning.distill import DistillConfig
from outlap.learning.reward import BUILT_IN
from outlap.learning.student import StudentConfig
from outlap.learning.task import TaskConfig
from outlap.learning.teacher import TeacherConfig
from outlap.learning.validation import ValidationConfig
from outlap.policy.contract import Observation
from outlap.simulation.fleet import TICK
from outlap.simulation.randomization import Randomization, load_randomization
from outlap.vehicle.car import Car


def _read(given: object) -> object:
    """The file that a name or path stands for; a whole mapping as it is."""
    return load_randomization(given) if isinstance(given, str) else given


class TrainingConfig(Model):
    """One training file; ``config/training/quick.yaml`` explains every key."""

    recipe: Literal["distill"]
    tracks: Annotated[int, Field(ge=1, le=4096)]
    randomization: Annotated[Randomization, BeforeValidator(_read)]
    reward: str = BUILT_IN  # or the path of a Python file with the user's own
    actions: Actions = CONTINUOUS  # or a list, or the path of DeepRacer's model_metadata.json
    task: TaskConfig
    teacher: TeacherConfig
    student: StudentConfig
    distill: DistillConfig
    validation: ValidationConfig

    @model_validator(mode="after")
    def _whole_ticks(self) -> TrainingConfig:
        ticks = 1 / (self.task.rate_hz * TICK)
        if abs(ticks - round(ticks)) > 1e-6:
            raise ValueError(f"task.rate_hz: {self.task.rate_hz:g} does not divide the simulator's {1 / TICK:.0f} Hz")
        if self.task.table is None and self.task.speed_min >= self.task.speed_limit:
            raise ValueError("task.speed_min must be below task.speed_limit")
        if self.teacher.minibatches > self.teacher.cars * self.teacher.steps:
            raise ValueError("teacher.minibatches: an iteration has only teacher.cars × teacher.steps pieces of data")
        return self

    @property
    def view(self) -> View:
        """The canonical view: the one that the camera node shows, whatever is trained."""
        return View()

    @property
    def observation(self) -> Observation:
        """What the student is given, as it goes into the policy file."""
        return Observation(view=self.view, frame_offsets=self.student.frame_offsets, commands=self.student.commands)


def load_training(name_or_path: str | Path, car: Car) -> TrainingConfig:
    """Read a training file: a path, or the name of one in ``config/training``; see that ``car`` can do what it asks.

    Paths in it are relative to its own folder; in what is returned they are absolute.

    Raises:
        OutlapError: there is no such file, it is refused, or it asks for more than the car can do.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        folder = share_directory() / "config" / "training"
        path = folder / f"{name_or_path}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
            raise OutlapError(
                f"there is no training preset named {name_or_path!r}: give a .yaml file, or one of {known}."
            )
    config = _with_own_files(read_yaml(path, TrainingConfig, "training file"), path, car)
    seen = {"view": config.view, "frame_offsets": config.student.frame_offsets, "commands": config.student.commands}
    validate(seen, Observation, f"{path}: student", "training file")
    for key, wanted, offered, unit in (
        ("task.curvature_limit", config.task.curvature_limit, car.max_curvature, "1/m"),
        ("task.speed_limit", config.task.speed_limit, car.drive.max_speed, "m/s"),
    ):
        if wanted > offered:
            raise OutlapError(
                f"{path}: {key} is {wanted:g} {unit}, but the car {car.name} reaches only {offered:.3g} {unit}."
            )
    return config


def _with_own_files(config: TrainingConfig, path: Path, car: Car) -> TrainingConfig:
    """The training file at ``path`` with the user's own reward file found, and its actions read."""

    def beside(name: str) -> str:
        return str((path.parent / Path(name).expanduser()).resolve())

    reward, actions = config.reward, config.actions
    if reward != BUILT_IN:
        reward = beside(reward)
        if not (reward.endswith(".py") and Path(reward).is_file()):
            raise OutlapError(
                f"{path}: reward must be {BUILT_IN} or a Python file, and there is no {reward}; a path is relative to "
                "the training file's folder."
            )
    if isinstance(actions, str) and actions != CONTINUOUS:
        actions = beside(actions)
    task, actions = with_actions(config.task, actions, car, f"{path}: actions")
    return config.model_copy(update={"reward": reward, "task": task, "actions": actions})
