"""What a car can do, and the fastest speeds along a path whose curvature is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numba import njit
from numpy.typing import NDArray

from outlap.errors import OutlapError

Floats = NDArray[np.float64]
LARGEST = 1e6  # of any limit's unit; more is no number of a car


@dataclass(frozen=True)
class Limits:
    """What a car can do, in plain numbers.

    Raises:
        OutlapError: a limit is not a positive number, the margin is no number, or another number of wheels counts.
    """

    speed: float  # m/s, at most
    curvature: float  # 1/m, the tightest turn of the steering
    grip: float  # m/s², the most that the tyres give in any direction: friction times gravity
    acceleration: float  # m/s², at most
    deceleration: float  # m/s², at most
    wheelbase: float  # m, rear axle to front axle
    wheel_track: float  # m, left wheel to right wheel
    margin: float = 0.0  # m, that the wheels which count keep from the borders; below zero they may go beyond
    wheels: int = 4  # that stay on the road: all four, or one, which is DeepRacer's rule of a clean lap

    def __post_init__(self) -> None:
        """Refuse what is no limit."""
        if self.wheels not in (1, 4):
            raise OutlapError(f"the fastest line keeps 1 wheel on the road, or 4, not {self.wheels}.")
        for field in fields(self):
            value = getattr(self, field.name)
            margin = field.name == "margin"
            if not (math.isfinite(value) and (-LARGEST if margin else 1e-6) <= value <= LARGEST):
                wanted = "a number of metres" if margin else "a positive number"
                raise OutlapError(f"the fastest line's limit {field.name} must be {wanted}, not {value:g}.")


def fastest_speeds(length: Floats, curvature: Floats, limits: Limits) -> Floats:
    """Highest speeds (N,) m/s at the nodes of a closed path that keep the limits.

    Args:
        length: (N,) m, of the edge from each node to the next.
        curvature: (N,) 1/m, at the nodes.
        limits: what the car can do; what turning leaves of its grip speeds it up or brakes it.
    """
    bend = np.abs(curvature)
    top = np.minimum(limits.speed**2, limits.grip / np.maximum(bend, 1e-9))
    first = int(np.argmin(top))
    top, length, bend = (np.roll(values, -first) for values in (top, length, bend))
    squares = _both_ways(top, length, bend, limits.grip, limits.acceleration, limits.deceleration)
    return np.sqrt(np.roll(squares, first))


def lap_time(length: Floats, speed: Floats) -> float:
    """Seconds round a closed path with ``speed`` (N,) m/s at its nodes and even acceleration between them."""
    return float(np.sum(2 * length / (speed + np.roll(speed, -1))))


def standing_lap_time(length: Floats, curvature: Floats, speed: Floats, limits: Limits) -> float:
    """Seconds of a lap from rest along a path whose flying lap has ``speed`` (N,) m/s, mean over where it begins."""
    lost = _lost_from_rest(speed**2, length, np.abs(curvature), limits.grip, limits.acceleration)
    return lap_time(length, speed) + lost


@njit(cache=True)
def _reached(square, bend, length, grip, most):
    """Squared speed after an edge that begins with ``square`` and pushes as hard as it may."""
    left = np.sqrt(max(grip * grip - (bend * square) ** 2, 0.0))
    return square + 2 * length * min(most, left)


@njit(cache=True)
def _both_ways(top, length, bend, grip, acceleration, deceleration):
    """Squared speeds on a lap that begins at its slowest node, where neither pass depends on what lies before it."""
    n = len(top)
    square = top.copy()
    for i in range(n - 1):
        square[i + 1] = min(square[i + 1], _reached(square[i], bend[i], length[i], grip, acceleration))
    ahead = square[0]
    for i in range(n - 1, -1, -1):
        follower = bend[i + 1] if i + 1 < n else bend[0]
        square[i] = min(square[i], _reached(ahead, follower, length[i], grip, deceleration))
        ahead = square[i]
    return square


@njit(cache=True)
def _lost_from_rest(flying, length, bend, grip, acceleration):
    """Seconds by which a lap from rest takes longer than a flying one, mean over all nodes where it may begin."""
    n = len(flying)
    lost = 0.0
    for first in range(n):
        square = 0.0
        for k in range(n):
            i = (first + k) % n
            j = (i + 1) % n
            if square >= flying[i]:
                break
            after = min(flying[j], _reached(square, bend[i], length[i], grip, acceleration))
            lost += (
                2 * length[i] * (1 / (np.sqrt(square) + np.sqrt(after)) - 1 / (np.sqrt(flying[i]) + np.sqrt(flying[j])))
            )
            square = after
    return lost / n
