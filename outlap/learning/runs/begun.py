"""A run that was begun, as its checkpoint says: what resuming it and learning on from it both start with."""

from __future__ import annotations

from typing import NamedTuple

from outlap.files import validate
from outlap.learning.config import AnyTraining, checked_training
from outlap.learning.runs.checkpoint import load_checkpoint
from outlap.learning.runs.folder import LearningFolder
from outlap.learning.runs.records import About
from outlap.states import State
from outlap.vehicle.car import Car


class BegunRun(NamedTuple):
    """What a run is, and its state."""

    about: About
    config: AnyTraining
    car: Car
    state: State


def read_run(folder: LearningFolder) -> BegunRun | None:
    """The run that was begun in ``folder``, or None where there is none.

    Raises:
        OutlapError: its checkpoint is damaged or of another Outlap.
    """
    held = load_checkpoint(folder.checkpoint_folder)
    if held is None:
        return None
    where = str(folder.checkpoint_index)
    about = validate(held.about, About, where, "checkpoint")
    config = checked_training(about.config, where, "checkpoint")
    return BegunRun(about, config, validate(about.car, Car, where, "checkpoint"), held.state)
