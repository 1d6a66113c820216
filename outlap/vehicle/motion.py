"""How a car moves, as a simulator tells it."""

from __future__ import annotations

from typing import NamedTuple


class Motion(NamedTuple):
    """Ground truth of base_link: where it is and how it moves."""

    x: float  # m
    y: float  # m
    yaw: float  # rad
    speed: float  # m/s, forward
    lateral_speed: float  # m/s, to the left
    yaw_rate: float  # rad/s
