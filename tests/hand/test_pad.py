"""A joystick's samples as a wish: the dead-man's switch, dead zones, presses, and samples that no joystick sends."""

from __future__ import annotations

import math

import pytest

from outlap.hand.config import HandConfig, Switch
from outlap.hand.pad import Pad
from outlap.hand.signs import STILL, Action, Wish

DEAD_MAN, ARM, DISARM, POLICY = 4, 0, 1, 3

RELEASED = Wish(False, 0.0, 0.0)  # with the stick in its middle


class Held:
    """A pad in somebody's hands: samples at 20 Hz."""

    def __init__(self, config: HandConfig) -> None:
        self.pad = Pad(config.joystick)
        self.now = 100.0
        self.axes = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
        self.buttons = [0] * 11

    def send(self, after: float = 0.05) -> list[Action]:
        self.now += after
        return self.pad.hear(self.now, self.axes, self.buttons)

    def press(self, button: int, down: int = 1) -> list[Action]:
        self.buttons[button] = down
        return self.send()

    @property
    def wish(self) -> Wish | None:
        return self.pad.wish(self.now)


@pytest.fixture
def held(config: HandConfig) -> Held:
    return Held(config)


def test_drives_only_while_the_dead_mans_switch_is_held(held: Held) -> None:
    held.axes[1] = 1.0
    held.send()
    assert held.wish == RELEASED
    held.press(DEAD_MAN)
    assert held.wish == Wish(True, 1.0, 0.0)
    held.press(DEAD_MAN, 0)
    assert held.wish == RELEASED


def test_the_first_sample_never_drives(held: Held) -> None:
    held.axes[1] = 1.0
    held.press(DEAD_MAN)
    assert held.wish == RELEASED
    held.press(DEAD_MAN, 0)
    held.press(DEAD_MAN)
    assert held.wish is not None
    assert held.wish.held


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
    assert held.wish is None
    held.send()
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


def test_a_press_asks_once_and_not_at_the_start(held: Held) -> None:
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


def test_a_trigger_can_be_the_dead_mans_switch(config: HandConfig) -> None:
    joystick = config.joystick.model_copy(update={"dead_man": Switch(axis=2, beyond=-0.5)})
    held = Held(config.model_copy(update={"joystick": joystick}))
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
