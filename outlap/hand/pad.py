"""A joystick's axes and buttons, as sensor_msgs/Joy gives them, read as a wish and as actions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from outlap.hand.config import Joystick, Stick, Switch
from outlap.hand.signs import STILL, Action, Wish

ACTIONS = (Action.ARM, Action.DISARM, Action.POLICY, Action.FASTER, Action.SLOWER)
SLACK = 1e-3  # beyond 1, that an axis may be


class Pad:
    """Hears samples and says what is wanted; ``refused`` tells why the last one was not taken, empty if it was."""

    def __init__(self, config: Joystick) -> None:
        self._config = config
        self._heard = -math.inf  # steady s, of the last good sample
        self._wish = STILL
        self._down = set(ACTIONS)  # what was pressed in the last sample
        self._released = False  # whether the dead-man's switch was seen released since the link is there
        self.refused = ""

    def hear(self, now: float, axes: Sequence[float], buttons: Sequence[int]) -> list[Action]:
        """Take a sample, received at ``now`` (steady s), and return what was pressed in it.

        A sample that lacks an axis or button of the configuration, or has an axis that is not from -1 to 1, counts
        for nothing, as if it had not come. The first after a loss presses nothing.
        """
        self.refused = self._fault(axes, buttons)
        if self.refused:
            return []
        config = self._config
        if now - self._heard > config.lost:
            self._released, self._down = False, set(ACTIONS)
        self._heard = now
        held = _pressed(config.dead_man, axes, buttons)
        self._released |= not held
        held &= self._released
        speed = _value(config.speed, axes) if held else 0.0
        self._wish = Wish(held, speed, _value(config.steering, axes))
        down = {action for action in ACTIONS if _pressed(getattr(config, action.value), axes, buttons)}
        new, self._down = down - self._down, down
        return [action for action in ACTIONS if action in new]

    def wish(self, now: float) -> Wish | None:
        """What is wanted at ``now``: nothing but zero speed once samples are late, None when the link is lost."""
        silence = now - self._heard
        if not 0 <= silence <= self._config.lost:
            return None
        return STILL if silence > self._config.late else self._wish

    def _fault(self, axes: Sequence[float], buttons: Sequence[int]) -> str:
        config = self._config
        switches = [config.dead_man, *(getattr(config, action.value) for action in ACTIONS)]
        last_axis = max(
            config.speed.axis, config.steering.axis, *(0 if one.axis is None else one.axis for one in switches)
        )
        last_button = max(-1 if one.button is None else one.button for one in switches)
        if last_axis >= len(axes) or last_button >= len(buttons):
            return (
                f"the joystick has {len(axes)} axes and {len(buttons)} buttons; the hand file names axis {last_axis} "
                f"and button {last_button}"
            )
        wrong = [number for number, value in enumerate(axes) if not abs(value) <= 1 + SLACK]
        return f"the joystick's axis {wrong[0]} is {axes[wrong[0]]:g}" if wrong else ""


def _value(stick: Stick, axes: Sequence[float]) -> float:
    """From -1 to 1: straight beyond the dead zone, then bent by expo, (1 - e) x + e x^3."""
    value = max(-1.0, min(1.0, axes[stick.axis] * (-1 if stick.inverted else 1)))
    way = max(abs(value) - stick.dead_zone, 0.0) / (1 - stick.dead_zone)
    return math.copysign((1 - stick.expo) * way + stick.expo * way**3, value)


def _pressed(switch: Switch, axes: Sequence[float], buttons: Sequence[int]) -> bool:
    if switch.axis is None:
        assert switch.button is not None
        return buttons[switch.button] != 0
    return axes[switch.axis] / switch.beyond >= 1
