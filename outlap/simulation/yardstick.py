"""What a car could do at best on a track: the numbers that the fastest line needs, taken from the car file."""

from __future__ import annotations

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
