"""Many cars on many tracks at once: where they are, how they move, and what their cameras see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlap.camera.model import OPTICAL_TO_BASE
from outlap.simulation.clock import TICK
from outlap.simulation.rendering.ground import bounds
from outlap.simulation.rendering.look import Looks
from outlap.simulation.rendering.render import Renderer
from outlap.track.footing import Footing, footing
from outlap.track.geometry import Located, TrackSet
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car

GOLDEN = (5**0.5 - 1) / 2  # whose multiples spread over 0 to 1 evenly and without a pattern that could be learned

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass
class Mounts:
    """How n cameras sit on their cars: m and rad, each of shape (n,), as in the car file."""

    x: Floats
    y: Floats
    height: Floats
    pitch: Floats
    roll: Floats
    yaw: Floats

    @classmethod
    def alike(
        cls, n: int, x: float, height: float, pitch: float, y: float = 0, roll: float = 0, yaw: float = 0
    ) -> Mounts:
        """n cameras, all mounted the same."""
        return cls(*(np.full(n, float(value)) for value in (x, y, height, pitch, roll, yaw)))


class Fleet:
    """n cars; every array has one row a car.

    Attributes:
        tracks: the tracks that cars drive on.
        track: (n,) index of each car's track.
        state: (n, 7) rows of :mod:`outlap.vehicle.dynamics`.
        parameter: (n, 15) each car's own dynamics.
        delay: (n,) whole ticks from a command to its effect at the actuators.
        jitter: (n,) whole ticks, the most that a step adds to the delay.
        beat: (n,) 0 to 1, which part of the jitter the last step added.
        trim: (n,) rad, by which the front wheel stands to the left of where its servo holds it.
        backlash: (n,) rad, play between servo and wheel.
        located: where the cars' middles are along their tracks.
    """

    STATE: ClassVar = {
        "track": "track",
        "dynamics": "state",
        "parameters": "parameter",
        "delay": "delay",
        "jitter": "jitter",
        "jitter_phase": "beat",
        "trim": "trim",
        "backlash": "backlash",
        "linkage": "_linkage",
        "command": "_command",
        "located": "located",
    }

    def __init__(self, tracks: TrackSet, car: Car, n: int) -> None:
        self.tracks = tracks
        self.car = car
        self.n = n
        self.track = np.zeros(n, dtype=np.int64)
        self.state = np.zeros((n, dynamics.STATE_SIZE))
        self.parameter = dynamics.parameters(car, n)
        self.delay = np.zeros(n, dtype=np.int64)
        self.jitter = np.zeros(n, dtype=np.int64)
        self.beat, self.trim, self.backlash = np.zeros(n), np.zeros(n), np.zeros(n)
        self._linkage = np.zeros(n)  # rad, where the play has left the wheel
        self._command = np.zeros((2, n))  # steering angle (rad) and wheel speed (rad/s) now at the actuators
        self.located: Located = tracks.locate(self.track, self.middle())

    def middle(self) -> Floats:
        """Places of the cars' middles, half way between the axles, (n, 2) m."""
        half = self.car.axles.wheelbase / 2
        x, y, yaw = self.state[:, dynamics.X], self.state[:, dynamics.Y], self.state[:, dynamics.YAW]
        return np.stack([x + half * np.cos(yaw), y + half * np.sin(yaw)], axis=1)

    def place(
        self,
        rows: ArrayLike,
        track: ArrayLike,
        s: ArrayLike,
        offset: ArrayLike = 0,
        turn: ArrayLike = 0,
        speed: ArrayLike = 0,
    ) -> None:
        """Put the middles of cars beside the centre line, as training does; laps begin by :meth:`stand`.

        Args:
            rows: (k,) the cars.
            track: (k,) index of the track of each.
            s: (k,) m, progress of the car's middle.
            offset: (k,) m to the left of the centre line.
            turn: (k,) rad, of the car against the centre line, left positive.
            speed: (k,) m/s.
        """
        at = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        self.track[at] = track
        xy, heading = self.tracks.pose(self.track[at], np.broadcast_to(s, at.shape), np.broadcast_to(offset, at.shape))
        yaw = heading + np.asarray(turn)
        half = self.car.axles.wheelbase / 2
        back = np.stack([np.cos(yaw), np.sin(yaw)], axis=1) * half
        self.put(at, xy[:, 0] - back[:, 0], xy[:, 1] - back[:, 1], yaw, speed)

    def stand(self, rows: ArrayLike, track: ArrayLike, s: ArrayLike) -> None:
        """Put cars where laps begin and where they are put back: base_link on the centre line, at rest.

        Args:
            rows: (k,) the cars.
            track: (k,) index of the track of each.
            s: (k,) m, progress of base_link.
        """
        at = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        self.track[at] = track
        xy, heading = self.tracks.pose(self.track[at], np.broadcast_to(s, at.shape))
        self.put(at, xy[:, 0], xy[:, 1], heading)

    def keep(self, rows: Rows) -> None:
        """From now on there are only the cars ``rows`` (k,), in this order."""
        self.n = len(rows)
        self.track, self.state, self.parameter = self.track[rows], self.state[rows], self.parameter[rows]
        self.delay, self._command = self.delay[rows], self._command[:, rows]
        self.jitter, self.beat, self._linkage = self.jitter[rows], self.beat[rows], self._linkage[rows]
        self.trim, self.backlash = self.trim[rows], self.backlash[rows]
        self.located = Located(*(values[rows] for values in vars(self.located).values()))

    def put(self, rows: ArrayLike, x: ArrayLike, y: ArrayLike, yaw: ArrayLike, speed: ArrayLike = 0) -> None:
        """Put base_link of cars at poses of the world (m, m, rad), rolling straight ahead at ``speed`` m/s."""
        at = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        self.state[at] = 0
        for column, value in ((dynamics.X, x), (dynamics.Y, y), (dynamics.YAW, yaw), (dynamics.SPEED, speed)):
            self.state[at, column] = value
        self._command[0, at] = self.trim[at]
        self._linkage[at] = 0
        self._command[1, at] = self.state[at, dynamics.SPEED] / self.parameter[at, dynamics.WHEEL_RADIUS]
        self._locate(at)

    def step(self, steering: Floats, wheel_speed: Floats, ticks: int) -> None:
        """Drive on for ``ticks`` ticks under commands given now: (n,) rad and (n,) rad/s.

        Numbers that are not finite are taken as zero: the simulated actuators cannot follow them.
        """
        wanted = np.nan_to_num(np.stack([steering, wheel_speed]), nan=0, posinf=0, neginf=0)
        half = self.backlash / 2
        self._linkage = np.clip(self._linkage, wanted[0] - half, wanted[0] + half)
        wanted[0] = self._linkage + self.trim
        self.beat = (self.beat + GOLDEN) % 1
        delay = self.delay + (self.beat * (self.jitter + 1)).astype(np.int64)
        # Tick by tick, also where no delay ends: a car's rounding must not depend on the others' delays.
        for tick in range(ticks):
            self._command = np.where(delay <= tick, wanted, self._command)
            dynamics.advance(self.state, self.parameter, self._command[0], self._command[1], TICK)
        # A delay of the whole period and more would never take effect otherwise.
        self._command = np.where(delay >= ticks, wanted, self._command)
        self.located = self.tracks.locate(self.track, self.middle(), self.located.s)

    def footing(self, rows: Rows | None = None) -> Footing:
        """Where the cars stand, or the cars ``rows`` (k,), as laps are judged."""
        at = slice(None) if rows is None else rows
        poses = self.state[at][:, [dynamics.X, dynamics.Y, dynamics.YAW]]
        return footing(self.tracks, self.track[at], self.car, poses, self.located.s[at])

    def pictures(
        self, renderer: Renderer, mounts: Mounts, looks: Looks, lens: Rows | None = None, grain: Floats | None = None
    ) -> NDArray[np.uint8]:
        """What the cameras see now, (n, H, W, channels) uint8; ``lens``, ``grain`` (n,) as in :meth:`Renderer.draw`."""
        x, y, yaw = self.state[:, dynamics.X], self.state[:, dynamics.Y], self.state[:, dynamics.YAW]
        cosine, sine = np.cos(yaw), np.sin(yaw)
        eye = np.stack(
            [x + cosine * mounts.x - sine * mounts.y, y + sine * mounts.x + cosine * mounts.y, mounts.height], axis=1
        )
        turn = np.zeros((self.n, 3, 3))
        turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1], turn[:, 2, 2] = cosine, -sine, sine, cosine, 1
        rotation = turn @ mount_rotations(mounts)
        return renderer.draw(self.track, eye, rotation, looks, lens, grain)

    def _locate(self, rows: Rows) -> None:
        """Find cars anew that were put somewhere, searching their whole lap."""
        hint = self.located.s.copy()
        hint[rows] = np.nan
        self.located = self.tracks.locate(self.track, self.middle(), hint)


def mount_rotations(mounts: Mounts) -> Floats:
    """(n, 3, 3): optical frame to base_link, see :func:`outlap.camera.model.mount_rotation`."""
    # All cars at once: a call for each would take a good part of a small picture's time.
    whole = np.eye(3)
    for angle, i, j in ((mounts.yaw, 1, 0), (mounts.pitch, 0, 2), (mounts.roll, 2, 1)):
        turn = np.zeros((len(angle), 3, 3))
        turn[:, 3 - i - j, 3 - i - j] = 1
        turn[:, i, i] = turn[:, j, j] = np.cos(angle)
        turn[:, i, j] = np.sin(angle)
        turn[:, j, i] = -turn[:, i, j]
        whole = whole @ turn
    return whole @ OPTICAL_TO_BASE


def road_bounds(tracks: TrackSet) -> tuple[Floats, Floats]:
    """Lowest and highest x, y of each track's road, (T, 2) m each."""
    pairs = [bounds(track) for track in tracks.tracks]
    return np.stack([low for low, _ in pairs]), np.stack([high for _, high in pairs])
