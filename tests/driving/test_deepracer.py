"""DeepRacer's reward files run unchanged: every parameter, its type, its unit and its edge cases."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely.geometry import LinearRing, Point
from tiny_learning import TASK

from outlap.driving.reward.deepracer import AHEAD, FAR, Road, Roads, parameters
from outlap.driving.reward.reward import Moment
from outlap.driving.reward.user_reward import UserReward
from outlap.driving.task import DrivingTask
from outlap.simulation.randomization import OFF
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

# Name and exact type of all that DeepRacer gives; in brackets that of a list's elements.
KINDS: dict[str, Any] = {
    "all_wheels_on_track": bool,
    "x": float,
    "y": float,
    "heading": float,
    "distance_from_center": float,
    "projection_distance": float,
    "progress": float,
    "steps": int,
    "speed": float,
    "steering_angle": float,
    "track_width": float,
    "track_length": float,
    "waypoints": [tuple],
    "closest_waypoints": [int],
    "is_left_of_center": bool,
    "is_reversed": bool,
    "closest_objects": [int],
    "objects_location": [],
    "objects_left_of_center": [],
    "object_in_camera": bool,
    "objects_speed": [],
    "objects_heading": [],
    "objects_distance_from_center": [],
    "objects_distance": [],
    "is_crashed": bool,
    "is_offtrack": bool,
    "sim_time": float,
}


class Drive:
    """Cars, and what a reward function would be told of their last step."""

    def __init__(self, tracks: list[Track], car: Car, n: int, one_lap: bool = False) -> None:
        self.tracks, self.car = TrackSet(tracks), car
        self.moment: Moment
        self.task = DrivingTask(self.tracks, car, n, TASK, 1, OFF, self._reward, one_lap)
        self.task.age[:] = 0

    def put(self, rows: Any, *place: Any, **motion: Any) -> None:
        """Episodes that begin there, see :meth:`Fleet.place`."""
        self.task.fleet.place(rows, *place, **motion)
        self.task.begin(np.asarray(rows))

    def _reward(self, moment: Moment) -> np.ndarray:
        self.moment = moment
        return np.zeros(len(moment.x))

    def step(self, curvature: float = 0.0, speed: float = 1.0) -> list[dict[str, Any]]:
        n = self.task.fleet.n
        self.ended = self.task.step(self.task.to_action(np.full(n, curvature), np.full(n, speed)))[1:]
        roads = [Road(track.center, track.left, track.right, track.backwards) for track in self.tracks.tracks]
        return list(parameters(self.moment, self.car.axles.wheelbase, Roads(roads)))


def test_there_are_27_of_the_right_types(ring: Track, car: Car) -> None:
    drive = Drive([ring], car, 2)
    drive.put([0, 1], 0, [0.0, 3.0], speed=1.0)
    for given in drive.step():
        assert len(KINDS) == 27
        assert given.keys() == KINDS.keys()
        for name, kind in KINDS.items():
            if isinstance(kind, list):
                assert isinstance(given[name], list)
                assert {type(each) for each in given[name]} <= set(kind)
            else:
                assert type(given[name]) is kind
        assert {type(each) for place in given["waypoints"] for each in place} == {float}


def test_place_direction_and_command(ring: Track, car: Car) -> None:
    drive = Drive([ring], car, 3)
    quarter = drive.tracks.length[0] / 4
    drive.put([0, 1, 2], 0, [0.0, quarter, 2 * quarter], [0, 0.1, -0.2], speed=1.0)
    east, north, west = drive.step(curvature=math.tan(math.radians(-20)) / car.axles.wheelbase, speed=1.75)
    # The ring is driven anticlockwise from its eastmost point, where that is northwards; the foremost point counts.
    assert (east["x"], east["y"]) == pytest.approx((1.2, 0.035 + AHEAD), abs=0.01)
    assert (north["x"], north["y"]) == pytest.approx((-0.035 - AHEAD, 1.1), abs=0.01)
    assert [given["heading"] for given in (east, north)] == pytest.approx([90, 180], abs=5)
    assert -95 < west["heading"] < -85
    assert all(given["steering_angle"] == pytest.approx(-20) for given in (east, north, west))  # right is negative
    assert all(given["speed"] == pytest.approx(1.75) for given in (east, north, west))  # not the 1 m/s it rolls at
    assert [given["is_left_of_center"] for given in (north, west)] == [True, False]
    outside = [math.hypot(given["x"], given["y"]) - 1.2 for given in (east, north, west)]
    assert [given["distance_from_center"] for given in (east, north, west)] == pytest.approx(np.abs(outside), abs=1e-3)
    assert outside == pytest.approx([0.01, -0.09, 0.22], abs=0.02)
    assert east["track_width"] == pytest.approx(0.8, abs=0.01)
    assert east["track_length"] == pytest.approx(2 * math.pi * 1.2, abs=0.01)
    assert north["projection_distance"] == pytest.approx(quarter + 1.2 * math.atan((0.035 + AHEAD) / 1.1), abs=0.01)


def test_they_are_what_deepracers_own_geometry_says(car: Car) -> None:
    """Against its simulator's way of finding each, point by point, on a road whose centre line is not midway."""
    tracks = [load_track(name) for name in ("hairpins", "oval")]
    drive = Drive([tracks[0], tracks[1].reversed()], car, 60)
    rng = np.random.default_rng(5)
    index = np.arange(60) % 2
    along = rng.random(60) * drive.tracks.length[index]
    drive.put(np.arange(60), index, along, rng.uniform(-0.25, 0.25, 60), turn=rng.uniform(-0.5, 0.5, 60), speed=1.0)
    for given, track in zip(drive.step(), index, strict=True):
        center, left, right = (
            LinearRing(getattr(drive.tracks.tracks[track], name)) for name in ("center", "left", "right")
        )
        point = Point(given["x"], given["y"])
        on_center = center.interpolate(center.project(point))
        near_left, near_right = (border.interpolate(border.project(on_center)) for border in (left, right))
        assert given["distance_from_center"] == pytest.approx(on_center.distance(point), abs=1e-9)
        assert given["projection_distance"] == pytest.approx(center.project(point), abs=1e-9)
        assert given["track_length"] == pytest.approx(center.length)
        assert given["track_width"] == pytest.approx(near_left.distance(near_right), abs=0.02)
        apart = near_left.distance(point) - near_right.distance(point)
        assert given["is_left_of_center"] == (apart < 0) or abs(apart) < 0.03
        assert given["is_reversed"] == bool(track)


def test_headings_lie_between_minus_and_plus_180(ring: Track, car: Car) -> None:
    drive = Drive([ring], car, 40)
    drive.put(np.arange(40), 0, np.linspace(0, 7.5, 40), turn=np.linspace(-6, 6, 40))
    headings = [given["heading"] for given in drive.step()]
    assert -180 <= min(headings) < -150
    assert 150 < max(headings) <= 180


def test_waypoints_behind_and_ahead_all_round_the_lap(ring: Track, car: Car) -> None:
    drive = Drive([ring, ring.reversed()], car, 200)
    length = float(drive.tracks.length[0])
    drive.put(np.arange(200), np.arange(200) % 2, np.linspace(0, length, 200), 0.1, speed=1.0)
    behind = set()
    for given in drive.step():
        waypoints, (last, following) = given["waypoints"], given["closest_waypoints"]
        assert waypoints[0] == waypoints[-1]
        assert len(waypoints) == len(ring.center) + 1
        assert following == last + 1 <= len(waypoints) - 1
        (ax, ay), (bx, by) = waypoints[last], waypoints[following]
        along = (given["x"] - ax) * (bx - ax) + (given["y"] - ay) * (by - ay)
        assert -0.1 < along / math.dist(waypoints[last], waypoints[following]) ** 2 < 1.1
        behind.add(last)
    assert {0, len(ring.center) - 1} <= behind


def test_reversed_says_against_the_order_of_the_route(ring: Track, car: Car) -> None:
    drive = Drive([ring, ring.reversed()], car, 2)
    drive.put([0, 1], [0, 1], 1.0)
    assert [given["is_reversed"] for given in drive.step()] == [False, True]


@pytest.mark.slow
def test_progress_counts_from_the_start_of_the_episode_and_ends_it_at_100(ring: Track, car: Car) -> None:
    drive = Drive([ring], car, 1, one_lap=True)
    drive.task.reset(np.array([0]))
    drive.put([0], 0, 5.0, speed=1.5)
    before = -1.0
    for step in range(1, 300):
        (given,) = drive.step(1 / 1.2, 1.5)
        assert given["steps"] == step
        assert given["sim_time"] == pytest.approx(step / 30)
        assert before < given["progress"] <= 100 or (99.9 < before <= given["progress"] < 100)
        if step == 1:  # of the foremost point, from where the middle stood: 0.14 m and a step
            assert given["progress"] * given["track_length"] / 100 == pytest.approx(AHEAD + 0.05, abs=0.02)
        before = given["progress"]
        done, timed_out = drive.ended
        assert done[0] == timed_out[0] == (given["progress"] == 100)
        if done[0]:
            break
    assert before == 100
    assert step == pytest.approx(drive.tracks.length[0] / 1.5 * 30, rel=0.1)
    drive.task.reset(np.array([0]))
    (given,) = drive.step()
    assert given["steps"] == 1
    assert given["progress"] < 4


def test_driving_backwards_is_negative_progress(ring: Track, car: Car) -> None:
    drive = Drive([ring], car, 1)
    drive.task.reset(np.array([0]))
    drive.put([0], 0, 0.3, turn=math.pi, speed=1.0)
    for _ in range(20):
        (given,) = drive.step()
    assert -20 < given["progress"] < -5


def test_one_wheel_beyond_and_off_the_track(ring: Track, car: Car) -> None:
    drive = Drive([ring], car, 4)
    drive.put([0, 1, 2, 3], 0, 1.0, [0.0, 0.37, 0.45, 0.5])
    inside, partly, mostly, off = drive.step(speed=0.4)
    assert (inside["all_wheels_on_track"], inside["is_offtrack"]) == (True, False)
    assert (partly["all_wheels_on_track"], partly["is_offtrack"]) == (False, False)
    # Its middle is beyond the border, and two wheels are on the road.
    assert (mostly["all_wheels_on_track"], mostly["is_offtrack"]) == (False, False)
    assert (off["all_wheels_on_track"], off["is_offtrack"]) == (False, True)
    assert not any(given["is_crashed"] for given in (inside, partly, mostly, off))


def test_there_are_no_objects_and_who_asks_for_one_hears_of_something_far_away(ring: Track, car: Car) -> None:
    (given,) = Drive([ring], car, 1).step()
    lists = [name for name in given if name.startswith("objects_")]
    assert len(lists) == 6
    assert all(len(given[name]) == 0 and not given[name] and list(given[name]) == [] for name in lists)
    behind, ahead = given["closest_objects"]
    assert given["objects_distance"][ahead] == given["objects_distance_from_center"][behind] == FAR
    assert math.dist(given["objects_location"][ahead], (given["x"], given["y"])) > FAR / 2
    assert given["objects_left_of_center"][ahead] is False
    given["objects_speed"].append(2.0)  # a file may fill its own
    with pytest.raises(IndexError):
        given["objects_speed"][1]


def test_what_a_file_does_to_its_parameters_nobody_else_sees(ring: Track, car: Car) -> None:
    drive = Drive([ring], car, 2)
    first, second = drive.step()
    for value in first.values():
        if isinstance(value, list):
            value.clear()
    assert len(second["waypoints"]) == len(ring.center) + 1
    assert all(len(given["waypoints"]) == len(ring.center) + 1 for given in drive.step())


# Files of the shapes that DeepRacer's guide shows, in our words.
EXAMPLES = {
    "bands round the centre line": """
        def reward_function(params):
            share = params['distance_from_center'] / params['track_width']
            for limit, worth in ((0.1, 1), (0.25, 0.5), (0.5, 0.1)):
                if share <= limit:
                    return worth
            return 1e-3
        """,
    "between the borders": """
        def reward_function(params):
            room = 0.5 * params['track_width'] - params['distance_from_center']
            return 1.0 if params['all_wheels_on_track'] and room >= 0.05 else 1e-3
        """,
    "no zigzag": """
        def reward_function(params):
            steering = abs(params['steering_angle'])
            reward = 1.0 - params['distance_from_center'] / (0.5 * params['track_width'])
            if steering > 15:
                reward *= 0.8
            return float(reward)
        """,
    "past other cars": """
        import math
        def reward_function(params):
            _, ahead = params['closest_objects']
            distance = params['objects_distance'][ahead]
            place = params['objects_location'][ahead]
            apart = math.hypot(params['x'] - place[0], params['y'] - place[1])
            same_lane = params['objects_left_of_center'][ahead] == params['is_left_of_center']
            return 1.0 if not same_lane or min(distance, apart) > 0.8 else 0.2
        """,
    "along the waypoints": """
        import math
        def reward_function(params):
            waypoints, (behind, ahead) = params['waypoints'], params['closest_waypoints']
            dx, dy = (waypoints[ahead][i] - waypoints[behind][i] for i in (0, 1))
            turned = abs(math.degrees(math.atan2(dy, dx)) - params['heading'])
            turned = 360 - turned if turned > 180 else turned
            assert turned < 60, turned
            return 0.5 if turned > 10 else 1.0
        """,
    "faster than expected": """
        class Memory:
            best = 0.0
        def reward_function(params):
            reward = 1.0
            if params['steps'] % 10 == 0 and params['progress'] >= Memory.best:
                reward += 10.0
            Memory.best = max(Memory.best, params['progress'])
            if params['progress'] == 100:
                reward += 100
            return reward
        """,
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_files_like_those_of_the_guide_run(
    name: str, ring: Track, car: Car, reward_file: Callable[[str], Path]
) -> None:
    tracks = TrackSet([ring, ring.reversed()])
    with closing(UserReward(reward_file(EXAMPLES[name]), tracks, car, 6, 0)) as reward:
        task = DrivingTask(tracks, car, 6, TASK, 3, OFF, reward, one_lap=True)
        for _ in range(12):
            rewards, *_ = task.step(np.zeros((6, 2)))
            assert rewards.shape == (6,)
            assert np.isfinite(rewards).all()
            assert (rewards > 0).all()
