"""``config/hand.yaml``: how fast a person may drive, what each axis and button of a joystick is, and each key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from outlap.files import Model, read_yaml, share_directory

Index = Annotated[int, Field(ge=0, le=63)]
Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=20)], ...], Field(min_length=1, max_length=8)]


class Stick(Model):
    """An axis that is read as a number; left and up are positive, as in sensor_msgs/Joy."""

    axis: Index
    inverted: bool = False
    dead_zone: Annotated[float, Field(ge=0, le=0.5)]  # of the way, around the middle, that counts as the middle
    expo: Annotated[float, Field(ge=0, le=1)]  # 0: straight, 1: the cube, which is finer around the middle


class Switch(Model):
    """A button, or an axis that counts as pressed beyond some value."""

    button: Index | None = None
    axis: Index | None = None
    beyond: Annotated[float, Field(ge=-0.95, le=0.95)] = 0.5  # of the axis; below zero: pressed below it

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.button is None) == (self.axis is None):
            raise ValueError("give either a button or an axis")
        if abs(self.beyond) < 0.05:
            raise ValueError("beyond must be 0.05 or more away from zero, where an axis rests")
        return self


class Joystick(Model):
    """What the axes and buttons do."""

    speed: Stick
    steering: Stick
    dead_man: Switch
    arm: Switch
    disarm: Switch
    policy: Switch
    faster: Switch
    slower: Switch
    late: Annotated[float, Field(ge=0.04, le=0.12)]  # s
    lost: Annotated[float, Field(ge=0.06, le=0.5)]  # s

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lost < self.late:
            raise ValueError("lost must not be less than late")
        return self


class Keyboard(Model):
    """What the keys do, and how long each lasts."""

    forward: Names
    backward: Names
    left: Names
    right: Names
    arm: Names
    disarm: Names
    policy: Names
    faster: Names
    slower: Names
    quit: Names
    first_hold: Annotated[float, Field(ge=0.05, le=1)]  # s
    hold: Annotated[float, Field(ge=0.05, le=0.15)]  # s
    rise: Annotated[float, Field(gt=0, le=10)]  # s
    steer: Annotated[float, Field(gt=0, le=10)]  # s
    centre: Annotated[float, Field(gt=0, le=10)]  # s
    late: Annotated[float, Field(ge=0.1, le=0.3)]  # s
    lost: Annotated[float, Field(ge=0.1, le=1)]  # s

    @model_validator(mode="after")
    def _sound(self) -> Self:
        names = [name for key in KEYS for name in getattr(self, key)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the key {twice[0]!r} is given twice")
        if "space" in names:
            raise ValueError("the key 'space' always stops")
        if self.lost < self.late:
            raise ValueError("lost must not be less than late")
        return self


KEYS = ("forward", "backward", "left", "right", "arm", "disarm", "policy", "faster", "slower", "quit")


class HandConfig(Model):
    """The whole file."""

    speed_limit: Annotated[float, Field(ge=0.1, le=30)]  # m/s
    speed_step: Annotated[float, Field(ge=0.05, le=5)]  # m/s
    joystick: Joystick
    keyboard: Keyboard


def load_hand(path: str | Path = "") -> HandConfig:
    """The file at ``path``; empty: ``config/hand.yaml``.

    Raises:
        OutlapError: the file is refused; the message names the key.
    """
    return read_yaml(Path(path) if path else share_directory() / "config" / "hand.yaml", HandConfig, "hand file")
