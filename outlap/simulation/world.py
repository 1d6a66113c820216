"""The live simulator's world: one car on one track, seen through the car's own lens."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outlap.camera.model import rays
from outlap.simulation.clock import TICK
from outlap.simulation.dressing import draw_looks, settle
from outlap.simulation.fleet import Fleet, Mounts, road_bounds
from outlap.simulation.randomization import load_randomization
from outlap.simulation.rendering.ground import GroundMaps
from outlap.simulation.rendering.look import Looks
from outlap.simulation.rendering.render import Renderer
from outlap.track.footing import start_pose
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

LookName = Literal["plain", "random"]


class State(NamedTuple):
    """Ground truth of one car; the pose is base_link's."""

    x: float  # m
    y: float  # m
    yaw: float  # rad
    speed: float  # m/s, forward
    lateral_speed: float  # m/s, to the left, at base_link
    yaw_rate: float  # rad/s
    steering: float  # rad, front wheel of the single-track model, left positive


class World:
    """One simulated car.

    Args:
        track: where it drives; it starts with base_link on the start line.
        car: what it is.
        seed: of everything random.
        look: ``plain`` (dark road, white borders, orange dashes) or ``random`` (one draw of the trainer's looks).
    """

    def __init__(self, track: Track, car: Car, seed: int = 0, look: LookName = "plain") -> None:
        rng = np.random.default_rng(seed)
        self.car = car
        self.ticks = 0
        tracks = TrackSet([track])
        self._fleet = Fleet(tracks, car, 1)
        low, high = road_bounds(tracks)
        self._looks = Looks.plain(1, low[0], high[0])
        if look == "random":
            ranges = load_randomization("full").look
            assert ranges is not None
            self._looks = draw_looks(ranges, 1, rng)
            settle(self._looks, tracks, np.zeros(1, dtype=np.int64), rng.uniform(0, tracks.length), low, high)
        camera = car.camera
        self._mounts = Mounts.alike(1, camera.x, camera.height, camera.pitch, camera.y, camera.roll, camera.yaw)
        self._renderer = Renderer(rays(camera.lens), GroundMaps.of([track]), channels=3, seed=seed, parallel=False)
        self.start_pose = start_pose(tracks)
        self._fleet.put(0, *self.start_pose)

    @property
    def time(self) -> float:
        """Simulated seconds since the world began; it never goes back."""
        return self.ticks * TICK

    @property
    def state(self) -> State:
        """The car's ground truth now."""
        x, y, yaw, speed, lateral, rate, steering = (float(value) for value in self._fleet.state[0])
        return State(x, y, yaw, speed, lateral - self.car.body.centre_of_mass * rate, rate, steering)

    def step(self, dt: float, steering: float, wheel_speed: float) -> None:
        """Drive on for ``dt`` s, a whole number of TICKs, steering to ``steering`` rad at ``wheel_speed`` rad/s."""
        ticks = max(round(dt / TICK), 1)
        self._fleet.step(np.array([steering]), np.array([wheel_speed]), ticks)
        self.ticks += ticks

    def place(self, x: float, y: float, yaw: float) -> None:
        """Put the car's base_link at a pose (m, m, rad), at rest.

        Raises:
            ValueError: a number is not finite.
        """
        if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(yaw)):
            raise ValueError(f"a pose must be finite, not ({x}, {y}, {yaw})")
        self._fleet.put(0, x, y, yaw)

    def image(self) -> NDArray[np.uint8]:
        """What the car's camera sees now, (H, W, 3) rgb8, through its own lens and mount."""
        return self._fleet.pictures(self._renderer, self._mounts, self._looks)[0]
