"""What the cars of a task see in training: the canonical view, with looks and camera mounts drawn anew each episode."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outlap.camera.model import rays
from outlap.camera.view import View
from outlap.simulation.fleet import Fleet, Mounts, box_places, road_bounds
from outlap.simulation.ground import GroundMaps
from outlap.simulation.look import Looks
from outlap.simulation.randomization import Randomization
from outlap.simulation.render import Renderer
from outlap.states import State, restore, snapshot

Rows = NDArray[np.int64]


class Eyes:
    """The cameras of a fleet's cars; call :meth:`reset` for cars whose episode begins.

    Args:
        fleet: the cars.
        view: the canonical view.
        seed: of every draw.
        randomization: what is drawn anew for each car; nothing leaves the plain look through a perfect mount.
    """

    def __init__(self, fleet: Fleet, view: View, seed: int, randomization: Randomization) -> None:
        self.fleet = fleet
        self.view = view
        self.randomization = randomization
        self._rng = np.random.default_rng(seed)
        self._low, self._high = road_bounds(fleet.tracks)
        self._renderer = Renderer(rays(view.lens), GroundMaps.of(fleet.tracks.tracks), channels=1, seed=seed)
        self._mounts = Mounts.alike(fleet.n, fleet.car.camera.x, view.camera_height, view.pitch)
        self._looks = Looks.plain(fleet.n, self._low.min(axis=0), self._high.max(axis=0))
        self.reset(np.arange(fleet.n))

    def reset(self, rows: Rows) -> None:
        """New looks and mounts for the cars of ``rows``."""
        track = self.fleet.track[rows]
        if self.randomization.look is None:
            for name, values in (
                ("room_west", self._low[track, 0] - 1.5), ("room_east", self._high[track, 0] + 1.5),
                ("room_south", self._low[track, 1] - 1.5), ("room_north", self._high[track, 1] + 1.5),
            ):  # fmt: skip
                self._looks.scalars[name][rows] = values
        else:
            places = box_places(self.fleet.tracks, track, self.fleet.located.s[rows], self._rng)
            self._looks.randomise(rows, self._low[track], self._high[track], places, self._rng)
        camera, mounts, view = self.randomization.camera, self._mounts, self.view
        if camera is not None:
            for given, values, base, unit in (
                (camera.x, mounts.x, self.fleet.car.camera.x, 1), (camera.height, mounts.height, 0, view.camera_height),
                (camera.pitch, mounts.pitch, view.pitch, 1), (camera.roll, mounts.roll, 0, 1),
                (camera.yaw, mounts.yaw, 0, 1),
            ):  # fmt: skip
                if given is not None:
                    values[rows] = base + unit * given.draw(self._rng, len(rows))

    def state(self) -> State:
        """All that the next pictures depend on."""
        return {**snapshot(self), "renderer": self._renderer.rng.bit_generator.state}

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken."""
        restore(self, {name: value for name, value in state.items() if name != "renderer"})
        self._renderer.rng.bit_generator.state = state["renderer"]

    def look(self) -> NDArray[np.uint8]:
        """What every car sees now, (n, H, W) mono8."""
        return self.fleet.pictures(self._renderer, self._mounts, self._looks)[..., 0]
