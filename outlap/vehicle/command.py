"""The command that drives a car, curvature and speed, and the twist that carries it: the one place that converts them.

A command is curvature in 1/m, left positive, and speed in m/s, forward positive. ROS carries it as a twist of
``base_link``: ``linear.x`` is the speed, and ``angular.z`` (the turn rate, rad/s) is curvature times speed.
"""

from __future__ import annotations

FRAME = "base_link"  # that a command's twist is of: the ground point under the middle of the rear axle (REP-105)
STANDSTILL = 0.05  # m/s, below this a command means zero speed, because angular.z / linear.x says nothing
STEERING_SPEED = 1e-3  # m/s, of a twist that turns the wheels of a car that stands: zero carries no curvature


def to_twist(curvature: float, speed: float) -> tuple[float, float]:
    """``linear.x`` (m/s) and ``angular.z`` (rad/s) of a command."""
    return speed, speed * curvature


def to_hand_twist(curvature: float | None, speed: float) -> tuple[float, float]:
    """``linear.x`` and ``angular.z`` of a person's command, which turns the wheels of a car that stands, too.

    Without a curvature, which only speed 0 may lack, the wheels stay as they are.
    """
    if curvature is None:
        return 0.0, 0.0
    return to_twist(curvature, speed or STEERING_SPEED)


def is_standstill(speed: float) -> bool:
    """Whether a command of ``speed`` m/s makes the motor stand; of a policy, it then holds the steering as well."""
    return not abs(speed) >= STANDSTILL  # what is not a number stands, too


def driven_curvature(speed: float, turn_rate: float) -> float:
    """The curvature (1/m) that a motor drives by a twist of ``speed`` m/s and ``turn_rate`` rad/s; 0 at a standstill.

    It is sign-correct in reverse.
    """
    return 0.0 if is_standstill(speed) else turn_rate / speed


def wanted_curvature(speed: float, turn_rate: float) -> float:
    """The curvature (1/m) that the sender of a twist had in mind, however slow: the inverse of :func:`to_twist`.

    A policy remembers this one, whatever the motor makes of it. 0 where the speed is exactly 0, which carries none.
    """
    return turn_rate / speed if speed else 0.0
