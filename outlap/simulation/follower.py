"""A classical controller that drives the fastest line: a baseline for labs and tests, and a demonstrator for learners.

Steering is the curvature of the line where the car is about to be, and a correction: the car's course is turned towards
the line, the further it is from it the more, up to a limit. Speed is the line's speed where the car is about to be. It
knows the car's true pose, motion and delay, which no camera tells; it keeps no memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from outlap.simulation.clock import TICK
from outlap.simulation.fleet import Fleet
from outlap.simulation.yardstick import limits_of
from outlap.track.fastest import SPACING, FastestLine, fastest_line
from outlap.track.geometry import TrackSet
from outlap.vehicle import dynamics
from outlap.vehicle.car import GRAVITY, Car

Floats = NDArray[np.float64]

GRIP = 0.8  # of the friction that the followed line uses: a tyre gives all of it only when it slides
MARGIN = 0.02  # m, that the followed line's wheels keep from the borders: by so much the car misses the line
YAW_LAG = 0.05  # s, in which the car's turning follows its front wheel
REACH = 0.175  # s, in which the car would be back on the line, had it a course straight towards it
LEAST_REACH = 0.1  # m, what is added to it so that a slow car does not turn about on the spot
GAIN = 7.0  # 1/m, curvature per rad of course error
STEEPEST = 0.6  # rad, at which the car approaches the line from afar
WINDOW = 1.0  # m along the line, to either side of the car's place on the lap, where its nearest node is looked for

# Columns of a node: place, direction, curvature, speed.
X, Y, TX, TY, CURVATURE, SPEED = range(6)


class LineFollower:
    """Drives cars of a fleet along the fastest lines of its tracks.

    Attributes:
        lines: the line of each track.
    """

    def __init__(
        self,
        tracks: TrackSet,
        car: Car,
        speed_limit: float,
        curvature_limit: float | None = None,
        rate_hz: float = 30.0,
        grip: float = GRIP,
        margin: float = MARGIN,
        spacing: float = SPACING,
        lines: Sequence[FastestLine] | None = None,
    ) -> None:
        """Find the line of every track (about half a second each), or take ``lines`` found before.

        Args:
            tracks: the tracks.
            car: the car for which the lines are.
            speed_limit: m/s, at most commanded.
            curvature_limit: 1/m, at most commanded; the car's own if not given.
            rate_hz: commands a second.
            grip: part of the car's friction that the lines use; less for cars that may have less.
            margin: m, that the lines' wheels keep from the borders; more for cars that are driven less exactly.
            spacing: m, between the nodes of the lines; twice as much takes a third of the time to find.
            lines: one for each track.

        Raises:
            OutlapError: a track has no line that keeps the limits.
        """
        if lines is not None and len(lines) != len(tracks.tracks):
            raise ValueError(f"{len(lines)} lines for {len(tracks.tracks)} tracks")
        limits = limits_of(car, speed_limit, curvature_limit, grip, margin, wheels=4)
        self.lines = (
            tuple(lines) if lines is not None else tuple(fastest_line(one, limits, spacing) for one in tracks.tracks)
        )
        self._limits = limits
        self._hold = 0.5 / rate_hz
        self._start = np.concatenate([[0], np.cumsum([len(line.s) for line in self.lines])]).astype(np.int64)
        self._nodes = np.concatenate([_nodes(line) for line in self.lines])
        self._spacing = np.array([line.length / len(line.s) for line in self.lines])
        # Where on the track each node is: the car's place on the lap tells about where on the line it is.
        self._at = np.concatenate([line.progress for line in self.lines])

    def act(self, fleet: Fleet) -> tuple[Floats, Floats]:
        """Curvature (n,) 1/m and speed (n,) m/s for every car of the fleet, whose tracks must be this one's."""
        if len(fleet.tracks.tracks) != len(self.lines):
            raise ValueError(f"{len(self.lines)} lines for {len(fleet.tracks.tracks)} tracks")
        return self.commands(
            fleet.state,
            fleet.parameter,
            fleet.track,
            fleet.located.s,
            fleet.delay.astype(np.float64) * TICK,
            fleet.tracks.length,
        )

    def commands(
        self,
        state: Floats,
        parameters: Floats,
        track: NDArray[np.int64],
        s: Floats,
        delay: Floats,
        length: Floats,
    ) -> tuple[Floats, Floats]:
        """The same from the numbers alone.

        Args:
            state: (n, 7) rows of :mod:`outlap.vehicle.dynamics`.
            parameters: (n, 15) what is thought of each car, likewise.
            track: (n,) index of each car's track.
            s: (n,) m, progress of the car's middle along the centre line.
            delay: (n,) s, from a command to its effect, as it is thought to be.
            length: (T,) m, of the tracks' centre lines.
        """
        curvature, speed = np.empty(len(state)), np.empty(len(state))
        _act(
            state,
            parameters,
            track,
            s,
            delay + self._hold,
            length,
            self._nodes,
            self._at,
            self._start,
            self._spacing,
            self._limits.speed,
            self._limits.curvature,
            curvature,
            speed,
        )
        return curvature, speed


def _nodes(line: FastestLine) -> Floats:
    return np.stack([*line.points.T, np.cos(line.heading), np.sin(line.heading), line.curvature, line.speed], axis=1)


@njit(cache=True)
def _act(
    state,
    parameter,
    track,
    progress,
    delay,
    length,
    nodes,
    at,
    start,
    spacing,
    speed_limit,
    curvature_limit,
    curvature,
    speed,
):
    for c in range(len(state)):
        which = track[c]
        first, count = start[which], start[which + 1] - start[which]
        step = spacing[which]
        v = max(state[c, dynamics.SPEED], 0.0)
        rate = state[c, dynamics.YAW_RATE]
        sideways = state[c, dynamics.LATERAL] - parameter[c, dynamics.TO_REAR] * rate
        slip = np.arctan2(sideways, max(v, 0.3))
        # Where the car will be when what is commanded now takes effect.
        late = delay[c] + parameter[c, dynamics.STEERING_LAG] + YAW_LAG
        yaw = state[c, dynamics.YAW]
        course = yaw + slip + 0.5 * rate * late
        x = state[c, dynamics.X] + v * late * np.cos(course)
        y = state[c, dynamics.Y] + v * late * np.sin(course)
        course += 0.5 * rate * late
        k = _nearest(x, y, progress[c], length[which], nodes, at, first, count, int(WINDOW / step) + 1)
        node = nodes[first + k]
        dx, dy = x - node[X], y - node[Y]
        ahead = dx * node[TX] + dy * node[TY]
        offset = dy * node[TX] - dx * node[TY]
        place = k + ahead / step
        bend = _between(nodes, first, count, place, CURVATURE)
        heading = np.arctan2(node[TY], node[TX]) + bend * ahead
        error = (course - heading + np.pi) % (2 * np.pi) - np.pi
        reach = REACH * max(v, 0.5) + LEAST_REACH
        wanted = min(max(-np.arctan(offset / reach), -STEEPEST), STEEPEST)
        turn = bend * np.cos(error) / max(1 - bend * offset, 0.3) + GAIN * (wanted - error)
        turn = min(max(turn, -curvature_limit), curvature_limit)
        curvature[c] = turn
        soon = place + v * parameter[c, dynamics.DRIVE_LAG] / step
        want = min(_between(nodes, first, count, place, SPEED), _between(nodes, first, count, soon, SPEED))
        grip = parameter[c, dynamics.FRICTION] * GRAVITY
        speed[c] = min(want, speed_limit, np.sqrt(grip / max(abs(turn), 0.1)) + 0.1)


@njit(cache=True)
def _nearest(x, y, progress, length, nodes, at, first, count, window):
    """Nearest node to a place, among those about as far along the lap as the car."""
    # The nodes' places on the lap rise from the first to the last, but for one fall where the lap begins anew.
    guess = int((progress - at[first]) / length % 1.0 * count) % count if np.isfinite(progress) else 0
    for _ in range(8):
        away = (at[first + guess] - progress + 0.5 * length) % length - 0.5 * length
        move = round(away / length * count)
        if move == 0:
            break
        guess = (guess - move) % count
    best, nearest = np.inf, guess
    for j in range(guess - window, guess + window + 1):
        i = j % count
        square = (nodes[first + i, X] - x) ** 2 + (nodes[first + i, Y] - y) ** 2
        if square < best:
            best, nearest = square, i
    return nearest


@njit(cache=True)
def _between(nodes, first, count, place, column):
    i = int(np.floor(place))
    t = place - i
    return (1 - t) * nodes[first + i % count, column] + t * nodes[first + (i + 1) % count, column]
