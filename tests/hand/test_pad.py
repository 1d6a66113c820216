"""A joystick's samples as a wish: the dead-man's switch, dead zones, presses, and samples that no joystick sends."""

from __future__ import annotations

import math

import pytest

from outlap.drivers.pads import AXES, BUTTONS
from outlap.errors import OutlapError
from outlap.files import validate
from outlap.hand.config import HandConfig, Joystick, Switch
from outlap.hand.pad import Pad
from outlap.hand.signs import STILL, Action, Wish

DEAD_MAN, ARM, DISARM, POLICY = 4, 0, 1, 3

RELEASED = Wish(False, 0.0, 0.0)  # with the stick in its middle


class Held:
    """A pad in somebody's hands: samples at 20 Hz."""

    def __init__(self, config: HandConfig) -> None:
        self.config, self.pad = config, Pad(config.joystick)
        self.now = 100.0
        named = config.joystick.named
        self.axes = [0.0] * len(AXES) if named else [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
        self.buttons = [0] * (len(BUTTONS) if named else 11)

    def send(self, after: float = 0.05) -> list[Action]:
        self.now += after
        return self.pad.hear(self.now, self.axes, self.buttons)

    def settle(self, seconds: float = 0.4) -> None:
        """Leave it as it is for a while."""
        for _ in range(round(seconds / 0.05)):
            self.send()

    def press(self, button: int, down: int = 1) -> list[Action]:
        self.buttons[button] = down
        return self.send()

    @property
    def wish(self) -> Wish | None:
        return self.pad.wish(self.now)


@pytest.fixture
def held(numbered: HandConfig) -> Held:
    """By numbers, at rest for a while already."""
    held = Held(numbered)
    held.settle()
    return held


def test_drives_only_while_the_dead_mans_switch_is_held(held: Held) -> None:
    held.axes[1] = 1.0
    held.send()
    assert held.wish == RELEASED
    held.press(DEAD_MAN)
    assert held.wish == Wish(True, 1.0, 0.0)
    held.press(DEAD_MAN, 0)
    assert held.wish == RELEASED


def test_the_first_sample_never_drives(numbered: HandConfig) -> None:
    held = Held(numbered)
    held.axes[1] = 1.0
    held.press(DEAD_MAN)
    assert held.wish == RELEASED
    held.press(DEAD_MAN, 0)
    held.press(DEAD_MAN)
    assert held.wish == Wish(True, 0.0, 0.0)  # the stick was not seen at rest yet


def test_nor_does_the_first_after_a_loss(held: Held) -> None:
    held.send()
    held.press(DEAD_MAN)
    assert held.wish is not None
    assert held.wish.held
    held.send(after=0.25)
    assert held.wish == RELEASED
    held.press(DEAD_MAN, 0)
    held.press(DEAD_MAN)
    assert held.wish.held


def test_late_samples_mean_zero_speed_and_lost_ones_nothing(held: Held) -> None:
    assert Held(held.config).wish is None
    held.axes[1] = 1.0
    held.press(DEAD_MAN)
    assert held.pad.wish(held.now + 0.09) == Wish(True, 1.0, 0.0)
    assert held.pad.wish(held.now + 0.11) == STILL
    assert held.pad.wish(held.now + 0.21) is None
    assert held.pad.wish(held.now - 0.01) is None
    held.send(after=0.12)  # a hiccup
    assert held.wish == Wish(True, 1.0, 0.0)


@pytest.mark.parametrize("axis", [1, 3])
def test_the_middle_is_quiet_and_the_ends_are_whole(held: Held, axis: int) -> None:
    held.send()
    held.press(DEAD_MAN)
    field = "speed" if axis == 1 else "steering"
    values = []
    for raw in (-1.0, -0.6, -0.05, 0.0, 0.05, 0.11, 0.6, 1.0):
        held.axes[axis] = raw
        held.send()
        values.append(getattr(held.wish, field))
    assert values[0] == -1
    assert values[-1] == 1
    assert values[2] == values[3] == values[4] == 0
    assert 0 < values[5] < 0.05
    assert -values[1] == values[6] < 0.6
    assert values == sorted(values)


def test_a_press_asks_once_and_not_at_the_start(numbered: HandConfig) -> None:
    held = Held(numbered)
    assert held.press(ARM) == []  # it was down before anybody looked
    held.press(ARM, 0)
    assert held.press(ARM) == [Action.ARM]
    assert held.send() == []
    assert held.press(DISARM) == [Action.DISARM]
    assert held.press(POLICY) == [Action.POLICY]
    held.axes[7] = 1.0
    assert held.send() == [Action.FASTER]
    held.axes[7] = -1.0
    assert held.send() == [Action.SLOWER]


def test_a_trigger_can_be_the_dead_mans_switch(numbered: HandConfig) -> None:
    joystick = numbered.joystick.model_copy(update={"dead_man": Switch(axis=2, beyond=-0.5)})
    held = Held(numbered.model_copy(update={"joystick": joystick}))
    held.axes[2] = 0.0  # what joy_node says of a trigger that was not touched yet
    held.send()
    assert held.wish == RELEASED
    held.axes[2] = -0.8
    held.send()
    assert held.wish is not None
    assert held.wish.held


@pytest.mark.parametrize(
    ("axes", "buttons", "words"),
    [
        ([], [], "0 axes and 0 buttons"),
        ([0.0] * 7, [0] * 11, "names axis 7"),
        ([0.0] * 8, [0] * 4, "button 4"),
        ([0.0, math.nan, *[0.0] * 6], [0] * 11, "axis 1 is nan"),
        ([0.0] * 7 + [math.inf], [0] * 11, "axis 7 is inf"),
        ([0.0, 1.5, *[0.0] * 6], [0] * 11, "axis 1 is 1.5"),
    ],
)
def test_a_sample_that_no_joystick_sends_counts_for_nothing(
    held: Held, axes: list[float], buttons: list[int], words: str
) -> None:
    held.send()
    held.axes[1] = 1.0
    held.press(DEAD_MAN)
    last = held.now
    for _ in range(6):
        held.now += 0.05
        assert held.pad.hear(held.now, axes, buttons) == []
        assert words in held.pad.refused
    assert held.wish is None
    assert held.now > last
    held.send()
    assert held.pad.refused == ""
    assert held.wish == RELEASED


# By name, and what is one-sided.

LEFT_Y, RIGHT_X, LEFT_TRIGGER, RIGHT_TRIGGER = 1, 2, 4, 5
SHOULDER, SOUTH = BUTTONS.index("left_shoulder"), BUTTONS.index("south")


def with_speed(config: HandConfig, **speed: object) -> HandConfig:
    content = config.joystick.model_dump() | {"speed": {"dead_zone": 0.1, "expo": 0.3, **speed}}
    return config.model_copy(update={"joystick": validate(content, Joystick, "here", "joystick")})


def test_a_stick_by_name_drives_at_once_where_it_was_seen_in_its_middle(config: HandConfig) -> None:
    held = Held(config)
    held.send()
    held.axes[LEFT_Y], held.axes[RIGHT_X] = 1.0, -1.0
    held.press(SHOULDER)
    assert held.wish == Wish(True, 1.0, -1.0)
    assert held.press(SOUTH) == [Action.ARM]


@pytest.mark.parametrize("axis", [LEFT_Y, RIGHT_X])
def test_a_stick_that_was_never_in_its_middle_counts_for_nothing(config: HandConfig, axis: int) -> None:
    """A Bluetooth pad that has not reported yet stands at the end of every stick."""
    held = Held(config)
    held.axes[axis] = 1.0
    held.settle()
    held.press(SHOULDER)
    assert held.wish == Wish(True, 0.0, 0.0)
    assert held.pad.waits_for == AXES[axis]
    held.axes[axis] = 0.05
    held.send()
    held.axes[axis] = 1.0
    held.send()
    assert held.wish in (Wish(True, 1.0, 0.0), Wish(True, 0.0, 1.0))
    assert held.pad.waits_for == ""


def test_triggers_drive_forward_and_backward_and_rest_at_their_end(config: HandConfig) -> None:
    held = Held(with_speed(config, forward="right_trigger", backward="left_trigger"))
    held.send()
    held.press(SHOULDER)
    assert held.wish == Wish(True, 0.0, 0.0)
    for trigger, pressed, speed in ((RIGHT_TRIGGER, -1.0, 1.0), (LEFT_TRIGGER, -1.0, -1.0), (RIGHT_TRIGGER, -0.05, 0)):
        held.axes[trigger] = pressed  # as game_controller_node has it
        held.send()
        assert held.wish == Wish(True, speed, 0.0)
        held.axes[trigger] = 0.0
    held.axes[LEFT_TRIGGER] = held.axes[RIGHT_TRIGGER] = -1.0
    held.send()
    assert held.wish == Wish(True, 0.0, 0.0)


def test_a_trigger_that_is_held_from_the_start_does_not_count_until_it_was_released(config: HandConfig) -> None:
    held = Held(with_speed(config, forward="right_trigger"))
    held.axes[RIGHT_TRIGGER] = -1.0
    held.settle()
    held.press(SHOULDER)
    assert held.wish == Wish(True, 0.0, 0.0)
    assert held.pad.waits_for == "right_trigger"
    held.axes[RIGHT_TRIGGER] = 0.0
    held.send()
    held.axes[RIGHT_TRIGGER] = -1.0
    held.send()
    assert held.wish == Wish(True, 1.0, 0.0)


def test_a_trigger_by_number_is_one_sided_where_the_file_says_so(numbered: HandConfig) -> None:
    held = Held(with_speed(numbered, forward=5, backward=2))
    held.axes[5] = held.axes[2] = 0.0  # what joy_node says of triggers that were not touched yet
    held.settle()
    held.press(DEAD_MAN)
    assert held.wish == Wish(True, 0.0, 0.0)
    held.axes[5] = held.axes[2] = 1.0
    held.send()
    assert held.wish == Wish(True, 0.0, 0.0)
    held.axes[5] = -1.0
    held.send()
    assert held.wish == Wish(True, 1.0, 0.0)


def test_a_trigger_by_number_that_is_given_as_a_stick_never_moves_the_car_untouched(numbered: HandConfig) -> None:
    held = Held(with_speed(numbered, axis=5, inverted=True))
    for turn in range(3):
        held.settle()
        held.press(DEAD_MAN)
        held.settle()
        assert held.wish == Wish(True, 0.0, 0.0)
        for value in (0.6, 0.0, -1.0, 0.0, 1.0):  # pressed and let go, with the switch held and without it
            held.axes[5] = value
            held.send()
            assert held.wish is not None and held.wish.speed == 0
        held.press(DEAD_MAN, 0)
        for value in (0.6, 0.0, -1.0, 0.0, 1.0):
            held.axes[5] = value
            held.send()
        assert held.pad.waits_for == "axis 5", turn


def test_after_a_loss_everything_must_be_seen_at_rest_again(config: HandConfig) -> None:
    held = Held(config)
    held.send()
    held.axes[LEFT_Y] = 1.0
    held.press(SHOULDER)
    assert held.wish == Wish(True, 1.0, 0.0)
    held.send(after=0.25)
    held.press(SHOULDER, 0)
    held.press(SHOULDER)
    assert held.wish == Wish(True, 0.0, 0.0)


def test_samples_of_another_size_come_from_another_pad_and_begin_anew(held: Held) -> None:
    held.axes[1] = 1.0
    held.press(DEAD_MAN)
    assert held.wish == Wish(True, 1.0, 0.0)
    held.buttons.append(0)
    assert held.press(ARM) == []
    assert held.wish == RELEASED


@pytest.mark.parametrize(("axes", "buttons"), [(8, 11), (8, 21), (6, 12)])
def test_what_has_another_layout_on_gamepad_is_refused(config: HandConfig, axes: int, buttons: int) -> None:
    held = Held(config)
    held.axes, held.buttons = [0.0] * axes, [0] * buttons
    held.send()
    assert held.pad.refused.startswith(f"/gamepad has {axes} axes and {buttons} buttons, and not")
    assert held.wish is None


def test_a_trigger_is_no_stick(config: HandConfig) -> None:
    with pytest.raises(OutlapError, match="write forward: right_trigger instead of axis"):
        with_speed(config, axis="right_trigger")
