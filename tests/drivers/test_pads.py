"""Pads by what the kernel calls their axes and buttons: each in the standard layout, or refused by name."""

from __future__ import annotations

import re

import pytest

from outlap.drivers.input_codes import AXIS_CODES, BUTTON_CODES
from outlap.drivers.joydev import Identity
from outlap.drivers.pads import AXES, BUTTONS, PadEntry, PadLayout, find_layout, load_pads
from outlap.files import validate

# Codes once more, by the kernel's input-event-codes.h.
HATS = (0x10, 0x11)
ROW = tuple(range(0x130, 0x13F))
XPAD = (0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x13A, 0x13B, 0x13C, 0x13D, 0x13E)
STEAM = (0x121, 0x122, 0x130, 0x131, 0x133, 0x134, *range(0x136, 0x13F), 0x220, 0x221, 0x222, 0x223)
SIX = (0, 1, 2, 3, 4, 5, *HATS)


def pad(name: str, bus: int, vendor: int, product: int, driver: str, axes: tuple, buttons: tuple) -> Identity:
    return Identity(name, bus, vendor, product, driver, axes, buttons)


# Who it is, and by its own numbers: left shoulder, south, north; left y, right x, right trigger.
# From SDL_GameControllerDB's lines for Linux, where its buttons are counted as here.
PADS = {
    "Xbox 360 by cable": (pad("360", 3, 0x45E, 0x28E, "xpad", SIX, XPAD), (4, 0, 3), (1, 3, 5)),
    "Xbox Series by cable": (pad("Series", 3, 0x45E, 0xB12, "xpad", SIX, XPAD), (4, 0, 3), (1, 3, 5)),
    "a clone that xpad takes": (pad("PowerA", 3, 0x24C6, 0x543A, "xpad", SIX, XPAD), (4, 0, 3), (1, 3, 5)),
    "F710 in XInput": (pad("F710", 3, 0x46D, 0xC21F, "xpad", SIX, XPAD), (4, 0, 3), (1, 3, 5)),
    "Xbox Series by Bluetooth": (
        *(pad("X", 5, 0x45E, 0xB13, "microsoft", (0, 1, 2, 5, 9, 10, *HATS), ROW), (6, 0, 4), (1, 2, 4)),
    ),
    "Xbox One S by Bluetooth, 2016": (pad("X", 5, 0x45E, 0x2E0, "microsoft", SIX, ROW[:10]), (4, 0, 3), (1, 3, 5)),
    "Xbox One S by xpadneo": (pad("X", 5, 0x45E, 0x2FD, "xpadneo", SIX, XPAD), (4, 0, 3), (1, 3, 5)),
    "DualShock 4 by cable": (
        *(pad("DS4", 3, 0x54C, 0x9CC, "playstation", SIX, (*XPAD[:6], *range(0x138, 0x13F))), (4, 0, 2), (1, 3, 5)),
    ),
    "DualSense by Bluetooth": (
        *(pad("DS5", 5, 0x54C, 0xCE6, "playstation", SIX, (*XPAD[:6], *range(0x138, 0x13F))), (4, 0, 2), (1, 3, 5)),
    ),
    "DualSense by hid-generic": (pad("DS5", 3, 0x54C, 0xCE6, "hid-generic", SIX, ROW), (4, 1, 3), (1, 2, 4)),
    "8BitDo Ultimate by Bluetooth": (
        *(pad("U", 5, 0x2DC8, 0x3012, "hid-generic", (0, 1, 2, 5, 9, 10, *HATS), ROW), (6, 0, 4), (1, 2, 4)),
    ),
    "8BitDo Pro 2 by Bluetooth": (
        *(pad("P2", 5, 0x2DC8, 0x6006, "hid-generic", (0, 1, 2, 5, 9, 10, *HATS), ROW), (6, 1, 3), (1, 2, 4)),
    ),
    "Stadia": (*(pad("S", 3, 0x18D1, 0x9400, "hid-generic", (0, 1, 2, 5, 9, 10, *HATS), XPAD), (4, 0, 3), (1, 2, 4)),),
}
# Likewise of pads whose triggers are buttons.
DIGITAL = {
    "F310 in DirectInput": (
        *(pad("F310", 3, 0x46D, 0xC216, "logitech", (0, 1, 2, 5, *HATS), tuple(range(0x120, 0x12C))), (4, 1, 3)),
        *((1, 2), 7),
    ),
    "F710 in DirectInput": (
        *(pad("F710", 3, 0x46D, 0xC219, "logitech", (0, 1, 2, 5, *HATS), ROW[:12]), (4, 1, 3), (1, 2), 7),
    ),
    "Switch Pro": (
        *(pad("Pro", 5, 0x57E, 0x2009, "nintendo", (0, 1, 3, 4, *HATS), (*XPAD[:4], *range(0x135, 0x13F))), (5, 0, 2)),
        *((1, 2), 8),
    ),
}


def read(identity: Identity) -> PadLayout:
    found = find_layout(identity, (), load_pads())
    assert isinstance(found, PadLayout), found
    return found


def at_rest(identity: Identity) -> tuple[list[float], list[int]]:
    """As /joy has it: triggers, which rest at their end, at 1."""
    axes = [1.0 if code in (9, 10) or (identity.axes == SIX and code in (2, 5)) else 0.0 for code in identity.axes]
    if identity.driver == "hid-generic" and identity.axes == SIX:
        axes = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    return axes, [0] * len(identity.buttons)


@pytest.mark.parametrize("name", [*PADS, *DIGITAL])
def test_each_pad_has_the_same_controls(name: str) -> None:
    identity, (shoulder, south, north), (y, x, *_) = (PADS | DIGITAL)[name][:3]
    layout = read(identity)
    axes, buttons = at_rest(identity)
    assert layout.controls(axes, buttons) == ([0.0] * 6, [0] * 21)
    for control, number in {"left_shoulder": shoulder, "south": south, "north": north}.items():
        pressed = [int(place == number) for place in range(len(buttons))]
        assert [BUTTONS[place] for place, down in enumerate(layout.controls(axes, pressed)[1]) if down] == [control]
    for control, number in {"left_stick_y": y, "right_stick_x": x}.items():
        moved = [0.7 if place == number else value for place, value in enumerate(axes)]
        assert {AXES[place]: value for place, value in enumerate(layout.controls(moved, buttons)[0]) if value} == {
            control: 0.7  # left and up stay positive
        }
    up = [1.0 if code == 0x11 else value for code, value in zip(identity.axes, axes, strict=True)]
    assert [BUTTONS[place] for place, down in enumerate(layout.controls(up, buttons)[1]) if down] == ["dpad_up"]


@pytest.mark.parametrize("name", PADS)
def test_a_trigger_rests_at_zero_and_goes_to_minus_one_as_game_controller_node_has_it(name: str) -> None:
    identity, _, (*_, trigger) = PADS[name]
    axes, buttons = at_rest(identity)
    for value, pressure in ((0.0, -0.5), (-1.0, -1.0)):
        axes[trigger] = value
        assert read(identity).controls(axes, buttons)[0] == [0, 0, 0, 0, 0, pressure]


@pytest.mark.parametrize("name", DIGITAL)
def test_a_trigger_that_is_a_button_is_pressed_whole(name: str) -> None:
    identity, *_, trigger = DIGITAL[name]
    axes, buttons = at_rest(identity)
    buttons[trigger] = 1
    assert read(identity).controls(axes, buttons) == ([0, 0, 0, 0, 0, -1.0], [0] * 21)


def test_a_steam_deck_has_triggers_on_its_second_hat_and_buttons_for_its_cross() -> None:
    deck = pad("Deck", 3, 0x28DE, 0x1205, "hid-steam", (0, 1, 3, 4, 0x10, 0x11, 0x14, 0x15), STEAM)
    layout = read(deck)
    axes, buttons = [0.0] * 6 + [1.0, 1.0], [0] * len(STEAM)
    assert layout.controls(axes, buttons) == ([0.0] * 6, [0] * 21)
    axes[6], buttons[STEAM.index(0x220)] = -1.0, 1
    found = layout.controls(axes, buttons)
    assert found[0] == [0, 0, 0, 0, 0, -1.0] and found[1].index(1) == BUTTONS.index("dpad_up")


STRANGER = pad("Acme Racing Pad", 3, 0x1234, 0x5678, "hid-generic", (0, 1, 2, 5), ROW[:12])


def test_an_unknown_pad_is_refused_by_name_with_how_to_describe_it() -> None:
    words = find_layout(STRANGER, (), load_pads())
    assert isinstance(words, str)
    assert "'Acme Racing Pad' (usb 1234:5678, driver hid-generic) is not known" in words
    assert "ABS_X ABS_Y ABS_Z ABS_RZ" in words and "BTN_SOUTH BTN_EAST BTN_C BTN_NORTH" in words
    assert "pads: [{name: 'Acme Racing Pad', bus: usb, vendor: '1234', products: ['5678'], controls:" in words


@pytest.mark.parametrize("lost", [0x136, 0x130])
def test_a_known_pad_with_other_codes_is_refused_too(lost: int) -> None:
    identity = PADS["Xbox Series by Bluetooth"][0]
    other = identity._replace(buttons=tuple(code for code in identity.buttons if code != lost))
    words = find_layout(other, (), load_pads())
    assert isinstance(words, str) and "is known, but has other axes and buttons" in words


CONTROLS = {
    "left_stick_x": "ABS_X",
    "left_stick_y": "-ABS_Y",
    "right_stick_x": "ABS_Z",
    "right_stick_y": "ABS_RZ",
    "left_trigger": "BTN_TL2",
    "right_trigger": "BTN_TR2",
    "south": "BTN_SOUTH",
    "east": "BTN_EAST",
    "west": "BTN_NORTH",
    "north": "BTN_WEST",
    "left_shoulder": "BTN_TL",
    "right_shoulder": "BTN_TR",
    "dpad_up": "BTN_C",
    "dpad_down": "BTN_Z",
}


def test_ones_own_description_reads_it() -> None:
    own = validate({"name": "Acme Racing Pad", "controls": CONTROLS}, PadEntry, "here", "pad")
    found = find_layout(STRANGER, [own], load_pads())
    assert isinstance(found, PadLayout)
    axes, buttons = found.controls([0.0, -0.5, 0.0, 0.0], [0] * 12)
    assert axes[1] == 0.5  # a minus turns it round
    assert buttons == [0] * 21
    elsewhere = STRANGER._replace(name="Acme Racing Pad 2")
    assert isinstance(find_layout(elsewhere, [own], load_pads()), str)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"controls": {**CONTROLS, "south": "BTN_SOUT"}}, "'BTN_SOUT' is no code"),
        ({"controls": {**CONTROLS, "south": 304}}, "south"),
        ({"controls": {**CONTROLS, "south": "-BTN_SOUTH"}}, "'-BTN_SOUTH' is no code"),
        ({"controls": {**CONTROLS, "south": "BTN_EAST"}}, "BTN_EAST is given for"),
        ({"controls": {**CONTROLS, "left_stick_x": "BTN_C", "dpad_up": "BTN_MODE"}}, "left_stick_x must be an axis"),
        ({"controls": {**CONTROLS, "throttle": "ABS_GAS"}}, "there is no control 'throttle'"),
        ({"controls": {}}, "the control left_stick_x is missing"),
        ({"controls": CONTROLS, "layouts": ["xpad"]}, "give either layouts"),
        ({"name": None, "controls": CONTROLS}, "say which pad it is"),
        ({"vendor": 1234, "controls": CONTROLS}, "four hexadecimal digits in quotes"),
        ({"vendor": "12345", "controls": CONTROLS}, "four hexadecimal digits in quotes"),
        ({"products": ["5678"], "controls": CONTROLS}, "products need a vendor"),
        ({"bus": "serial", "controls": CONTROLS}, "bus"),
    ],
)
def test_a_bad_description_is_refused(change: dict[str, object], words: str) -> None:
    from outlap.errors import OutlapError

    with pytest.raises(OutlapError, match=re.escape(words)):
        validate({"name": "Acme", **change}, PadEntry, "here", "pad")


def test_codes_are_the_kernels() -> None:
    assert (AXIS_CODES["ABS_BRAKE"], AXIS_CODES["ABS_HAT0Y"], AXIS_CODES["ABS_HAT3Y"]) == (0x0A, 0x11, 0x17)
    assert (BUTTON_CODES["BTN_BASE6"], BUTTON_CODES["BTN_WEST"], BUTTON_CODES["BTN_THUMBR"]) == (0x12B, 0x134, 0x13E)
    assert (BUTTON_CODES["BTN_DPAD_RIGHT"], BUTTON_CODES["BTN_TRIGGER_HAPPY40"]) == (0x223, 0x2E7)


def test_what_a_number_is_on_a_pad_can_be_told() -> None:
    cable, bluetooth = read(PADS["Xbox Series by cable"][0]), read(PADS["Xbox Series by Bluetooth"][0])
    assert (cable.name_of(4, True), bluetooth.name_of(4, True)) == ("left_shoulder", "north")
    assert (cable.name_of(5, False), bluetooth.name_of(3, False)) == ("right_trigger", "right_stick_y")
    assert (cable.name_of(7, False), bluetooth.name_of(2, True)) == ("dpad_up", "nothing")
