"""Where cars stand on their tracks, as laps are judged: base_link's place along the lap, and each wheel's clearance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlap.track.geometry import TrackSet
from outlap.vehicle.car import Car
from outlap.vehicle.outline import wheel_places

Floats = NDArray[np.float64]


class Pose(NamedTuple):
    """Where base_link is: the ground point under the middle of the rear axle."""

    x: float  # m
    y: float  # m
    yaw: float  # rad


class Footing(NamedTuple):
    """Where n cars stand."""

    s: Floats  # (n,) m, progress of base_link along the centre line
    clearance: Floats  # (n, 4) m, of each wheel to the nearest border, positive on the road

    @property
    def off_road(self) -> NDArray[np.bool_]:
        """(n,) whether a car is off the track by DeepRacer's rule: no wheel is on the road."""
        return np.max(self.clearance, axis=1) <= 0


def footing(tracks: TrackSet, track: ArrayLike, car: Car, poses: ArrayLike, near: ArrayLike | None = None) -> Footing:
    """Where cars at ``poses`` stand.

    Args:
        tracks: the tracks.
        track: (n,) index of each car's track, or one for all.
        car: the car.
        poses: (n, 3) x, y (m) and yaw (rad) of base_link.
        near: (n,) m, about how far along the lap each car is; NaN, or none at all, searches the whole lap.
    """
    at = np.asarray(poses, dtype=np.float64).reshape(-1, 3)
    n = len(at)
    places = np.concatenate([wheel_places(car, *at.T), at[:, None, :2]], axis=1)
    hint = np.full(n, np.nan) if near is None else np.broadcast_to(near, (n,))
    which = np.broadcast_to(np.asarray(track, dtype=np.int64), (n,))
    located = tracks.locate(np.repeat(which, 5), places.reshape(-1, 2), np.repeat(hint, 5))
    clearance = np.minimum(located.left, located.right).reshape(n, 5)[:, :4]
    return Footing(located.s.reshape(n, 5)[:, 4].copy(), clearance.copy())


def centre_pose(tracks: TrackSet, s: float, track: int = 0) -> Pose:
    """On the centre line at progress ``s`` m, in the direction of travel: where a car is put back."""
    xy, heading = tracks.pose(track, [s])
    return Pose(float(xy[0, 0]), float(xy[0, 1]), float(heading[0]))


def start_pose(tracks: TrackSet, track: int = 0) -> Pose:
    """base_link on the start line, in the direction of travel: where every race, heat and simulator begins."""
    return centre_pose(tracks, 0.0, track)
