"""The fastest line: the time-optimal lap of a car on a track, the yardstick for every driver.

The car turns no tighter than its steering lets it, shares its tyres' grip between turning and pushing (a friction
ellipse), and keeps limits of speed, acceleration and deceleration. It points along its path, and at least one wheel
stays on the road, or all four, as its limits say. How fast the steering moves, slip, and the motor's lag are left out:
no car of these limits is faster, and a real one is a little slower.

Path and speeds are found together by sequential convex programming (:mod:`outlap.track.improving`): about the last
path all limits are linearised, and a cone program picks how far to move each node sideways, within a trust region. What
a new path is worth says a backward and forward pass of speeds along it. ``docs/fastest-line.md`` tells how far from
optimal the result was found to be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlap.errors import OutlapError
from outlap.track.improving import Driven, improved
from outlap.track.path import path_of
from outlap.track.speed import Limits, fastest_speeds, lap_time, standing_lap_time
from outlap.track.track import Points, Track
from outlap.track.wheels import Wheels

Floats = NDArray[np.float64]

SPACING = 0.06  # m, between nodes; half of it changes lap times by less than 0.1 %
WIDEST_STEP = 0.15  # m, the trust region to begin with, and at most
LEAST_STEP = 1e-4  # m, a trust region as small as this ends the search
CROWDING = 0.02  # m, after nodes have moved further than this they are spaced evenly again
FINE = 0.01  # m, between places at which the speeds of the line that was found are worked out
COARSEST = 0.12  # m, between nodes: with as few the search begins, where spacing permits
SETTLED = 1e-4  # of the lap time: a promised gain below it ends the search
ROUGHLY = 1e-3  # the same where more nodes are yet to come
# Searches that are tried, by whether wheels are looked at between nodes: with twice as far nodes first. The first is
# enough, unless its line turns as tightly as the steering lets it: where such bends follow each other closely there are
# several best lines, and the quickest that was found counts.
BETWEEN = ((True, True), (False, False, True), (False, True))
TURNING = 0.98  # of the tightest turn, from which on that is so
FEW = 20  # rounds where wheels are not looked at between nodes: such a search need not settle
ROUNDS = 80  # of improving, at most; real routes need 4 to 7
TOLERANCE = 2e-3  # m and 1/m, by how much limits may be missed at the end


@dataclass(frozen=True)
class FastestLine:
    """A flying lap; every array has one row a node, in the direction of travel, about evenly spaced."""

    points: Points  # (N, 2) m, of the ground point under the middle of the rear axle (base_link)
    s: Floats  # (N,) m, driven since the first node
    progress: Floats  # (N,) m along the track's centre line
    heading: Floats  # (N,) rad, -pi..pi
    curvature: Floats  # (N,) 1/m, left positive
    speed: Floats  # (N,) m/s
    length: float  # m, once round
    lap_time: float  # s, of a flying lap
    standing_lap_time: float  # s, of a lap from rest, mean over where on the lap it begins


def fastest_line(track: Track, limits: Limits, spacing: float = SPACING) -> FastestLine:
    """Find the fastest lap of a car with ``limits`` on ``track``; nodes lie about ``spacing`` m apart.

    Raises:
        OutlapError: the road is too narrow, or too winding, for the car; or the search ran astray.
    """
    wheels = Wheels(track, limits.wheelbase, limits.wheel_track, limits.margin, limits.wheels)
    wheels.refuse_narrow_road()
    best, fault = None, None
    for between in BETWEEN:
        driven = _found(between, spacing, wheels, limits)
        wrong = _missed_limits(track, driven, limits) or _loops(track, driven)
        fault = fault or wrong
        if wrong is None and (best is None or driven.time < best.time):
            best = driven
        if best is driven and np.abs(driven.path.curvature).max() < TURNING * limits.curvature:
            break
    if best is None:
        raise OutlapError(fault or "")
    return _line(best, limits)


def _found(between: tuple[bool, ...], spacing: float, wheels: Wheels, limits: Limits) -> Driven:
    """The lap that one search finds; see BETWEEN."""
    spacings = [2 * spacing, *[spacing] * (len(between) - 1)] if 2 * spacing <= COARSEST else [spacing] * len(between)
    while 2 * spacings[0] <= COARSEST:
        spacings.insert(0, 2 * spacings[0])
        between = (between[0], *between)
    driven = None
    for k, (one, count) in enumerate(zip(spacings, between, strict=True)):
        wheels.between = count
        if driven is None:
            driven = _driven(wheels.middle_of_the_road(one), wheels, limits)
        elif k and (one != spacings[k - 1] or count != between[k - 1]):
            driven = _spaced(driven, one, wheels, limits)
        last = k == len(spacings) - 1
        driven = _searched(driven, one, SETTLED if last else ROUGHLY, ROUNDS if count else FEW, wheels, limits)
    assert driven is not None
    return driven


def _searched(driven: Driven, spacing: float, settled: float, rounds: int, wheels: Wheels, limits: Limits) -> Driven:
    """The best lap that is found from ``driven`` with nodes ``spacing`` m apart."""
    trust = WIDEST_STEP
    for _ in range(rounds):
        moves, promised = improved(driven, limits, trust)
        new = _driven((driven.path.moved(moves), driven.progress), wheels, limits)
        gain = driven.cost - new.cost
        last = promised < settled * driven.time
        if gain > 0.1 * promised:
            driven = new
            if np.abs(moves).max() > CROWDING:
                driven = _spaced(driven, spacing, wheels, limits)
            if gain > 0.7 * promised:
                trust = min(2 * trust, WIDEST_STEP)
        else:
            trust *= 0.4
        if last or trust < LEAST_STEP:
            break
    return driven


def _spaced(driven: Driven, spacing: float, wheels: Wheels, limits: Limits) -> Driven:
    count = round(float(driven.path.length.sum()) / spacing)
    return _driven(wheels.spaced(driven.path.points, driven.progress, count), wheels, limits)


def _driven(nodes: tuple[Points, Floats], wheels: Wheels, limits: Limits) -> Driven:
    points, near = nodes
    return Driven(path_of(points), near, wheels, limits)


def _missed_limits(track: Track, driven: Driven, limits: Limits) -> str | None:
    """What limits a path misses, in a sentence."""
    path = driven.path
    worst = int(np.abs(path.curvature).argmax())
    if abs(path.curvature[worst]) > limits.curvature + TOLERANCE * max(1.0, limits.curvature):
        x, y = path.points[worst]
        return (
            f"track {track.name}: no lap was found that turns no tighter than {limits.curvature:.2f} 1/m and keeps "
            f"{_wheels(limits)} on the road; near ({x:.2f}, {y:.2f}) m it would take "
            f"{abs(path.curvature[worst]):.2f} 1/m."
        )
    if driven.beyond > TOLERANCE:
        return (
            f"track {track.name}: no lap was found that keeps {_wheels(limits)} {limits.margin:.3f} m inside the "
            f"borders; the best was {driven.beyond:.3f} m short of it, so give a smaller margin or a tighter curvature."
        )
    return None


def _loops(track: Track, driven: Driven) -> str | None:
    """That a line drives a full circle more than its track has, in a sentence: such a search has run astray."""
    path = driven.path
    line = round(_turns(np.roll(path.points, -1, axis=0) - path.points))
    wanted = round(_turns(np.roll(track.center, -1, axis=0) - track.center))
    if line == wanted:
        return None
    at = int(np.abs(path.curvature).argmax())
    x, y = path.points[at]
    return (
        f"track {track.name}: the line that was found turns round {line} times in a lap and the track {wanted}: it "
        f"drives a full circle, probably near ({x:.2f}, {y:.2f}) m. Give a larger margin, or a lower speed."
    )


def _turns(edges: Points) -> float:
    """How many times a closed line turns round, counterclockwise."""
    after = np.roll(edges, -1, axis=0)
    cross = edges[:, 0] * after[:, 1] - edges[:, 1] * after[:, 0]
    return float(np.arctan2(cross, np.sum(edges * after, axis=1)).sum() / (2 * np.pi))


def _wheels(limits: Limits) -> str:
    return "all wheels" if limits.wheels == 4 else "one wheel"


def _line(driven: Driven, limits: Limits) -> FastestLine:
    path = driven.path
    # Between nodes, too, where curvature and speed change evenly: what grip is left for pushing changes within an edge.
    parts = max(1, round(float(path.length.mean()) / FINE))
    share = np.arange(parts) / parts
    length = np.repeat(path.length / parts, parts)
    curvature = ((1 - share) * path.curvature[:, None] + share * np.roll(path.curvature, -1)[:, None]).ravel()
    speed = fastest_speeds(length, curvature, limits)
    return FastestLine(
        points=path.points,
        s=np.concatenate([[0.0], np.cumsum(path.length)[:-1]]),
        progress=driven.progress,
        heading=np.arctan2(path.tangent[:, 1], path.tangent[:, 0]),
        curvature=path.curvature,
        speed=speed[::parts],
        length=float(path.length.sum()),
        lap_time=lap_time(length, speed),
        standing_lap_time=standing_lap_time(length, curvature, speed, limits),
    )
