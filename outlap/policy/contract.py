"""The contract: everything that must be known about a policy before it may drive, as it stands in the policy file.

The network's ONNX signature follows from it, N being the batch:

- input ``frames`` float32 (N, T, H, W): canonical views, levelled, in the order of ``frame_offsets``;
- input ``commands`` float32 (N, K, 2): its last K commands, newest first, as parts of their limits;
- output ``action`` float32 (N, 2): curvature in 1/m, left positive, and speed in m/s, both within their limits.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from outlap import __version__
from outlap.camera.view import View
from outlap.errors import OutlapError
from outlap.files import Model
from outlap.vehicle.car import Car

FORMAT = 1  # raised when an older Outlap could misread the file
MIN_COVERAGE = 0.95  # of the view's pixels that the car's lens must see: training shows no filler yet
ALIKE = 0.01  # m between the lengths of two centre lines that are taken for one: files round their rows
RATE_TOLERANCE = 0.1  # of the rate: real cameras say 30 and deliver 27.5 to 31
ROUNDING = 1e-6  # of a limit: two ways to compute the same tangent

Curvature = Annotated[float, Field(gt=0, le=100)]  # 1/m
Speed = Annotated[float, Field(gt=0, le=30)]  # m/s
Latency = Annotated[float, Field(ge=0, le=1)]  # s
Height = Annotated[float, Field(gt=0, le=1)]  # m


class Observation(Model):
    """What the network is given."""

    view: View
    # frames back in time at rate_hz, in the order in which the network gets them; 0 is the newest
    frame_offsets: Annotated[tuple[Annotated[int, Field(ge=0, le=60)], ...], Field(min_length=1, max_length=16)]
    commands: Annotated[int, Field(ge=1, le=16)]  # how many past commands
    normalisation: Literal["levelled"] = "levelled"  # outlap.policy.observation.frames_to_tensor

    @model_validator(mode="after")
    def _newest_frame(self) -> Observation:
        if 0 not in self.frame_offsets or len(set(self.frame_offsets)) != len(self.frame_offsets):
            raise ValueError("frame_offsets must hold 0 (the newest frame) and no offset twice")
        return self


class Action(Model):
    """What the network's output means; the network itself stays within these limits."""

    curvature_limit: Curvature  # 1/m, to either side
    speed_min: Annotated[float, Field(ge=0, le=30)]  # m/s
    speed_limit: Speed  # m/s
    # curvature (1/m) and speed (m/s) of each action, where the network chooses from a list
    table: Annotated[tuple[tuple[float, float], ...], Field(min_length=2, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _order(self) -> Action:
        if self.speed_min > self.speed_limit:
            raise ValueError("speed_min is above speed_limit")
        for curvature, speed in self.table or ():
            if abs(curvature) > self.curvature_limit or not self.speed_min <= speed <= self.speed_limit:
                raise ValueError(f"table: the action ({curvature:g}, {speed:g}) is beyond the action's own limits")
        return self


class Envelope(Model):
    """What a car must be able to do, and the spreads that the policy was trained for."""

    max_curvature: Curvature  # 1/m that the car must be able to steer
    max_speed: Speed  # m/s that the car must be able to drive
    latency: tuple[Latency, Latency]  # s, least and most from exposure to actuator
    camera_height: tuple[Height, Height]  # m, least and most height of the real camera above the ground

    @model_validator(mode="after")
    def _order(self) -> Envelope:
        for name, (least, most) in (("latency", self.latency), ("camera_height", self.camera_height)):
            if least > most:
                raise ValueError(f"{name}: the least ({least:g}) is above the most ({most:g})")
        return self


class TrainedTrack(Model):
    """A given track that a policy was trained on, known again by its length."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    length: Annotated[float, Field(gt=0)]  # m, of the centre line


class TrainedOn(Model):
    """The tracks that a policy was trained on."""

    generated: Annotated[int, Field(ge=0)]  # how many generated ones
    share: Annotated[float, Field(ge=0, le=1)]  # of the episodes, that began on the given ones
    both_directions: bool  # whether the given ones were driven the other way, too
    tracks: tuple[TrainedTrack, ...]  # the given ones

    def knows(self, length: float) -> bool:
        """Whether a track of that ``length`` (m) is one of the given ones, by whatever name and either way round."""
        return any(abs(track.length - length) <= ALIKE for track in self.tracks)


class Contract(Model):
    """The whole contract; unknown keys, NaN, and zero or negative limits are refused."""

    format: Literal[1] = FORMAT
    observation: Observation
    action: Action
    rate_hz: Annotated[float, Field(gt=0, le=240)]  # commands a second
    envelope: Envelope
    car: Annotated[str, Field(min_length=1, max_length=64)]  # name of the car that it was trained for
    recipe: Annotated[str, Field(min_length=1, max_length=256)]  # name of the training recipe
    seed: Annotated[int, Field(ge=0)]
    outlap_version: Annotated[str, Field(min_length=1, max_length=64)] = __version__
    trained_on: TrainedOn | None = None  # unknown of a policy file of before
    created_by: Annotated[str, Field(min_length=1, max_length=256)] = "outlap train"

    @model_validator(mode="after")
    def _within_envelope(self) -> Contract:
        if self.action.curvature_limit > self.envelope.max_curvature * (1 + ROUNDING):
            raise ValueError("action.curvature_limit is above envelope.max_curvature")
        if self.action.speed_limit > self.envelope.max_speed * (1 + ROUNDING):
            raise ValueError("action.speed_limit is above envelope.max_speed")
        return self

    @property
    def frames_shape(self) -> tuple[int, int, int]:
        """(T, H, W) of the input ``frames``."""
        view = self.observation.view
        return len(self.observation.frame_offsets), view.height, view.width

    @property
    def commands_shape(self) -> tuple[int, int]:
        """(K, 2) of the input ``commands``."""
        return self.observation.commands, 2

    def pictures_a_command(self, car: Car) -> int:
        """How many pictures of the car's camera there are for each command: 2 at 15 Hz with a camera of 30."""
        return max(1, round(car.camera.rate / self.rate_hz))

    def check_car(self, car: Car, where: str = "the policy") -> None:
        """See that ``car`` can do all that the policy may ask of it.

        Raises:
            OutlapError: it cannot; the message says which number, and by how much.
        """
        from outlap.camera.warp import Warp  # needs OpenCV, which reading a contract does not

        def refuse(what: str) -> None:
            raise OutlapError(f"{where} cannot drive the car {car.name}: {what}.")

        for what, unit, wanted, offered in (
            ("curvature", "1/m", self.envelope.max_curvature, car.max_curvature),
            ("speed", "m/s", self.envelope.max_speed, car.drive.max_speed),
        ):
            if wanted > offered * (1 + ROUNDING):
                refuse(
                    f"its {what} goes up to {wanted:.4g} {unit}, {wanted - offered:.3g} {unit} beyond the car's "
                    f"{offered:.4g} {unit}"
                )
        if abs(car.camera.rate / self.pictures_a_command(car) - self.rate_hz) > RATE_TOLERANCE * self.rate_hz:
            refuse(
                f"it needs {self.rate_hz:g} frames per second, the car's camera gives {car.camera.rate:g}, which is "
                f"more than {RATE_TOLERANCE:.0%} off that and its multiples"
            )
        least, most = self.envelope.camera_height
        if not least * (1 - ROUNDING) <= car.camera.height <= most * (1 + ROUNDING):
            off = max(least - car.camera.height, car.camera.height - most)
            refuse(
                f"it was trained for cameras {least:g} to {most:g} m above the ground, the car's is at "
                f"{car.camera.height:g} m, {off:.3g} m outside"
            )
        coverage = Warp(car.camera, self.observation.view).coverage
        if coverage < MIN_COVERAGE:
            refuse(f"the car's lens covers {coverage:.0%} of its view, less than the {MIN_COVERAGE:.0%} that it needs")

    def check_exchange(self, other: Contract, where: str = "the policy") -> None:
        """See that ``other`` may take this one's place in a driving car, which keeps its memory.

        Raises:
            OutlapError: they differ in what a car must know before it is armed; the message says where.
        """
        for name in ("observation", "action", "rate_hz", "envelope", "car"):
            if getattr(self, name) != getattr(other, name):
                raise OutlapError(
                    f"{where} cannot take over while driving: its {name} is not that of the policy that drives."
                )
