"""What the cars of a task see in training: the canonical view, with looks and camera mounts drawn anew each episode."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outlap.camera.model import rays
from outlap.camera.view import View
from outlap.simulation.fleet import Fleet, Mounts, box_places, road_bounds
from outlap.simulation.ground import GroundMaps
from outlap.simulation.look import Looks
from outlap.simulation.render import Renderer

Rows = NDArray[np.int64]

# How far a calibrated car's canonical view may still be off, and where on the car its camera may sit.
MOUNT_X = 0.04  # m, to either side of the car file's
HEIGHT_SPREAD = 0.1  # part of the height, to either side
PITCH_SPREAD, ROLL_SPREAD, YAW_SPREAD = 0.03, 0.02, 0.02  # rad, deviations


class Eyes:
    """The cameras of a fleet's cars; call :meth:`reset` for cars whose episode begins.

    Args:
        fleet: the cars.
        view: the canonical view.
        seed: of every draw.
        randomise: draw looks and mounts; otherwise every car sees the plain look through a perfect mount.
    """

    def __init__(self, fleet: Fleet, view: View, seed: int, randomise: bool = True) -> None:
        self.fleet = fleet
        self.view = view
        self.randomise = randomise
        self._rng = np.random.default_rng(seed)
        self._low, self._high = road_bounds(fleet.tracks)
        self._renderer = Renderer(rays(view.lens), GroundMaps.of(fleet.tracks.tracks), channels=1, seed=seed)
        self._mounts = Mounts.alike(fleet.n, fleet.car.camera.x, view.camera_height, view.pitch)
        self._looks = Looks.plain(fleet.n, self._low.min(axis=0), self._high.max(axis=0))
        self.reset(np.arange(fleet.n))

    def reset(self, rows: Rows) -> None:
        """New looks and mounts for the cars of ``rows``."""
        track = self.fleet.track[rows]
        if not self.randomise:
            for name, values in (
                ("room_west", self._low[track, 0] - 1.5), ("room_east", self._high[track, 0] + 1.5),
                ("room_south", self._low[track, 1] - 1.5), ("room_north", self._high[track, 1] + 1.5),
            ):  # fmt: skip
                self._looks.scalars[name][rows] = values
            return
        rng, k = self._rng, len(rows)
        places = box_places(self.fleet.tracks, track, self.fleet.located.s[rows], rng)
        self._looks.randomise(rows, self._low[track], self._high[track], places, rng)
        mounts, view = self._mounts, self.view
        mounts.x[rows] = self.fleet.car.camera.x + rng.uniform(-MOUNT_X, MOUNT_X, k)
        mounts.height[rows] = view.camera_height * rng.uniform(1 - HEIGHT_SPREAD, 1 + HEIGHT_SPREAD, k)
        mounts.pitch[rows] = view.pitch + rng.normal(0, PITCH_SPREAD, k)
        mounts.roll[rows] = rng.normal(0, ROLL_SPREAD, k)
        mounts.yaw[rows] = rng.normal(0, YAW_SPREAD, k)

    def look(self) -> NDArray[np.uint8]:
        """What every car sees now, (n, H, W) mono8."""
        return self.fleet.pictures(self._renderer, self._mounts, self._looks)[..., 0]
