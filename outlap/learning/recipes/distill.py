"""Aggregated imitation (DAgger, Ross et al. 2011): the student drives, the teacher says what it would have done, and
what was seen stays in the data. While the teacher itself still learns, it looks again at all of them now and then."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from outlap.driving.task import RATE_SCALE, DrivingTask
from outlap.errors import OutlapError
from outlap.learning.networks.student import Student, laid_out
from outlap.learning.networks.twin import Halves
from outlap.learning.networks.weights import load_network, load_optimizer, network_state, optimizer_state
from outlap.learning.recipes.shards import Shards
from outlap.learning.recipes.teacher import TeacherTraining
from outlap.learning.settings import DistillConfig
from outlap.policy.contract import Observation
from outlap.policy.observation import frames_to_tensor
from outlap.simulation.cameras import Eyes
from outlap.states import State, restore, snapshot, under
from outlap.vehicle import dynamics

Rows = NDArray[np.int64]
DIVERGED = "the student's learning diverged: lower distill.learning_rate."
BEND_AHEAD = 0.5  # m, where the auxiliary "bend" looks at the road's curvature


class Distiller:
    """Teaches a student.

    Args:
        task: the cars; its episodes are this object's to reset.
        eyes: their cameras.
        training: of the teacher, who labels; it goes on beside the student's.
        student: who learns.
        observation: what the student is given.
        config: the schedule.
        seed: of batches and noise.
        folder: where the data are written, for checkpoints; nowhere when None.
        mirrors: whether every other batch is seen in a mirror, as is right where left and right mean the same: not on
            a few tracks that are always driven the same way.
    """

    STATE: ClassVar = {
        "iteration": "iteration",
        "batches": "done_batches",
        "task": "task",
        "eyes": "eyes",
        "training": "training",
        "rng": "rng",
        "commands": "_commands",
        "age": "_age",
        "shards": "shards",
    }

    def __init__(
        self,
        task: DrivingTask,
        eyes: Eyes,
        training: TeacherTraining,
        student: Student,
        observation: Observation,
        config: DistillConfig,
        seed: int,
        folder: Path | None = None,
        mirrors: bool = True,
    ) -> None:
        self.task, self.eyes, self.training, self.config = task, eyes, training, config
        self.teacher = training.teacher
        self.student = laid_out(student, torch.channels_last)
        self.halves = Halves(self.student)
        self.observation = observation
        self.rng = np.random.default_rng(seed)
        self.shards = Shards(config.window, config.steps, config.cars, observation, task.teacher_inputs, folder)
        self.optimizer = torch.optim.AdamW(
            self.student.parameters(), lr=config.learning_rate, weight_decay=1e-4, fused=True
        )
        self.total_batches = config.steps * config.batches + config.final_batches
        self.done_batches = 0
        self.iteration = 0  # the next one
        n = config.cars
        self._commands = np.zeros((n, observation.commands, 2), dtype=np.float32)
        self._age = np.zeros(n, dtype=np.int64)
        self.mirrors = mirrors and (task.table is None or symmetric(task.table))
        self._scale = np.array([task.config.curvature_limit, task.config.speed_limit])
        # Each car hands over to the student at its own moment, the last ones at the end of the mixed steps.
        self._handover = config.teacher_steps + np.linspace(0, config.mixed_steps, n)

    @property
    def iterations(self) -> int:
        """Of the whole schedule."""
        return self.config.iterations

    @property
    def frames(self) -> int:
        """Camera pictures drawn so far."""
        return self.shards.steps * self.shards.cars

    def iterate(self, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Drive and learn for a stretch of the schedule; ``between`` is called between steps.

        Returns:
            Means over the stretch: ``loss`` and, while driving, ``crashes`` a car and minute and ``disagreement`` of
            student and teacher, as parts of the action's limits; ``reward`` a step of the teacher, while it learns.

        Raises:
            OutlapError: the learning diverged, or the data cannot be written.
        """
        config = self.config
        taught = self.training.beside
        known: dict[str, float] = {}
        for _ in range(taught):
            known = {"reward": self.training.iterate(between)["reward"]}
        numba.get_num_threads()  # starts the renderer's threads, which would undo the next line when they start later
        torch.set_num_threads(1)  # the halves are the threads
        if taught:
            self.teacher = self.training.teacher
            self.shards.label(self.teacher.act)
        found: list[dict[str, float]] = []
        if self.iteration < config.driving:
            first = self.iteration * config.iteration_steps
            for step in range(first, min(first + config.iteration_steps, config.steps)):
                between()
                measures = self.drive(step)
                losses = [self.learn() for _ in range(config.batches)]
                found.append({**measures, "loss": float(np.mean(losses))})
        else:
            most = config.iteration_steps * config.batches
            for _ in range(min(most, self.total_batches - self.done_batches)):
                between()
                found.append({"loss": self.learn()})
        if not all(bool(torch.isfinite(weights).all()) for weights in self.student.parameters()):
            raise OutlapError(DIVERGED)
        self.iteration += 1
        means = {name: [each[name] for each in found if math.isfinite(each[name])] for name in found[0]}
        return known | {name: float(np.mean(values)) for name, values in means.items() if values}

    def state(self) -> State:
        """All that the next iteration depends on; ends the shard in hand."""
        networks = {"student": network_state(self.student), "optimizer": optimizer_state(self.optimizer)}
        return {**snapshot(self), **networks}

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken.

        Raises:
            OutlapError: the data cannot be read, or the state is not of such a distiller.
        """
        restore(self, state, beside=("student", "optimizer"))
        self.teacher = self.training.teacher
        with under("student"):
            load_network(self.student, state["student"])
        with under("optimizer"):
            load_optimizer(self.optimizer, state["optimizer"])
        torch.set_num_threads(1)  # as when they were labelled
        self.shards.label(self.teacher.act)

    def drive(self, step: int) -> dict[str, float]:
        """One step of every car, appended to the data."""
        task, config = self.task, self.config
        known = task.teacher_observation()
        wanted = self.teacher.act(known)
        frames = self.eyes.look()
        self.shards.append(frames, self._commands, known, wanted, auxiliary_targets(task), self._age)
        action = wanted.copy()
        driven = step >= self._handover
        if driven.any():
            action[driven] = self._act(self.shards.newest[driven])
        disagreement = float(np.abs(action[driven] - wanted[driven]).mean()) if driven.any() else math.nan
        noisy = action.copy()
        noisy[:, 0] += config.noise * self.rng.normal(size=config.cars) * (self.rng.random(config.cars) < 0.5)
        _, done, timed_out = task.step(noisy)
        curvature, speed = task.to_command(action)
        self._commands = np.roll(self._commands, 1, axis=1)
        self._commands[:, 0] = np.stack([curvature, speed], axis=1) / self._scale
        self._age += 1
        rows = np.flatnonzero(done)
        if len(rows):
            task.reset(rows)
            self._commands[rows] = 0
        # A thousand looks teach more than a hundred: most change while the car drives, and its history begins anew.
        rows = np.flatnonzero(done | (self.rng.random(config.cars) < 1 / config.look_steps))
        if len(rows):
            self.eyes.reset(rows)
            self._age[rows] = 0
        minutes = config.cars / task.config.rate_hz / 60
        return {"crashes": float((done & ~timed_out).sum()) / minutes, "disagreement": disagreement}

    def learn(self) -> float:
        """One gradient step on a random batch of all data; returns its loss."""
        config = self.config
        part = self.done_batches / self.total_batches
        rate = config.learning_rate * min(self.done_batches / 100 + 0.1, 0.5 * (1 + math.cos(math.pi * part)) + 0.01)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        rows = self.rng.integers(0, self.shards.size, config.batch)
        mirror = self.mirrors and bool(self.done_batches % 2)  # every other batch: left and right must mean the same
        halves = np.array_split(rows, 2)
        data, weight = self.shards, config.auxiliary_weight
        loss = self.halves.gradients(lambda student, half: imitation(student, data, halves[half], mirror, weight))
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        self.done_batches += 1
        return loss

    def _act(self, rows: Rows) -> NDArray[np.float64]:
        """What the student would do at ``rows`` of the data, (k, 2) in -1 … 1."""
        halves = np.array_split(rows, 2)

        def act(student: Student, half: int) -> torch.Tensor:
            with torch.inference_mode():
                frames = torch.from_numpy(frames_to_tensor(self.shards.pictures(halves[half])))
                commands = torch.from_numpy(self.shards.commands[halves[half]])
                return student.quickly(frames, commands)[0]

        action = torch.cat(self.halves.each(act))
        if not torch.isfinite(action).all():
            raise OutlapError(DIVERGED)
        return self.student.decided(action).double().numpy()


def imitation(student: Student, data: Shards, rows: Rows, mirror: bool, auxiliary_weight: float) -> torch.Tensor:
    """Weighted squared error of ``student`` on ``rows`` of ``data``, seen in a mirror or as they are."""
    frames = torch.from_numpy(frames_to_tensor(data.pictures(rows)))
    commands = torch.from_numpy(data.commands[rows])
    action = torch.from_numpy(data.action[rows])
    auxiliary = torch.from_numpy(data.auxiliary[rows])
    if mirror:
        frames, commands, action, auxiliary = mirrored(frames, commands, action, auxiliary)
    predicted, guessed = student.quickly(frames, commands)
    loss = student.imitation_loss(predicted, action)
    return loss + auxiliary_weight * (guessed - auxiliary).square().mean()


def auxiliary_targets(task: DrivingTask) -> NDArray[np.float64]:
    """What a student's auxiliary predictions should be now, (n, 6), each of about unit size."""
    fleet = task.fleet
    located, state = fleet.located, fleet.state
    _, here = fleet.tracks.pose(fleet.track, located.s)
    _, there = fleet.tracks.pose(fleet.track, located.s + BEND_AHEAD)
    bend = (there - here + np.pi) % (2 * np.pi) - np.pi
    turn = (located.heading - state[:, dynamics.YAW] + np.pi) % (2 * np.pi) - np.pi
    return np.stack(
        [
            np.clip(located.left, -0.5, 1) * 2,
            np.clip(located.right, -0.5, 1) * 2,
            np.clip(turn, -1, 1) * 2,
            np.clip(bend, -2, 2),
            state[:, dynamics.SPEED],
            state[:, dynamics.YAW_RATE] / RATE_SCALE,
        ],
        axis=1,
    )


def mirrored(
    frames: torch.Tensor, commands: torch.Tensor, action: torch.Tensor, auxiliary: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same moments seen in a mirror: pictures flipped, what points left points right."""
    flip = torch.tensor([-1.0, 1.0])
    swapped = auxiliary[:, [1, 0, 2, 3, 4, 5]] * torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0, -1.0])
    return frames.flip(-1), commands * flip, action * flip, swapped


def symmetric(table: NDArray[np.float64]) -> bool:
    """Whether a list of actions (k, 2) holds each one's mirror image, too."""
    apart = np.abs(table[:, None] * [-1, 1] - table).sum(axis=2)
    return bool((apart.min(axis=1) < 1e-6).all())
