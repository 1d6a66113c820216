"""Names of Linux's input event codes, as far as joysticks have them (include/uapi/linux/input-event-codes.h)."""

from __future__ import annotations

from collections.abc import Iterable

_AXES = ["X", "Y", "Z", "RX", "RY", "RZ", "THROTTLE", "RUDDER", "WHEEL", "GAS", "BRAKE"]
_HATS = [f"HAT{number}{side}" for number in range(4) for side in "XY"]
_JOYSTICK = ["TRIGGER", "THUMB", "THUMB2", "TOP", "TOP2", "PINKIE", "BASE", "BASE2", "BASE3", "BASE4", "BASE5", "BASE6"]
_GAMEPAD = ["SOUTH", "EAST", "C", "NORTH", "WEST", "Z", "TL", "TR", "TL2", "TR2", "SELECT", "START", "MODE"]
_GAMEPAD += ["THUMBL", "THUMBR"]
_DIRECTIONS = ["UP", "DOWN", "LEFT", "RIGHT"]

AXIS_CODES = {f"ABS_{name}": code for code, name in enumerate(_AXES)} | {
    f"ABS_{name}": code for code, name in enumerate(_HATS, 0x10)
}
BUTTON_CODES = (
    {f"BTN_{name}": code for code, name in enumerate(_JOYSTICK, 0x120)}
    | {f"BTN_{name}": code for code, name in enumerate(_GAMEPAD, 0x130)}
    | {f"BTN_DPAD_{name}": code for code, name in enumerate(_DIRECTIONS, 0x220)}
    | {f"BTN_TRIGGER_HAPPY{number}": 0x2BF + number for number in range(1, 41)}
)
_AXIS_NAMES = {code: name for name, code in AXIS_CODES.items()}
_BUTTON_NAMES = {code: name for name, code in BUTTON_CODES.items()}


def axis_names(codes: Iterable[int]) -> str:
    """The axes' names in a row; a number where a code has none here."""
    return " ".join(_AXIS_NAMES.get(code, f"ABS_{code:#04x}") for code in codes) or "none"


def button_names(codes: Iterable[int]) -> str:
    """Likewise the buttons'."""
    return " ".join(_BUTTON_NAMES.get(code, f"BTN_{code:#05x}") for code in codes) or "none"
