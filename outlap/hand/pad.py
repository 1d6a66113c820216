"""A joystick's axes and buttons, as sensor_msgs/Joy gives them, read as a wish and as actions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from outlap.drivers.pads import AXES, BUTTONS, TRIGGERS
from outlap.hand.config import Joystick, Switch
from outlap.hand.signs import STILL, Action, Wish

ACTIONS = (Action.ARM, Action.DISARM, Action.POLICY, Action.FASTER, Action.SLOWER)
SLACK = 1e-3  # beyond 1, that an axis may be
NEAR = 0.1  # of the way around its rest, in which a control with a small dead zone counts as being at rest, too
SETTLED = (
    0.3  # s at rest, after which a stick that has only a number is believed to rest there; a trigger passes it faster
)

NUMBERS = (
    "the hand file gives axes and buttons by number, which are others on another pad, and by Bluetooth: "
    "give their names, as config/hand.yaml does"
)


class Pad:
    """Hears samples and says what is wanted; ``refused`` tells why the last one was not taken, empty if it was.

    Nothing counts before it was seen at rest since the link is there: sticks in the middle, the rest released.
    """

    def __init__(self, config: Joystick) -> None:
        self._config = config
        self._heard = -math.inf  # steady s, of the last good sample
        self.refused = ""
        self._forget()

    def _forget(self) -> None:
        """Nothing of what was before counts."""
        self._wish = STILL
        self._shape: tuple[int, int] | None = None  # axes and buttons of the samples
        self._down = set(ACTIONS)  # what was pressed in the last sample
        self._released = False  # whether the dead-man's switch was seen released since the link is there
        self._rested: set[int | str] = set()  # axes of speed and steering that were seen at rest since then
        self._near_since: dict[int | str, float] = {}  # steady s, of those that are at rest

    def hear(self, now: float, axes: Sequence[float], buttons: Sequence[int]) -> list[Action]:
        """Take a sample, received at ``now`` (steady s), and return what was pressed in it.

        A sample that lacks an axis or button of the configuration, or has an axis that is not from -1 to 1, counts
        for nothing, as if it had not come. The first after a loss presses nothing; one of another size comes from
        another pad, which is a loss.
        """
        self.refused = self._fault(axes, buttons)
        if self.refused:
            return []
        config = self._config
        if now - self._heard > config.lost or self._shape != (len(axes), len(buttons)):
            self._forget()
        self._shape = len(axes), len(buttons)
        self._heard = now
        pressed = _pressed(config.dead_man, axes, buttons)
        self._look_for_rest(now, axes, pressed)
        self._released |= not pressed
        held = pressed and self._released
        self._wish = Wish(held, self._speed(axes) if held else 0.0, self._steering(axes))
        down = {action for action in ACTIONS if _pressed(getattr(config, action.value), axes, buttons)}
        new, self._down = down - self._down, down
        return [action for action in ACTIONS if action in new]

    def wish(self, now: float) -> Wish | None:
        """What is wanted at ``now``: nothing but zero speed once samples are late, None when the link is lost."""
        silence = now - self._heard
        if not 0 <= silence <= self._config.lost:
            return None
        return STILL if silence > self._config.late else self._wish

    @property
    def waits_for(self) -> str:
        """What must be let go of before it counts, in words; empty: nothing."""
        if not self._released:
            return "the dead-man's switch"
        waiting = [one for one in self._sticks() if one not in self._rested]
        return "" if not waiting else _name(waiting[0])

    def _sticks(self) -> tuple[int | str, ...]:
        return (*self._config.speed.controls, *self._config.steering.controls)

    def _look_for_rest(self, now: float, axes: Sequence[float], pressed: bool) -> None:
        for part in (self._config.speed, self._config.steering):
            for control in part.controls:
                value = self._way(control, axes)
                if abs(value) > max(part.dead_zone, NEAR):
                    self._near_since.pop(control, None)
                    continue
                since = self._near_since.setdefault(control, now)
                # An axis by number may be a trigger, which is in its middle when it is half pressed.
                doubtful = isinstance(control, int) and control == self._config.speed.axis
                if not doubtful or (not pressed and now - since >= SETTLED):
                    self._rested.add(control)
                if doubtful and pressed and control not in self._rested:
                    self._near_since[control] = now

    def _way(self, control: int | str, axes: Sequence[float]) -> float:
        """From -1 to 1 around where it rests; 0 to 1 of what rests at its end."""
        value = axes[_index(control)]
        if control in TRIGGERS:
            return min(1.0, abs(value))  # game_controller_node gives 0 to -1
        if isinstance(control, int) and control in (self._config.speed.forward, self._config.speed.backward):
            return max(0.0, min(1.0, (1 - value) / 2))
        return max(-1.0, min(1.0, value))

    def _speed(self, axes: Sequence[float]) -> float:
        speed = self._config.speed
        if not self._rested.issuperset(speed.controls):
            return 0.0
        if speed.axis is not None:
            value = _bent(self._way(speed.axis, axes), speed.dead_zone, speed.expo)
        else:
            forward, backward = (
                0.0 if one is None else _bent(self._way(one, axes), speed.dead_zone, speed.expo)
                for one in (speed.forward, speed.backward)
            )
            value = forward - backward
        return -value if speed.inverted else value

    def _steering(self, axes: Sequence[float]) -> float:
        steering = self._config.steering
        if steering.axis not in self._rested:
            return 0.0
        value = _bent(self._way(steering.axis, axes), steering.dead_zone, steering.expo)
        return -value if steering.inverted else value

    def _fault(self, axes: Sequence[float], buttons: Sequence[int]) -> str:
        config = self._config
        switches = [config.dead_man, *(getattr(config, action.value) for action in ACTIONS)]
        used_axes = [*self._sticks(), *(switch.axis for switch in switches if switch.axis is not None)]
        last_axis = max(_index(one) for one in used_axes)
        last_button = max((_index(one.button) for one in switches if one.button is not None), default=-1)
        has = f"{len(axes)} axes and {len(buttons)} buttons"
        if config.named and (len(axes) != len(AXES) or len(buttons) < len(BUTTONS)):
            return f"/gamepad has {has}, and not game_controller_node's layout of {len(AXES)} and {len(BUTTONS)}"
        if last_axis >= len(axes) or last_button >= len(buttons):
            return f"the joystick has {has}; the hand file names axis {last_axis} and button {last_button}"
        wrong = [number for number, value in enumerate(axes) if not abs(value) <= 1 + SLACK]
        return f"the joystick's axis {wrong[0]} is {axes[wrong[0]]:g}" if wrong else ""


def _index(control: int | str) -> int:
    if isinstance(control, int):
        return control
    return AXES.index(control) if control in AXES else BUTTONS.index(control)


def _name(control: int | str) -> str:
    return f"axis {control}" if isinstance(control, int) else control


def _bent(value: float, dead_zone: float, expo: float) -> float:
    """From -1 to 1: straight beyond the dead zone, then bent by expo, (1 - e) x + e x^3."""
    way = max(abs(value) - dead_zone, 0.0) / (1 - dead_zone)
    return math.copysign((1 - expo) * way + expo * way**3, value)


def _pressed(switch: Switch, axes: Sequence[float], buttons: Sequence[int]) -> bool:
    if switch.axis is None:
        assert switch.button is not None
        return buttons[_index(switch.button)] != 0
    value = axes[_index(switch.axis)]
    return (abs(value) if switch.axis in TRIGGERS else value) / switch.beyond >= 1
