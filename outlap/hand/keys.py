"""The keys of a terminal as a wish. A held key is the dead-man's switch.

Most terminals tell no releases: there the car moves only while a key repeats. A repeat comes of the key that was
pressed last, so any key that drives keeps the direction alive, and steering lasts only while its own key repeats.
Where releases are told, keys count until then, as long as the terminal answers.
"""

from __future__ import annotations

import math

from outlap.hand.config import Keyboard
from outlap.hand.decode import Key
from outlap.hand.signs import Action, Wish

SPEEDS = {"forward": 1, "backward": -1}
SIDES = {"left": 1, "right": -1}


class Keys:
    """Hears events and says what is wanted."""

    def __init__(self, config: Keyboard) -> None:
        self._config = config
        self._roles = {name: role for role in (*SPEEDS, *SIDES) for name in getattr(config, role)}
        self._asks = {name: action for action in Action for name in getattr(config, action.value)}
        self._down: dict[str, None] = {}  # roles held, oldest first; where releases are told
        self._last, self._until = "", -math.inf  # the role that was pressed last, and steady s to which it lasts
        self._direction, self._side, self._side_until = 0, 0, -math.inf
        self._tells = False  # whether the terminal tells releases
        self._heard = -math.inf  # steady s, when it last said anything
        self._now = -math.inf
        self._speed, self._steering = 0.0, 0.0  # on their way

    @property
    def tells_releases(self) -> bool:
        """Whether the terminal speaks the kitty keyboard protocol."""
        return self._tells

    def hear(self, now: float, key: Key) -> list[Action]:
        """Take an event that came at ``now`` (steady s), and return what it asks for. An unknown key stops."""
        self._heard = now
        self._tells |= key.told
        if key.kind == "answer":
            return []
        if key.kind == "away":
            self._let_go()
            return []
        role = self._roles.get(key.name)
        if role is not None:
            self._drive(now, role, key)
            return []
        if key.kind != "press":
            return []
        action = self._asks.get(key.name)
        if action not in (Action.FASTER, Action.SLOWER):
            self._let_go()
        return [] if action is None else [action]

    def wish(self, now: float) -> Wish | None:
        """What is wanted at ``now``, called again and again; None when a terminal that tells releases is gone."""
        passed, self._now = min(max(now - self._now, 0.0), 0.1), now
        silence = now - self._heard if self._tells else 0.0
        if silence > self._config.late:
            self._let_go()  # what was held must be pressed again
        if silence > self._config.lost:
            return None
        direction, side, held = self._held(now)
        self._steering = self._towards(self._steering, side, passed)
        if not direction or self._speed * direction < 0:
            self._speed = 0.0
        self._speed += direction * min(abs(direction - self._speed), passed / self._config.rise)
        # Of a terminal that may be gone, nobody knows whether the keys were let go.
        return Wish(held, self._speed, None if silence > self._config.late else self._steering)

    def _drive(self, now: float, role: str, key: Key) -> None:
        if key.told:
            if key.kind == "release":
                self._down.pop(role, None)
            elif key.kind == "press" or role in self._down:  # not one that space let go of
                self._down[role] = None
            return
        repeated = role == self._last and now <= self._until
        self._last = role
        self._until = now + (self._config.hold if repeated else self._config.first_hold)
        if role in SPEEDS:
            self._direction = SPEEDS[role]
        else:
            self._side, self._side_until = SIDES[role], self._until

    def _held(self, now: float) -> tuple[int, int, bool]:
        """(direction, side, whether any key is held)."""
        if self._down:
            newest = list(self._down)
            direction = next((SPEEDS[role] for role in reversed(newest) if role in SPEEDS), 0)
            side = next((SIDES[role] for role in reversed(newest) if role in SIDES), 0)
            return direction, side, True
        if now > self._until:
            self._direction = 0
            return 0, 0, False
        return self._direction, self._side if now <= self._side_until else 0, True

    def _let_go(self) -> None:
        self._down.clear()
        self._last, self._until, self._side_until, self._direction = "", -math.inf, -math.inf, 0

    def _towards(self, value: float, goal: float, passed: float) -> float:
        away = goal != 0 and value * goal >= 0
        step = passed / (self._config.steer if away else self._config.centre)
        return value + max(-step, min(step, goal - value))
