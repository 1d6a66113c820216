"""The parameters that AWS DeepRacer gives to a ``reward_function(params)``, computed as its simulator does.

They follow the public simulator, ``bundle/markov`` of aws-deepracer-community/deepracer-simapp; ``docs/rewards.md``
names the place of each. Its geometry is Shapely's, and so is this one. Angles are in degrees, ``progress`` in percent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex

import numpy as np
import shapely
from numpy.typing import NDArray

from outlap.driving.reward.reward import Moment

AHEAD = (
    0.14  # m, of the middle between the axles: x, y and all that follows are of that point (agent_ctrl/constants.py)
)
FAR = 1000.0  # m, further away than a track is long
NEAR = 1.0  # m along the lap, to either side, that the centre line is searched for a car's foremost point
SPACING = 0.02  # m along the centre line, between places of which the nearest points of the borders are known

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def _nothing(far: Any) -> type[list]:
    """A kind of empty list, since there are no objects on the road. Whoever indexes it all the same, as files for races
    with obstacles do, is told of something too far away to matter."""

    class Nothing(list):
        def __getitem__(self, index: SupportsIndex | slice) -> Any:
            return super().__getitem__(index) if len(self) or isinstance(index, slice) else far

    return Nothing


_NoPlaces, _NoDistances, _NoNumbers, _NoFlags = _nothing((FAR, FAR)), _nothing(FAR), _nothing(0.0), _nothing(False)


class Road:
    """One track as the parameters see it: closed lines through its rows.

    Args:
        center: (N, 2) m, its centre line.
        left: (N, 2) m, the border on the left in the direction of travel.
        right: (N, 2) m, the border on the right.
        backwards: whether it is driven against the order that its route was written in.
    """

    def __init__(self, center: Floats, left: Floats, right: Floats, backwards: bool) -> None:
        self.backwards, self.center = backwards, center
        self.way = np.roll(center, -1, axis=0) - center  # (N, 2) m, from each row to the next
        steps = np.hypot(*self.way.T)
        self.along = np.concatenate([[0.0], np.cumsum(steps)[:-1]])  # (N,) m, of each row
        self.length = float(steps.sum())  # m
        self.waypoints = [(x, y) for x, y in np.vstack([center, center[:1]]).tolist()]
        twice = np.concatenate([self.along, self.along + self.length])
        self.window = int(
            (np.searchsorted(twice, self.along + NEAR) - np.arange(len(center))).max()
        )  # rows within NEAR
        line = shapely.LinearRing(center)
        places = shapely.line_interpolate_point(line, np.arange(0.0, self.length, SPACING))
        self.left, self.right = (_nearest(border, places) for border in (left, right))  # (M, 2) m


def _nearest(border: Floats, places: Any) -> Floats:
    ring = shapely.LinearRing(border)
    return shapely.get_coordinates(shapely.line_interpolate_point(ring, shapely.line_locate_point(ring, places)))


class Roads:
    """All tracks, laid out one behind the other, so that cars on any of them are found at once."""

    def __init__(self, roads: Sequence[Road]) -> None:
        self.each = list(roads)
        self._count = np.array([len(road.center) for road in roads])
        self._first = np.cumsum([0, *self._count[:-1]])
        # (2, all rows) m
        self._center = np.ascontiguousarray(np.concatenate([road.center for road in roads]).T)
        self._way = np.ascontiguousarray(np.concatenate([road.way for road in roads]).T)
        self._squared = np.maximum((self._way**2).sum(axis=0), 1e-12)
        self._along = np.concatenate([road.along for road in roads])
        self.length = np.array([road.length for road in roads])
        self._base = np.cumsum([0.0, *(self.length[:-1] + 1e6)])  # m, which keeps the tracks' progress apart
        self._sorted = self._along + np.repeat(self._base, self._count)
        self._window = np.arange(-max(road.window for road in roads), max(road.window for road in roads) + 1)
        samples = np.array([len(road.left) for road in roads])
        self._samples, self._first_sample = samples, np.cumsum([0, *samples[:-1]])
        self._left, self._right = (
            np.concatenate([getattr(road, name) for road in roads]) for name in ("left", "right")
        )

    def locate(self, track: Integers, at: Floats, near: Floats) -> tuple[Floats, Floats, Integers]:
        """Where places ``at`` (n, 2) m are on their tracks' centre lines, no further than NEAR from ``near`` (n,) m.

        Returns:
            m along the line (n,), the places there (n, 2) m, and the rows next behind (n,).
        """
        row = np.searchsorted(self._sorted, self._base[track] + near, side="right") - 1 - self._first[track]
        rows = (row[:, None] + self._window) % self._count[track][:, None] + self._first[track][:, None]
        # By coordinates, since arrays whose last axis has two entries are slow.
        (start_x, start_y), (way_x, way_y) = self._center[:, rows], self._way[:, rows]
        off_x, off_y = at[:, :1] - start_x, at[:, 1:] - start_y
        part = np.clip((off_x * way_x + off_y * way_y) / self._squared[rows], 0, 1)
        away = (off_x - part * way_x) ** 2 + (off_y - part * way_y) ** 2
        each, best = np.arange(len(at)), away.argmin(axis=1)
        found, share = rows[each, best], part[each, best]
        along = self._along[found] + share * np.sqrt(self._squared[found])
        there = (self._center[:, found] + share * self._way[:, found]).T
        return along % self.length[track], there, found - self._first[track]

    def borders(self, track: Integers, along: Floats) -> tuple[Floats, Floats]:
        """The points (n, 2) m of either border that are nearest to the centre line at ``along`` (n,) m."""
        rows = np.rint(along / SPACING).astype(np.int64) % self._samples[track] + self._first_sample[track]
        return self._left[rows], self._right[rows]


class _Places:
    """Where the cars' foremost points are: everything that the simulator finds from ``model_point``."""

    def __init__(self, moment: Moment, roads: Roads) -> None:
        track, length = moment.track, roads.length[moment.track]
        self.at = np.stack([moment.x + AHEAD * np.cos(moment.yaw), moment.y + AHEAD * np.sin(moment.yaw)], axis=1)
        middle = moment.s * length / moment.length
        self.along, center, self.behind = roads.locate(track, self.at, np.minimum(middle, length - 1e-9))
        left, right = roads.borders(track, self.along)
        self.from_center = np.hypot(*(center - self.at).T)
        self.width = np.hypot(*(left - right).T)
        self.left = np.hypot(*(left - self.at).T) < np.hypot(*(right - self.at).T)
        # The foremost point's own progress, from where the car's middle stood when the episode began. It says 100 once,
        # in the step that ends the lap: the simulator's laps end with that point's, ours with base_link's.
        lead = (self.along - middle + length / 2) % length - length / 2
        progress = 100 * (moment.travelled * length / moment.length + lead) / length
        self.progress = np.where(moment.travelled >= moment.length, 100.0, np.minimum(progress, np.nextafter(100, 0)))


def parameters(moment: Moment, wheelbase: float, roads: Roads) -> Iterator[dict[str, Any]]:
    """The 27 parameters of each car, in plain Python numbers; every dictionary is its receiver's own to change.

    Args:
        moment: the step just taken.
        wheelbase: m.
        roads: the tracks.
    """
    m, places = moment, _Places(moment, roads)
    columns = (
        m.clearance > 0,
        places.at[:, 0],
        places.at[:, 1],
        np.degrees(m.yaw),
        places.from_center,
        places.along,
        places.progress,
        m.steps,
        m.wanted_speed,
        np.degrees(np.arctan(m.curvature * wheelbase)),
        places.width,
        places.behind,
        places.left,
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
        behind,
        left,
        off_road,
        time,
        track,
    ) in zip(*(column.tolist() for column in columns), strict=True):
        road = roads.each[track]
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
            "track_length": road.length,
            "waypoints": road.waypoints.copy(),
            "closest_waypoints": [behind, behind + 1],
            "is_left_of_center": left,
            "is_reversed": road.backwards,
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
