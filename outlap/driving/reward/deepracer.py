"""The parameters that AWS DeepRacer gives to a ``reward_function(params)``: its names, its units, its edge cases.

They follow DeepRacer's developer guide, and where the guide and the simulator differ, what users' files rely on:
``speed`` and ``steering_angle`` are the commanded ones. Angles are in degrees, ``progress`` in percent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from outlap.driving.reward.reward import Moment

FAR = 1000.0  # m, further away than a track is long


def _nothing(far: Any) -> type[list]:
    """A kind of empty list, since there are no objects on the road. Whoever indexes it all the same, as files for races
    with obstacles do, is told of something too far away to matter."""

    class Nothing(list):
        def __getitem__(self, index: SupportsIndex | slice) -> Any:
            return super().__getitem__(index) if len(self) or isinstance(index, slice) else far

    return Nothing


_NoPlaces, _NoDistances, _NoNumbers, _NoFlags = _nothing((FAR, FAR)), _nothing(FAR), _nothing(0.0), _nothing(False)


class Road:
    """What the parameters say of tracks, by the tracks' indices.

    Args:
        centers: each track's centre line, (N, 2) m.
        distances: (N,) m, how far along the lap each of its rows lies.
    """

    def __init__(self, centers: Sequence[NDArray[np.float64]], distances: Sequence[NDArray[np.float64]]) -> None:
        self.waypoints = [_waypoints(center) for center in centers]
        self.clockwise = [_clockwise(center) for center in centers]
        # One sorted array of all tracks' rows, each track's moved behind the one before it.
        self._base = np.cumsum([0.0, *(along[-1] + 1e6 for along in distances)])
        self._along = np.concatenate([along + base for along, base in zip(distances, self._base[:-1], strict=True)])
        self._first = np.cumsum([0, *(len(along) for along in distances)])

    def behind(self, track: NDArray[np.int64], s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index of the waypoint next behind progress ``s`` (n,) m on tracks ``track`` (n,)."""
        rows = np.searchsorted(self._along, self._base[track] + s, side="right") - 1
        return np.maximum(rows - self._first[track], 0)


def _waypoints(center: NDArray[np.float64]) -> list[tuple[float, float]]:
    """A centre line (N, 2) m as N + 1 tuples: the last is the first again, as in DeepRacer's routes."""
    places = [(x, y) for x, y in center.tolist()]
    return [*places, places[0]]


def _clockwise(center: NDArray[np.float64]) -> bool:
    """Whether a closed line (N, 2) m turns clockwise as a whole."""
    x, y = center.T
    return bool(x @ np.roll(y, -1) < y @ np.roll(x, -1))


def parameters(moment: Moment, wheelbase: float, road: Road) -> Iterator[dict[str, Any]]:
    """The 27 parameters of each car, in plain Python numbers; every dictionary is its receiver's own to change.

    Args:
        moment: the step just taken.
        wheelbase: m.
        road: the tracks.
    """
    m = moment
    degrees = np.degrees
    columns = (
        m.clearance > 0,
        m.x,
        m.y,
        degrees(m.yaw),
        np.abs(m.offset),
        m.s,
        np.clip(100 * m.travelled / m.length, 0, 100),
        m.steps,
        m.wanted_speed,
        degrees(np.arctan(m.curvature * wheelbase)),
        m.width,
        m.length,
        road.behind(m.track, m.s),
        m.offset > 0,
        m.off_road,
        m.time,
        m.track,
    )
    # As lists: numbers of NumPy's own are slow one by one, and some users' files ask for their type.
    for (
        all_wheels,
        x,
        y,
        heading,
        distance,
        projection,
        progress,
        steps,
        speed,
        angle,
        width,
        length,
        behind,
        left,
        off_road,
        time,
        track,
    ) in zip(*(column.tolist() for column in columns), strict=True):
        yield {
            "all_wheels_on_track": all_wheels,
            "x": x,
            "y": y,
            "heading": heading,
            "distance_from_center": distance,
            "projection_distance": projection,
            "progress": progress,
            "steps": steps,
            "speed": speed,
            "steering_angle": angle,
            "track_width": width,
            "track_length": length,
            "waypoints": road.waypoints[track].copy(),
            "closest_waypoints": [behind, behind + 1],
            "is_left_of_center": left,
            "is_reversed": road.clockwise[track],
            "closest_objects": [0, 0],
            "objects_location": _NoPlaces(),
            "objects_left_of_center": _NoFlags(),
            "object_in_camera": False,
            "objects_speed": _NoNumbers(),
            "objects_heading": _NoNumbers(),
            "objects_distance_from_center": _NoDistances(),
            "objects_distance": _NoDistances(),
            "is_crashed": False,
            "is_offtrack": off_road,
            "sim_time": time,
        }
