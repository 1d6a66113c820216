"""The fastest line as a teacher's guide: where it runs ahead, how fast it may be driven there, and how to follow it.

A car at full speed must brake for bends long before it is in them. The line's speeds say where, which a teacher that
only sees the road has to find out by leaving it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from outlap.driving.task_config import TaskConfig
from outlap.errors import OutlapError
from outlap.simulation.clock import LIVE_DELAY, TICK
from outlap.simulation.fleet import Fleet
from outlap.simulation.follower import LineFollower
from outlap.simulation.yardstick import limits_of
from outlap.track.fastest import FastestLine, fastest_line
from outlap.track.geometry import TrackSet
from outlap.track.speed import Limits
from outlap.track.track import Track
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car

Floats = NDArray[np.float64]

GRID = 0.02  # m, between the places along the centre line for which the line is looked up
PARTS = (1.0, 0.75, 0.5, 0.25)  # of the margin, until there is a way round; then none
DELAY = sum(LIVE_DELAY) / 2 * TICK  # s, of commands, that is reckoned with

# Columns of the table: place, speed, curvature.
X, Y, SPEED, CURVATURE = range(4)


class Guide:
    """The fastest lines of some tracks, for cars like the file; what makes one car differ it does not know.

    Args:
        tracks: the tracks; each line takes about half a second to find.
        car: the car.
        config: the task, which has a ``guide``.
        told: called after each line with how many have been found, and of how many; it may raise.

    Raises:
        OutlapError: there is no way round a track within the task's limits.
    """

    def __init__(
        self,
        tracks: TrackSet,
        car: Car,
        config: TaskConfig,
        told: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        given = config.guide
        assert given is not None
        speed, curvature = config.speed_limit, config.curvature_limit
        limits = limits_of(car, speed, curvature, given.grip, given.margin, config.wheels)
        lines = []
        for one in tracks.tracks:
            lines.append(_line(one, limits))
            told(len(lines), len(tracks.tracks))
        self._limits = np.array([curvature, speed])
        self._follower = LineFollower(tracks, car, speed, curvature, config.rate_hz, given.grip, lines=lines)
        self._parameters = dynamics.parameters(car)
        tables = [_table(tracks, number, line) for number, line in enumerate(lines)]
        self._count = np.array([len(one) for one in tables])
        self._first = np.cumsum(self._count) - self._count
        self._nodes = np.concatenate(tables)

    def commands(self, fleet: Fleet) -> tuple[Floats, Floats]:
        """Curvature (n,) 1/m and speed (n,) m/s by which each car would follow its line."""
        parameters = np.broadcast_to(self._parameters, (fleet.n, self._parameters.shape[1]))
        return self._follower.commands(
            fleet.state, parameters, fleet.track, fleet.located.s, np.full(fleet.n, DELAY), fleet.tracks.length
        )

    def speed(self, track: NDArray[np.int64], s: Floats) -> Floats:
        """The line's speeds (n,) m/s at ``s`` (n,) m along the laps of ``track`` (n,)."""
        return self._at(track, s)[:, SPEED]

    def seen(self, fleet: Fleet, ahead: Floats) -> Floats:
        """The lines ``ahead`` (k,) m along the lap, in each car's own frame, (n, 4 k).

        All the distances forward, less what they would be straight ahead, in m; then all to the left; then speeds and
        curvatures as parts of their limits.
        """
        state, n, k = fleet.state, fleet.n, len(ahead)
        places = (fleet.located.s[:, None] + ahead).ravel()
        nodes = self._at(np.repeat(fleet.track, k), places).reshape(n, k, 4)
        dx, dy = nodes[..., X] - state[:, [dynamics.X]], nodes[..., Y] - state[:, [dynamics.Y]]
        cosine, sine = np.cos(state[:, [dynamics.YAW]]), np.sin(state[:, [dynamics.YAW]])
        return np.concatenate(
            [
                cosine * dx + sine * dy - ahead,
                cosine * dy - sine * dx,
                nodes[..., SPEED] / self._limits[1],
                nodes[..., CURVATURE] / self._limits[0],
            ],
            axis=1,
        )

    def _at(self, track: NDArray[np.int64], s: Floats) -> Floats:
        return self._nodes[self._first[track] + (s / GRID).astype(np.int64) % self._count[track]]


def _line(track: Track, limits: Limits) -> FastestLine:
    """The fastest line; where the road is too winding for the margin, one that keeps less from the borders."""
    for part in PARTS:
        with contextlib.suppress(OutlapError):
            return fastest_line(track, replace(limits, margin=part * limits.margin))
    return fastest_line(track, replace(limits, margin=0.0))


def _table(tracks: TrackSet, number: int, line: FastestLine) -> Floats:
    """Rows of X … CURVATURE every GRID m along the centre line."""
    length = float(tracks.length[number])
    s = np.linspace(0, length, round(length / GRID), endpoint=False)
    columns = (*line.points.T, line.speed, line.curvature)
    return np.stack([np.interp(s, line.progress, column, period=length) for column in columns], axis=1)
