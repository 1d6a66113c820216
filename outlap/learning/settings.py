"""The numbers of a training file's sections. They stand here, away from the code that learns by them, so that a file
is read, and refused, before torch is imported."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from outlap.files import Model
from outlap.simulation.randomization import GivenRandomization


class StudentConfig(Model):
    """The network and what it sees."""

    frame_offsets: tuple[Annotated[int, Field(ge=0)], ...]  # frames back in time, newest first
    commands: Annotated[int, Field(ge=1)]  # past commands that it remembers
    first_row: Annotated[int, Field(ge=0)]  # row of the view from which on it looks; those above show no road
    channels: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]  # of each convolution
    hidden: Annotated[int, Field(ge=1)]  # width of the layer that joins picture and commands


class ValidationConfig(Model):
    """How often, and on what."""

    cars: Annotated[int, Field(ge=1)]  # that drive one lap each
    tracks: Annotated[tuple[str, ...], Field(min_length=1)]  # names in worlds/, or track files; short ones cost less
    randomization: GivenRandomization  # of looks, cameras and cars
    every: Annotated[int, Field(ge=1)]  # iterations of the student between two
    until_clean: Annotated[int, Field(ge=1)]  # iterations between two before the first clean lap
    last_cars: Annotated[int, Field(ge=1)]  # that drive one lap each when the run is over, on all shipped tracks


class PpoConfig(Model):
    """PPO's numbers; see Schulman et al. 2017 and rsl-rl-lib's documentation."""

    iterations: Annotated[int, Field(ge=1)]  # of collecting and updating
    steps: Annotated[int, Field(ge=1)]  # steps each car takes an iteration
    learning_rate: Annotated[float, Field(gt=0)]  # the first; PPO then adapts it to desired_kl
    desired_kl: Annotated[float, Field(gt=0)]
    discount: Annotated[float, Field(gt=0, lt=1)]
    trace: Annotated[float, Field(gt=0, le=1)]  # lambda of the generalised advantage estimate
    epochs: Annotated[int, Field(ge=1)]
    minibatches: Annotated[int, Field(ge=1)]
    entropy: Annotated[float, Field(ge=0)]
    first_deviation: Annotated[float, Field(gt=0)]  # of the actions at the start, as a part of their limits


class TeacherConfig(PpoConfig):
    """The teacher's learning, from what the simulator knows."""

    cars: Annotated[int, Field(ge=1)]  # cars that learn at once
    head_start: Annotated[int, Field(ge=1)]  # of these, before the student begins
    randomization: GivenRandomization  # of its cars
    beside: Annotated[int, Field(ge=1)]  # in each of the student's iterations, until all are done
    hidden: tuple[Annotated[int, Field(ge=1)], ...]  # widths of the hidden layers, actor and critic alike


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
    window: Annotated[int, Field(ge=1)]  # pictures kept: the newest
    iteration_steps: Annotated[int, Field(ge=1)]  # driven steps between two checkpoints

    @model_validator(mode="after")
    def _fits(self) -> DistillConfig:
        if self.window < self.cars * self.iteration_steps:
            raise ValueError("window must hold at least cars × iteration_steps pictures")
        return self

    @property
    def driving(self) -> int:
        """Iterations that drive and learn."""
        return -(-self.steps // self.iteration_steps)

    @property
    def iterations(self) -> int:
        """Of the whole schedule: the driving ones, and those of the final batches."""
        return self.driving + -(-self.final_batches // (self.iteration_steps * self.batches))


class PixelConfig(PpoConfig):
    """Learning straight from pictures."""

    cars: Annotated[int, Field(ge=2)]  # cars that learn at once
    critic: tuple[Annotated[int, Field(ge=1)], ...]  # widths of the critic's hidden layers
    auxiliary_weight: Annotated[float, Field(ge=0)]  # of predicting offset, heading, bend, speed and turning
    look_steps: Annotated[float, Field(ge=1)]  # mean steps after which a car's look is drawn anew as it drives

    @model_validator(mode="after")
    def _halves(self) -> PixelConfig:
        if 2 * self.minibatches > self.cars * self.steps:
            raise ValueError("minibatches: each needs two of the iteration's cars × steps pictures at least")
        return self
