"""Draws cars: how each differs from the car file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outlap.simulation.clock import TICK
from outlap.simulation.fleet import Fleet
from outlap.simulation.randomization import CarRanges
from outlap.vehicle import dynamics

# Which numbers of a car's dynamics each factor scales.
SCALED = {
    "friction": (dynamics.FRICTION,),
    "cornering_stiffness": (dynamics.STIFFNESS,),
    "mass": (dynamics.MASS,),
    "motor_strength": (dynamics.ACCELERATION, dynamics.MAX_SPEED),
    "deceleration": (dynamics.DECELERATION,),
    "motor_lag": (dynamics.DRIVE_LAG,),
    "servo_rate": (dynamics.STEERING_RATE,),
    "servo_lag": (dynamics.STEERING_LAG,),
    "wheel_radius": (dynamics.WHEEL_RADIUS,),
}


def draw_bodies(ranges: CarRanges | None, fleet: Fleet, rows: NDArray[np.int64], rng: np.random.Generator) -> None:
    """Make other cars of ``rows`` of a fleet; what has no distribution stays as it is."""
    if ranges is None:
        return
    k = len(rows)
    p = dynamics.parameters(fleet.car, k)
    for name, columns in SCALED.items():
        if (given := getattr(ranges, name)) is not None:
            factor = given.draw(rng, k)
            for column in columns:
                p[:, column] *= factor
            if name == "mass":  # the same motor moves more
                p[:, dynamics.ACCELERATION] /= factor
    fleet.parameter[rows] = p
    for given, values in ((ranges.steering_trim, fleet.trim), (ranges.steering_backlash, fleet.backlash)):
        if given is not None:
            values[rows] = given.draw(rng, k)
    for given, values in ((ranges.action_delay, fleet.delay), (ranges.delay_jitter, fleet.jitter)):
        if given is not None:
            values[rows] = given.draw(rng, k) / TICK
    if ranges.delay_jitter is not None:
        fleet.beat[rows] = rng.random(k)
