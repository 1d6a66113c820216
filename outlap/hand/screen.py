"""What a person at the keys reads: what each key does, and one line that says how things stand."""

from __future__ import annotations

import math
from typing import NamedTuple

from outlap.hand.config import Keyboard

ARROWS = {"up": "↑", "down": "↓", "left": "←", "right": "→"}


class Standing(NamedTuple):
    """How things stand."""

    state: str  # the motor's own word: armed, disarmed, fault; empty: it is silent
    reason: str  # why it does not drive
    who: str  # who drives it while it is armed
    speed: float  # m/s, sent to the actuator
    angle: float  # rad, likewise, left positive
    limit: float  # m/s, of the hand


def line(now: Standing) -> str:
    """One line: what it may do, who drives, what is sent."""
    if not now.state:
        return "the motor says nothing"
    words = [now.state.upper() if now.state != "armed" else "armed"]
    if now.state == "armed":
        words.append(now.who)
    elif now.reason:
        words[0] += f": {now.reason}"
    degrees = round(math.degrees(now.angle))
    side = "straight" if not degrees else f"{abs(degrees)}° {'left' if degrees > 0 else 'right'}"
    words += [f"{now.speed:+.2f} m/s" if now.speed else "0 m/s", side, f"limit {now.limit:.2f} m/s"]
    return " · ".join(words)


def keys_text(config: Keyboard) -> str:
    """What each key does, in a few lines."""

    def keys(*roles: str) -> str:
        names: list[str] = [name for role in roles for name in getattr(config, role)]
        return " ".join(ARROWS.get(name, name) for name in names)

    return "\n".join(
        (
            f"drive: {keys('forward', 'backward', 'left', 'right')}   stop: space, or any other key",
            f"arm, and drive by hand: {keys('arm')}   disarm: {keys('disarm')}   "
            f"let the policy drive: {keys('policy')}",
            f"faster: {keys('faster')}   slower: {keys('slower')}   disarm and quit: {keys('quit')}",
        )
    )
