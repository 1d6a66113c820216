"""``config/hand.yaml``: how fast a person may drive, what each axis and button of a joystick is, and each key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PlainValidator, model_validator

from outlap.drivers.pads import AXES, BUTTONS, TRIGGERS, PadEntry, check_layouts, load_pads
from outlap.files import Model, read_yaml, share_directory

Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=20)], ...], Field(min_length=1, max_length=8)]
LARGEST = 63  # number of an axis or a button


def _control(names: Sequence[str], what: str) -> Callable[[object], int | str]:
    def check(value: object) -> int | str:
        if isinstance(value, str) and value in names:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST:
            return value
        raise ValueError(f"{value!r} is no {what}: one of {', '.join(names)}; or a number from 0 to {LARGEST}")

    return check


# A name of the standard layout, which outlap_joystick publishes on /gamepad; or a number on /joy.
Axis = Annotated[int | str, PlainValidator(_control(AXES, "axis"))]
Button = Annotated[int | str, PlainValidator(_control(BUTTONS, "button"))]


class Stick(Model):
    """An axis that rests in its middle; left and up are positive, as in sensor_msgs/Joy."""

    axis: Axis
    inverted: bool = False
    dead_zone: Annotated[float, Field(ge=0, le=0.5)]  # of the way, around the middle, that counts as the middle
    expo: Annotated[float, Field(ge=0, le=1)]  # 0: straight, 1: the cube, which is finer around the middle

    @property
    def controls(self) -> tuple[int | str, ...]:
        """What it reads."""
        return (self.axis,)

    @model_validator(mode="after")
    def _centred(self) -> Self:
        if self.axis in TRIGGERS:
            raise ValueError(
                f"{self.axis} rests at the end of its way, so it is no stick; for speed: forward: {self.axis}"
            )
        return self


class Speed(Model):
    """A stick; or an axis that rests at one end for forward, and another for backward: the triggers.

    A trigger by number rests at 1 and is at -1 when pressed, as joy_node has it.
    """

    axis: Axis | None = None
    forward: Axis | None = None
    backward: Axis | None = None
    inverted: bool = False
    dead_zone: Annotated[float, Field(ge=0, le=0.5)]  # as a stick's; of one that rests at its end, from there
    expo: Annotated[float, Field(ge=0, le=1)]

    @property
    def controls(self) -> tuple[int | str, ...]:
        """What it reads."""
        return tuple(one for one in (self.axis, self.forward, self.backward) if one is not None)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.axis is None) == (self.forward is None):
            raise ValueError("give either axis, a stick, or forward (and backward), which rest at the end of their way")
        if self.forward is None and self.backward is not None:
            raise ValueError("backward needs forward")
        if self.axis in TRIGGERS:
            raise ValueError(f"{self.axis} rests at the end of its way: write forward: {self.axis} instead of axis")
        for one in (self.forward, self.backward):
            if isinstance(one, str) and one not in TRIGGERS:
                raise ValueError(f"{one} rests in the middle of its way: write axis: {one}")
        if self.forward is not None and self.forward == self.backward:
            raise ValueError("forward and backward must be two axes")
        return self


class Switch(Model):
    """A button, or an axis that counts as pressed beyond some value."""

    button: Button | None = None
    axis: Axis | None = None
    beyond: Annotated[float, Field(ge=-0.95, le=0.95)] = 0.5  # of the axis; below zero: pressed below it

    @property
    def controls(self) -> tuple[int | str, ...]:
        """What it reads."""
        return tuple(one for one in (self.button, self.axis) if one is not None)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.button is None) == (self.axis is None):
            raise ValueError("give either a button or an axis")
        if abs(self.beyond) < 0.05:
            raise ValueError("beyond must be 0.05 or more away from zero, where an axis rests")
        if self.axis in TRIGGERS and self.beyond < 0:
            raise ValueError(f"{self.axis} goes from 0 to 1 as it is pressed, so beyond must be more than zero")
        return self


SWITCHES = ("dead_man", "arm", "disarm", "policy", "faster", "slower")


class Joystick(Model):
    """What the axes and buttons do."""

    speed: Speed
    steering: Stick
    dead_man: Switch
    arm: Switch
    disarm: Switch
    policy: Switch
    faster: Switch
    slower: Switch
    late: Annotated[float, Field(ge=0.04, le=0.12)]  # s
    lost: Annotated[float, Field(ge=0.06, le=0.5)]  # s

    @property
    def controls(self) -> dict[str, tuple[int | str, ...]]:
        """What each key reads."""
        return {key: getattr(self, key).controls for key in ("speed", "steering", *SWITCHES)}

    @property
    def named(self) -> bool:
        """Whether the controls have names, and so come on /gamepad; False: numbers, of whatever comes on /joy."""
        return isinstance(self.speed.controls[0], str)

    def numbers_as(self, name_of: Callable[[int, bool], str]) -> str:
        """What each key that gives a number reads on a pad; ``name_of(number, is a button)`` names it there."""
        words = []
        for key in self.controls:
            part = getattr(self, key)
            button = getattr(part, "button", None)
            numbers = [one for one in part.controls if isinstance(one, int)]
            words += [f"{key} is {name_of(number, number == button)}" for number in numbers]
        return ", ".join(words)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.lost < self.late:
            raise ValueError("lost must not be less than late")
        for key, controls in self.controls.items():
            if any(isinstance(one, str) != self.named for one in controls):
                raise ValueError(f"speed and {key}: give all axes and buttons by name, or all by number")
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
    pads: tuple[PadEntry, ...] = ()  # of one's own, besides those in config/pads.yaml

    @model_validator(mode="after")
    def _known(self) -> Self:
        if any(pad.layouts for pad in self.pads):
            check_layouts(self.pads, load_pads().layouts)
        return self


def load_hand(path: str | Path = "") -> HandConfig:
    """The file at ``path``; empty: ``config/hand.yaml``.

    Raises:
        OutlapError: the file is refused; the message names the key.
    """
    return read_yaml(Path(path) if path else share_directory() / "config" / "hand.yaml", HandConfig, "hand file")
