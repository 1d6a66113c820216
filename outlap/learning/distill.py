"""Aggregated imitation (DAgger, Ross et al. 2011): the student drives, the teacher says what it would have done, and
every picture ever seen stays in the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from outlap.errors import OutlapError
from outlap.files import Model
from outlap.learning.eyes import Eyes
from outlap.learning.halves import Halves
from outlap.learning.student import AUXILIARY, Student
from outlap.learning.task import RATE_SCALE, DrivingTask
from outlap.learning.teacher import Teacher
from outlap.policy.contract import Observation
from outlap.policy.observation import frames_to_tensor
from outlap.vehicle import dynamics

Rows = NDArray[np.int64]
ACTION_WEIGHTS = torch.tensor([2.0, 0.5])  # of the squared errors of curvature and speed, as parts of their limits
BEND_AHEAD = 0.5  # m, where the auxiliary "bend" looks at the road's curvature


class DistillConfig(Model):
    """The schedule, all in steps and batches, never seconds."""

    cars: Annotated[int, Field(ge=1)]  # cars that drive at once
    steps: Annotated[int, Field(ge=1)]  # steps that each of them drives
    teacher_steps: Annotated[int, Field(ge=0)]  # first steps, in which only the teacher drives
    mixed_steps: Annotated[int, Field(ge=1)]  # steps after those, over which cars pass from teacher to student
    batches: Annotated[int, Field(ge=1)]  # gradient steps a driven step
    final_batches: Annotated[int, Field(ge=0)]  # gradient steps on all the data at the end
    batch: Annotated[int, Field(ge=2)]  # pictures a gradient step
    learning_rate: Annotated[float, Field(gt=0)]  # the highest, of a warm-up and a cosine
    auxiliary_weight: Annotated[float, Field(ge=0)]  # of the auxiliary loss
    noise: Annotated[float, Field(ge=0)]  # deviation of what is added to the driven curvature, part of the limit
    look_steps: Annotated[float, Field(ge=1)]  # mean steps after which a car's look is drawn anew as it drives


class Shards:
    """All pictures ever seen, with what the teacher said; rows are steps × cars, appended step by step."""

    def __init__(self, steps: int, cars: int, observation: Observation) -> None:
        view, rows = observation.view, steps * cars
        self.cars = cars
        self.frames = np.empty((rows, view.height, view.width), dtype=np.uint8)
        self.commands = np.empty((rows, observation.commands, 2), dtype=np.float32)
        self.action = np.empty((rows, 2), dtype=np.float32)
        self.auxiliary = np.empty((rows, len(AUXILIARY)), dtype=np.float32)
        self.first = np.empty(rows, dtype=np.int64)  # row of the episode's first picture
        self.offsets = np.array(observation.frame_offsets)
        self.size = 0

    def append(
        self,
        frames: NDArray[np.uint8],
        commands: NDArray[np.float32],
        action: NDArray[np.float64],
        auxiliary: NDArray[np.float64],
        age: NDArray[np.int64],
    ) -> None:
        """One step of all cars; ``age`` (n,) counts the steps since each car's episode began."""
        rows = slice(self.size, self.size + self.cars)
        self.frames[rows], self.commands[rows] = frames, commands
        self.action[rows], self.auxiliary[rows] = action, auxiliary
        here = np.arange(self.size, self.size + self.cars)
        self.first[rows] = np.maximum(here - age * self.cars, here % self.cars)
        self.size += self.cars

    def pictures(self, rows: Rows) -> NDArray[np.uint8]:
        """(k, T, H, W): each row's picture and earlier ones; an episode's first stands in for those before it."""
        earlier = rows[:, None] - self.offsets * self.cars
        return self.frames[np.maximum(earlier, self.first[rows][:, None])]


class Distiller:
    """Teaches a student.

    Args:
        task: the cars; its episodes are this object's to reset.
        eyes: their cameras.
        teacher: who labels.
        student: who learns.
        observation: what the student is given.
        config: the schedule.
        seed: of batches and noise.
    """

    def __init__(
        self,
        task: DrivingTask,
        eyes: Eyes,
        teacher: Teacher,
        student: Student,
        observation: Observation,
        config: DistillConfig,
        seed: int,
    ) -> None:
        self.task, self.eyes, self.teacher, self.config = task, eyes, teacher, config
        self.student = student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._halves = Halves(self.student)
        self.observation = observation
        self.rng = np.random.default_rng(seed)
        self.shards = Shards(config.steps, config.cars, observation)
        self.optimizer = torch.optim.AdamW(
            self.student.parameters(), lr=config.learning_rate, weight_decay=1e-4, fused=True
        )
        self.total_batches = config.steps * config.batches + config.final_batches
        self.done_batches = 0
        n = config.cars
        self._commands = np.zeros((n, observation.commands, 2), dtype=np.float32)
        self._age = np.zeros(n, dtype=np.int64)
        self._scale = np.array([task.config.curvature_limit, task.config.speed_limit])
        # Each car hands over to the student at its own moment, the last ones at the end of the mixed steps.
        self._handover = config.teacher_steps + np.linspace(0, config.mixed_steps, n)

    def run(self, report: Callable[[int, dict[str, float]], None] | None = None) -> None:
        """Drive and learn to the end of the schedule; ``report`` gets the step and measures after each step."""
        numba.get_num_threads()  # starts the renderer's threads, which would undo the next line when they start later
        torch.set_num_threads(1)  # the halves are the threads
        for step in range(self.config.steps):
            measures = self.drive(step)
            losses = [self.learn() for _ in range(self.config.batches)]
            if report is not None:
                report(step, {**measures, "loss": float(np.mean(losses))})
        for index in range(self.config.final_batches):
            loss = self.learn()
            if report is not None and index % self.config.batches == 0:
                report(self.config.steps + index // self.config.batches, {"loss": loss})

    def drive(self, step: int) -> dict[str, float]:
        """One step of every car, appended to the data."""
        task, config = self.task, self.config
        wanted = self.teacher.act(task.teacher_observation())
        frames = self.eyes.look()
        self.shards.append(frames, self._commands, wanted, self._auxiliary(), self._age)
        action = wanted.copy()
        driven = step >= self._handover
        if driven.any():
            rows = self.shards.size - config.cars + np.flatnonzero(driven)
            action[driven] = self._act(rows)
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
        return {"crashes": float((done & ~timed_out).sum()), "disagreement": disagreement}

    def learn(self) -> float:
        """One gradient step on a random batch of all data; returns its loss."""
        config = self.config
        part = self.done_batches / self.total_batches
        rate = config.learning_rate * min(self.done_batches / 100 + 0.1, 0.5 * (1 + math.cos(math.pi * part)) + 0.01)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        rows = self.rng.integers(0, self.shards.size, config.batch)
        mirror = bool(self.done_batches % 2)  # every other batch: left and right must mean the same
        halves = np.array_split(rows, 2)
        loss = self._halves.gradients(lambda student, half: self._loss(student, halves[half], mirror))
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        self.done_batches += 1
        return loss

    def _loss(self, student: Student, rows: Rows, mirror: bool) -> torch.Tensor:
        """Weighted squared error on ``rows`` of the data."""
        frames = torch.from_numpy(frames_to_tensor(self.shards.pictures(rows)))
        commands = torch.from_numpy(self.shards.commands[rows])
        action = torch.from_numpy(self.shards.action[rows])
        auxiliary = torch.from_numpy(self.shards.auxiliary[rows])
        if mirror:
            frames, commands, action, auxiliary = mirrored(frames, commands, action, auxiliary)
        predicted, guessed = student(frames.contiguous(memory_format=torch.channels_last), commands)
        loss = (predicted - action).square().mean(0) @ ACTION_WEIGHTS
        return loss + self.config.auxiliary_weight * (guessed - auxiliary).square().mean()

    def _act(self, rows: Rows) -> NDArray[np.float64]:
        """What the student would do at ``rows`` of the data, (k, 2) in -1 … 1."""
        halves = np.array_split(rows, 2)

        def act(student: Student, half: int) -> torch.Tensor:
            with torch.inference_mode():
                frames = torch.from_numpy(frames_to_tensor(self.shards.pictures(halves[half])))
                commands = torch.from_numpy(self.shards.commands[halves[half]])
                return student(frames.contiguous(memory_format=torch.channels_last), commands)[0]

        action = torch.cat(self._halves.each(act))
        if not torch.isfinite(action).all():
            raise OutlapError("the student's learning diverged: lower distill.learning_rate.")
        return action.clamp(-1, 1).double().numpy()

    def _auxiliary(self) -> NDArray[np.float64]:
        """The auxiliary targets, (n, 6), each of about unit size."""
        fleet = self.task.fleet
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
