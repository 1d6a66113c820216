"""Notices a frozen camera: the same picture again and again, under fresh stamps, while the wheels are told to turn."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MOVING = 0.2  # m/s, above which the picture of a car must change
PATIENCE = 0.25  # s of the same picture; with the motor's 0.15 s and its tick a car then stops within 0.5 s
REPEATS = 4  # that it takes, too: a simulator that lags shows few pictures in that time
SILENCE = 0.5  # s without a word from the motor, which repeats itself ten times a second, after which it is gone


class Frozen:
    """Compares each raw picture with the one before. Times are steady s, and never decrease.

    Args:
        wheel_radius: m.
    """

    def __init__(self, wheel_radius: float) -> None:
        self.frozen = False
        self._radius = wheel_radius
        self._told = -math.inf  # s, when the motor last spoke
        self._fast_since = math.inf  # s, since when the wheels are told to turn
        self._last: NDArray[np.uint8] | None = None
        self._same_since = math.inf  # s, when the picture came first
        self._repeats = 0  # of it, while the wheels were told to turn

    def told(self, now: float, wheel_speed: float) -> None:
        """The motor says at ``now`` what it sent to the wheels, in rad/s."""
        self._told = now
        if not abs(wheel_speed) * self._radius > MOVING:
            self._fast_since, self._repeats = math.inf, 0
        elif now < self._fast_since:
            self._fast_since = now

    def shown(self, now: float, picture: NDArray[np.uint8]) -> bool:
        """Whether the camera is frozen, now that it shows ``picture``; once it is, until the picture changes.

        The array is kept until the next one, and must not be changed.
        """
        last, self._last = self._last, picture
        if last is None or not _same(last, picture):
            self._same_since, self._repeats, self.frozen = now, 0, False
            return False
        if now - self._told > SILENCE:
            self._fast_since, self._repeats = math.inf, 0
        if self._fast_since <= now:
            self._repeats += 1
        if now - max(self._same_since, self._fast_since) >= PATIENCE and self._repeats >= REPEATS:
            self.frozen = True
        return self.frozen


def _same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    # A few rows tell most pictures apart.
    return one.shape == other.shape and np.array_equal(one[::32], other[::32]) and np.array_equal(one, other)
