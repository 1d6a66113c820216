"""What a car could do at best on a track: the numbers that the fastest line needs, taken from the car file."""

from __future__ import annotations

import math

from outlap.simulation.distribution import Distribution
from outlap.simulation.randomization import CarRanges
from outlap.track.fastest import fastest_line
from outlap.track.speed import Limits
from outlap.track.track import Track
from outlap.vehicle.car import GRAVITY, Car


def limits_of(
    car: Car,
    speed_limit: float,
    curvature_limit: float | None = None,
    grip: float = 1.0,
    margin: float = 0.0,
    wheels: int = 1,
) -> Limits:
    """Limits of a car for :func:`outlap.track.fastest.fastest_line`.

    Args:
        car: the car; its own limits of speed and curvature hold as well.
        speed_limit: m/s.
        curvature_limit: 1/m; the car's own if not given.
        grip: part of the car's friction that may be used.
        margin: m, that the wheels which count keep from the borders.
        wheels: that stay on the road: 1, as in a clean lap, or all 4.

    Raises:
        OutlapError: a number is no limit.
    """
    curvature = car.max_curvature if curvature_limit is None else min(curvature_limit, car.max_curvature)
    return Limits(
        speed=min(speed_limit, car.drive.max_speed),
        curvature=curvature,
        grip=grip * car.tyres.friction * GRAVITY,
        acceleration=car.drive.max_acceleration,
        deceleration=car.drive.max_deceleration,
        wheelbase=car.axles.wheelbase,
        wheel_track=car.axles.track,
        margin=margin,
        wheels=wheels,
    )


def yardstick(
    track: Track, car: Car, speed_limit: float, curvature_limit: float | None = None, standing: bool = False
) -> float:
    """Seconds of the time-optimal lap, against which every driver is measured.

    One wheel at least stays on the road, as in a clean lap (``outlap.driving.laps``). ``standing`` begins the lap at
    rest, as an evaluation's trials do, and is the mean over where that is; otherwise the lap is a flying one.

    Raises:
        OutlapError: no lap keeps the limits; the sentence says why.
    """
    line = fastest_line(track, limits_of(car, speed_limit, curvature_limit))
    return line.standing_lap_time if standing else line.lap_time


def quickest(ranges: CarRanges | None) -> float:
    """How many times faster round a lap than the car on file one of ``ranges`` may be, at most.

    With all speeds ``a`` times as high, and accelerations and grip a² times, the same path takes 1/a of the time.
    """
    if ranges is None:
        return 1.0
    pushing = _most(ranges.motor_strength) / _least(ranges.mass)
    squares = (pushing, _most(ranges.deceleration), _most(ranges.friction))
    return max(1.0, _most(ranges.wheel_radius), *(math.sqrt(square) for square in squares))


def _most(factor: Distribution | None) -> float:
    return 1.0 if factor is None else max(high for _, high in factor.support)


def _least(factor: Distribution | None) -> float:
    return 1.0 if factor is None else min(low for low, _ in factor.support)
