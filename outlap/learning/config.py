"""The training file: everything that decides what a run learns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, model_validator

from outlap.camera.view import View
from outlap.driving.actions import CONTINUOUS, Actions, with_actions
from outlap.driving.reward.reward import BUILT_IN
from outlap.driving.task_config import TaskConfig
from outlap.errors import OutlapError
from outlap.files import Model, find_config, read_yaml, validate
from outlap.learning.mix import TrackMix, Tracks
from outlap.learning.settings import DistillConfig, PixelConfig, StudentConfig, TeacherConfig, ValidationConfig
from outlap.policy.contract import Observation
from outlap.simulation.clock import TICK
from outlap.simulation.randomization import GivenRandomization
from outlap.vehicle.car import Car


class Recipe(Model):
    """What every training file holds."""

    recipe: str
    tracks: Tracks  # how many generated ones, or a mix with given ones
    randomization: GivenRandomization
    reward: str = BUILT_IN  # or the path of a Python file with the user's own
    caged: bool = False  # whether that file runs in the cage, since it is a stranger's
    actions: Actions = CONTINUOUS  # or a list, or the path of DeepRacer's model_metadata.json
    task: TaskConfig
    student: StudentConfig
    validation: ValidationConfig

    @model_validator(mode="after")
    def _whole_ticks(self) -> Recipe:
        ticks = 1 / (self.task.rate_hz * TICK)
        if abs(ticks - round(ticks)) > 1e-6:
            raise ValueError(f"task.rate_hz: {self.task.rate_hz:g} does not divide the simulator's {1 / TICK:.0f} Hz")
        if self.task.table is None and self.task.speed_min >= self.task.speed_limit:
            raise ValueError("task.speed_min must be below task.speed_limit")
        return self

    @property
    def mix(self) -> TrackMix:
        """The tracks to train on."""
        return TrackMix(generated=self.tracks) if isinstance(self.tracks, int) else self.tracks

    @property
    def view(self) -> View:
        """The canonical view: the one that the camera node shows, whatever is trained."""
        return View()

    @property
    def observation(self) -> Observation:
        """What the student is given, as it goes into the policy file."""
        return Observation(view=self.view, frame_offsets=self.student.frame_offsets, commands=self.student.commands)


class TrainingConfig(Recipe):
    """A teacher, then a student that imitates it; ``config/training/quick.yaml`` explains every key."""

    recipe: Literal["distill"]
    teacher: TeacherConfig
    distill: DistillConfig

    @model_validator(mode="after")
    def _enough_data(self) -> TrainingConfig:
        if self.teacher.minibatches > self.teacher.cars * self.teacher.steps:
            raise ValueError("teacher.minibatches: an iteration has only teacher.cars × teacher.steps pieces of data")
        return self


class PixelTrainingConfig(Recipe):
    """Straight from pictures; ``config/training/ppo.yaml`` explains every key."""

    recipe: Literal["ppo"]
    ppo: PixelConfig


AnyTraining = TrainingConfig | PixelTrainingConfig


class _Named(BaseModel):
    """Of a training file no more than its recipe."""

    recipe: Literal["distill", "ppo"]

    @property
    def model(self) -> type[TrainingConfig] | type[PixelTrainingConfig]:
        return TrainingConfig if self.recipe == "distill" else PixelTrainingConfig


def checked_training(content: object, where: str, what: str) -> AnyTraining:
    """The training file whose content is ``content``; ``where`` and ``what`` open the message when it is refused.

    Raises:
        OutlapError: it is.
    """
    return validate(content, validate(content, _Named, where, what).model, where, what)


def load_training(
    name_or_path: str | Path, car: Car, own_tracks: Sequence[str] = (), both_directions: bool = False
) -> AnyTraining:
    """Read a training file: a path, or the name of one in ``config/training``; see that ``car`` can do what it asks.

    Paths in it are relative to its own folder; in what is returned they are absolute.

    Args:
        name_or_path: which.
        car: the car that is to drive.
        own_tracks: track files or names that are trained on beside the file's generated tracks, in the place of those
            that it names, and that the training is validated on.
        both_directions: whether those are driven the other way, too.

    Raises:
        OutlapError: there is no such file, it is refused, or it asks for more than the car can do.
    """
    path = find_config("training", name_or_path, "training preset")
    model = read_yaml(path, _Named, "training file").model
    config = read_yaml(path, model, "training file")
    if own_tracks:
        mix = config.mix.with_files(own_tracks, both_directions).with_paths(Path(), "--track")
        held = config.validation.model_copy(update={"tracks": mix.files})
        config = config.model_copy(update={"tracks": mix, "validation": held})
    elif both_directions:
        raise OutlapError("--both-directions is of your own tracks: add --track.")
    config = _with_own_files(config, path, car)
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
    where = "--track" if own_tracks else f"{path}: tracks"
    config.mix.check(car, config.task.speed_limit, config.task.curvature_limit, where)
    return config


def _with_own_files(config: AnyTraining, path: Path, car: Car) -> AnyTraining:
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
    tracks = config.tracks
    if isinstance(tracks, TrackMix):
        tracks = tracks.with_paths(path.parent, f"{path}: tracks")
    # Validation may be on files, too; a name that ships stays one.
    validated = [beside(name) if Path(beside(name)).is_file() else name for name in config.validation.tracks]
    validation = config.validation.model_copy(update={"tracks": tuple(validated)})
    return config.model_copy(
        update={"reward": reward, "task": task, "actions": actions, "tracks": tracks, "validation": validation}
    )
