"""What a person wants: what every input device says, and what may be asked of the car besides driving."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Action(Enum):
    """Asked by a button or a key, once per press."""

    ARM = "arm"  # and the hand drives
    DISARM = "disarm"
    POLICY = "policy"  # lets go, and arms for the policy
    FASTER = "faster"
    SLOWER = "slower"
    QUIT = "quit"


class Wish(NamedTuple):
    """What a device says at some moment."""

    held: bool  # the dead-man's switch
    speed: float = 0.0  # of the speed limit, -1 to 1; 0 unless held
    steering: float | None = None  # of the tightest curvature, -1 to 1, left positive; None: as it is


STILL = Wish(False)
