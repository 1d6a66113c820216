"""What a finished run leaves for learning on: its student, its teacher, and a way to see its own pictures again."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
import torch

from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.learning.config import TrainingConfig
from outlap.learning.networks.student import Student
from outlap.learning.networks.weights import load_network
from outlap.learning.recipes.distill import Distiller
from outlap.learning.recipes.teacher import Teacher, TeacherTraining
from outlap.learning.runs.begun import read_run
from outlap.learning.runs.checkpoint import fitting, read_index
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.results import contract
from outlap.learning.runs.training_tracks import trained_on, training_tracks
from outlap.simulation.cameras import Eyes
from outlap.simulation.randomization import OFF
from outlap.states import State, check_keys, under
from outlap.vehicle.car import Car

ENDING = ("stage", "student", "teacher")  # of the state that a finished run of the recipe distill leaves


class FinishedRun:
    """A finished run, as its folder tells.

    Attributes:
        folder: its folder.
        about: what the run is: its configuration, car, seed and versions.
        config, car, seed: the same, checked.
        contract: of its policy.

    Args:
        folder: the run's folder.

    Raises:
        OutlapError: there is no finished run with a teacher, or what is there is damaged.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder, out = folder, folder.path
        folder.check_own()
        index = read_index(folder.checkpoint_folder)
        if index is not None and not index.finished:
            raise OutlapError(f"the run in {out} is not finished: outlap train --resume {out} ends it.")
        held = read_run(folder)
        if index is None or held is None:
            raise OutlapError(f"{out} holds no run to go on from: train one first (outlap train --out {out}).")
        config = held.config
        if not isinstance(config, TrainingConfig):
            raise OutlapError(
                f"the run in {out} has no teacher, since its recipe is {config.recipe}: only one of the recipe distill "
                "can learn from driving."
            )
        self._state: State = held.state
        if "teacher" not in self._state:
            raise OutlapError(f"the run in {out} is of an Outlap that did not keep the teacher: train it anew.")
        self.about, self.config = index.about, config
        self.car: Car = held.car
        self.seed = held.about.seed
        self.contract = contract(config, self.car, self.seed, trained_on(config.mix, folder.tracks_folder))

    def fill(self, teacher: Teacher, student: Student) -> None:
        """Give both what they had learned.

        Raises:
            OutlapError: it is of other networks.
        """
        with fitting(self.folder.checkpoint_folder):
            check_keys(self._state, ENDING)
            with under("teacher"):
                teacher.load(self._state["teacher"])
            with under("student"):
                load_network(student, self._state["student"])


def rehearse(given: FinishedRun, steps: int, tracks: int, between: Callable[[], None] = lambda: None) -> Distiller:
    """Let the run's student drive the run's cars for ``steps`` steps again, in looks that it may not have seen yet.

    Args:
        given: the run.
        steps: of every car.
        tracks: of the run's generated ones, at most, from 1; the given ones come besides.
        between: called between steps, and may raise.

    Returns:
        A distiller with student and teacher as the run left them, whose data are what was seen.
    """
    config = given.config
    driven = config.distill.model_copy(
        update={"steps": steps, "teacher_steps": 0, "mixed_steps": 1, "window": steps * config.distill.cars}
    )
    streams = [int(child.generate_state(1)[0]) for child in np.random.SeedSequence((given.seed, 1)).spawn(4)]
    mix = config.mix.model_copy(update={"generated": min(tracks, config.mix.generated)})
    held, chances = training_tracks(mix, given.folder.tracks_folder, streams[0])
    # The teacher learns no more: one car is enough to know the size of its networks.
    training = TeacherTraining(DrivingTask(held, given.car, 1, config.task, 0, OFF), config.teacher)
    task = DrivingTask(
        held,
        given.car,
        driven.cars,
        config.task,
        streams[1],
        config.randomization,
        chances=chances,
        guide=training.task.guide,
    )
    eyes = Eyes(task.fleet, config.view, streams[2], config.randomization, config.task.rate_hz)
    student = Student(config.student, config.observation, task.table)
    distiller = Distiller(task, eyes, training, student, config.observation, driven, streams[3])
    given.fill(distiller.teacher, distiller.student)
    numba.get_num_threads()  # starts the renderer's threads, which would undo the next line when they start later
    torch.set_num_threads(1)  # the halves are the threads
    for step in range(steps):
        between()
        distiller.drive(step)
    return distiller
