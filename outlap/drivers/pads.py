"""Which code of a pad is which control: ``config/pads.yaml``, a hand file's ``pads``, and one standard layout.

The standard is that of ROS's ``game_controller_node``, which is SDL's game controller: six axes and 21 buttons in this
order; sticks from -1 to 1 with left and up positive, triggers from 0 to -1 as they are pressed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from outlap.drivers.input_codes import AXIS_CODES, BUTTON_CODES, axis_names, button_names
from outlap.drivers.joydev import BUSES, Identity
from outlap.files import Model, read_yaml, share_directory

TRIGGERS = ("left_trigger", "right_trigger")
AXES = ("left_stick_x", "left_stick_y", "right_stick_x", "right_stick_y", *TRIGGERS)
BUTTONS = (
    *("south", "east", "west", "north", "back", "guide", "start", "left_stick", "right_stick"),
    *("left_shoulder", "right_shoulder", "dpad_up", "dpad_down", "dpad_left", "dpad_right"),
    *("misc1", "paddle1", "paddle2", "paddle3", "paddle4", "touchpad"),
)
# Without one of these it is no pad of that layout; the others may be missing, and are then never pressed.
NEEDED = (*AXES, "south", "east", "west", "north", "left_shoulder", "right_shoulder", "dpad_up", "dpad_down")
HALF = 0.5  # of the way, from which an axis counts as a pressed button


def _code(value: object) -> str:
    """Checks ``ABS_X``, ``-ABS_HAT0Y`` or ``BTN_SOUTH``."""
    name = value.removeprefix("-") if isinstance(value, str) else value
    if name not in AXIS_CODES and (name not in BUTTON_CODES or name != value):
        raise ValueError(f"{value!r} is no code such as BTN_SOUTH, ABS_X, or -ABS_HAT0Y for its other direction")
    return str(value)


def _number(value: object) -> int:
    if not isinstance(value, str) or len(value) != 4 or any(sign not in "0123456789abcdefABCDEF" for sign in value):
        raise ValueError(f"{value!r} must be four hexadecimal digits in quotes, such as '045e'")
    return int(value, 16)


def _codes(value: object) -> object:
    return [value] if isinstance(value, str) else value


Code = Annotated[str, BeforeValidator(_code)]
Number = Annotated[int, BeforeValidator(_number)]
Codes = Annotated[tuple[Code, ...], BeforeValidator(_codes), Field(min_length=1, max_length=4)]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Controls = Mapping[str, tuple[str, ...]]


class Layout(Model):
    """The code, or the codes one of which a pad has, of each control."""

    lacks: tuple[Code, ...] = ()  # what no pad of this layout has, though others with all its codes do
    controls: dict[str, Codes]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check_controls(self.controls)
        return self

    def fits(self, pad: Identity) -> bool:
        """Whether the pad has what the layout needs, and lacks what it must."""
        return all(_find(self.controls[control], pad) for control in NEEDED) and not _find(self.lacks, pad)


class PadEntry(Model):
    """Pads, and the layouts that they may have: the first that fits what a pad reports is its."""

    name: Name | None = None  # as the kernel has it; what is left out is not asked for
    bus: Literal["usb", "bluetooth", "virtual"] | None = None
    vendor: Number | None = None
    products: tuple[Number, ...] = ()
    driver: Name | None = None
    layouts: tuple[Name, ...] = ()
    controls: dict[str, Codes] | None = None  # instead of layouts

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.name is None and self.vendor is None and self.driver is None:
            raise ValueError("say which pad it is: its name, or its vendor (and products), or its driver")
        if self.products and self.vendor is None:
            raise ValueError("products need a vendor")
        if bool(self.layouts) == (self.controls is not None):
            raise ValueError("give either layouts, names in config/pads.yaml, or controls")
        if self.controls is not None:
            _check_controls(self.controls)
        return self

    def means(self, pad: Identity) -> bool:
        """Whether it speaks of this pad."""
        return (
            self.name in (None, pad.name)
            and (self.bus is None or BUSES[self.bus] == pad.bus)
            and self.vendor in (None, pad.vendor)
            and (not self.products or pad.product in self.products)
            and self.driver in (None, pad.driver)
        )


class PadsFile(Model):
    """``config/pads.yaml``."""

    layouts: dict[Name, Layout]
    pads: tuple[PadEntry, ...]

    @model_validator(mode="after")
    def _named(self) -> Self:
        check_layouts(self.pads, self.layouts)
        return self


class PadLayout(NamedTuple):
    """How one pad is read."""

    name: str
    axes: tuple[tuple[int, int, bool] | None, ...]  # of each of AXES: (type, number, inverted); None: there is none
    buttons: tuple[tuple[tuple[int, int, bool], ...], ...]  # of each of BUTTONS: any of them presses it

    def controls(self, axes: Sequence[float], buttons: Sequence[int]) -> tuple[list[float], list[int]]:
        """The standard axes and buttons of a device's own (as sensor_msgs/Joy has them)."""

        def value(place: tuple[int, int, bool]) -> float:
            kind, number, inverted = place
            if kind == _BUTTON:
                return float(buttons[number])
            return -axes[number] if not inverted else axes[number]  # as the kernel has it: right and down positive

        found = []
        for name, place in zip(AXES, self.axes, strict=True):
            if place is None:
                found.append(0.0)
            elif name in TRIGGERS:
                found.append(-value(place) if place[0] == _BUTTON else -(value(place) + 1) / 2)
            else:
                found.append(-value(place))
        return found, [int(any(value(place) > HALF for place in places)) for places in self.buttons]

    def name_of(self, number: int, button: bool) -> str:
        """What an axis or a button by its number on /joy is on this pad; "nothing" where it is no control."""
        kind = _BUTTON if button else _AXIS
        places = zip((*AXES, *BUTTONS), (*((place,) for place in self.axes), *self.buttons), strict=True)
        found = (name for name, some in places for place in some if place is not None and place[:2] == (kind, number))
        return next(found, "nothing")


_AXIS, _BUTTON = 0, 1


def load_pads() -> PadsFile:
    """``config/pads.yaml``.

    Raises:
        OutlapError: the file is refused; the message names the key.
    """
    return read_yaml(share_directory() / "config" / "pads.yaml", PadsFile, "file of pads")


def check_layouts(pads: Sequence[PadEntry], layouts: Mapping[str, Layout]) -> None:
    """Raise a ValueError where an entry names a layout that is not there."""
    unknown = next((name for pad in pads for name in pad.layouts if name not in layouts), None)
    if unknown is not None:
        raise ValueError(f"there is no layout {unknown!r} in config/pads.yaml, but {', '.join(layouts)}")


def find_layout(pad: Identity, own: Sequence[PadEntry], shipped: PadsFile) -> PadLayout | str:
    """How a pad is read; or, where nobody knows, a text that says who it is and how to describe it.

    Args:
        own: the hand file's, which are asked first.
    """
    entries = [entry for entry in (*own, *shipped.pads) if entry.means(pad)]
    for entry in entries:
        if entry.controls is not None:
            layout = Layout(controls=entry.controls)
            if layout.fits(pad):
                return _read_as("of its own", layout.controls, pad)
        for name in entry.layouts:
            if shipped.layouts[name].fits(pad):
                return _read_as(name, shipped.layouts[name].controls, pad)
    known = "is known, but has other axes and buttons here than any layout of it" if entries else "is not known"
    bus = next((f", bus: {name}" for name, code in BUSES.items() if code == pad.bus), "")
    return (
        f"the pad {pad} {known}, so it is silent on /gamepad. It has the axes {axis_names(pad.axes)} and the buttons "
        f"{button_names(pad.buttons)}. Describe it in a hand file: pads: [{{name: '{pad.name}'{bus}, vendor: "
        f"'{pad.vendor:04x}', products: ['{pad.product:04x}'], controls: {{left_stick_x: ABS_X, …}}}}], and give that "
        "file as config:= to joystick and hand; docs/driving.md says how"
    )


def _check_controls(controls: Mapping[str, Sequence[str]]) -> None:
    unknown = next((name for name in controls if name not in (*AXES, *BUTTONS)), None)
    if unknown is not None:
        raise ValueError(f"there is no control {unknown!r}, but {', '.join((*AXES, *BUTTONS))}")
    missing = [name for name in NEEDED if name not in controls]
    if missing:
        raise ValueError(f"the control {missing[0]} is missing")
    sticks = [name for name in AXES if name not in TRIGGERS and not all("ABS_" in code for code in controls[name])]
    if sticks:
        raise ValueError(f"{sticks[0]} must be an axis, ABS_…")
    used: dict[str, str] = {}
    for control, codes in controls.items():
        for code in codes:
            whole = code.removeprefix("-") if control in AXES else code
            if used.setdefault(whole, control) != control:
                raise ValueError(f"{code} is given for {used[whole]} and for {control}")


def _places(codes: Sequence[str], pad: Identity) -> tuple[tuple[int, int, bool], ...]:
    found = []
    for code in codes:
        name = code.removeprefix("-")
        kind, number = (_AXIS, AXIS_CODES[name]) if name in AXIS_CODES else (_BUTTON, BUTTON_CODES[name])
        present = pad.axes if kind == _AXIS else pad.buttons
        if number in present:
            found.append((kind, present.index(number), code != name))
    return tuple(found)


def _find(codes: Sequence[str], pad: Identity) -> bool:
    return bool(_places(codes, pad))


def _read_as(name: str, controls: Controls, pad: Identity) -> PadLayout:
    places = {control: _places(controls.get(control, ()), pad) for control in (*AXES, *BUTTONS)}
    axes = tuple(places[control][0] if places[control] else None for control in AXES)
    return PadLayout(name, axes, tuple(places[control] for control in BUTTONS))
