"""What a lap is: once round from its own place of start, ended between two steps, clean with a wheel on the road."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.driving.laps import (
    LEAST_AHEAD,
    LEAST_TIME,
    SLOWEST,
    STUCK_AFTER,
    Judged,
    Lap,
    LapCounter,
    is_carried,
    mean_lap_time,
    time_limit,
)
from outlap.track.footing import Footing, centre_pose, footing, start_pose
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

LENGTH = 10.0  # m
STEP = 0.1  # s


class Drive:
    """Cars that stand where they are told to, and what became of it."""

    def __init__(self, start: list[float], time: float = 0.0) -> None:
        self.n, self.time, self.s = len(start), time, np.array(start)
        self.counter = LapCounter(np.full(self.n, LENGTH))
        self.counter.start(np.arange(self.n), start, time)
        self.laps: list[list[Lap]] = [[] for _ in start]

    def step(
        self, metres: float, clearance: tuple[float, float, float, float] = (0.1,) * 4, elapsed: float = STEP
    ) -> Judged:
        self.time += elapsed
        self.s = (self.s + metres) % LENGTH
        judged = self.counter.step(self.time, elapsed, Footing(self.s, np.tile(clearance, (self.n, 1))))
        for row, lap in judged.laps.items():
            self.laps[row].append(lap)
        return judged

    def drive(self, metres: float, each: float) -> None:
        for _ in range(round(metres / each)):
            self.step(each)


def test_a_lap_ends_where_it_began_wherever_that_is_and_between_two_steps() -> None:
    drive = Drive([0.0, 3.3, 9.95], time=100.0)
    drive.drive(24.0, 0.3)  # 3 m/s
    for laps in drive.laps:
        assert [lap.time_s for lap in laps] == pytest.approx([LENGTH / 3] * 2, abs=1e-4)
        assert all(lap.clean for lap in laps)
    np.testing.assert_allclose(drive.counter.progress, 24.0)
    assert drive.counter.laps.tolist() == [2, 2, 2]


def test_a_laps_time_does_not_depend_on_how_often_it_is_judged() -> None:
    often, seldom = Drive([2.0]), Drive([2.0])
    for _ in range(400):
        often.step(0.05, elapsed=0.02)
    for _ in range(30):
        seldom.step(0.7, elapsed=0.28)
    assert often.laps[0][0].time_s == pytest.approx(seldom.laps[0][0].time_s, abs=1e-4)


def test_driving_back_over_the_start_and_on_again_is_no_lap() -> None:
    drive = Drive([0.5])
    for _ in range(20):
        drive.step(-0.3)
        drive.step(0.3)
    assert drive.laps == [[]]
    drive.drive(-0.9, -0.3)
    drive.drive(10.5, 0.3)
    assert drive.laps == [[]]
    drive.drive(0.6, 0.3)
    assert len(drive.laps[0]) == 1


@pytest.mark.parametrize(
    ("clearance", "off"),
    [
        ((0.2, 0.2, 0.2, 0.2), False),
        ((-0.2, -0.1, -0.2, 0.001), False),
        ((-0.2, -0.1, -0.2, 0.0), True),  # it touches the border from outside
        ((-0.2, -0.1, -0.2, -0.1), True),
    ],
)
def test_off_the_track_is_no_wheel_on_the_road(clearance: tuple[float, float, float, float], off: bool) -> None:
    drive = Drive([0.0])
    assert bool(drive.step(0.1, clearance).left_road[0]) is off
    drive.drive(10.0, 0.1)
    assert drive.laps[0][0].off_track == off
    assert drive.laps[0][0].clean is not off


def test_an_excursion_is_counted_once_and_only_in_its_lap() -> None:
    drive = Drive([0.0])
    drive.drive(4.0, 0.5)
    assert [bool(drive.step(0.1, (-0.1,) * 4).left_road[0]) for _ in range(5)] == [True, False, False, False, False]
    drive.step(0.1)
    assert drive.step(0.1, (-0.1,) * 4).left_road[0]
    drive.drive(20.0, 0.5)
    assert [lap.off_track for lap in drive.laps[0]] == [2, 0]


def test_wheels_count_in_the_very_step_that_ends_the_lap() -> None:
    drive = Drive([0.0])
    drive.drive(9.9, 0.3)
    judged = drive.step(0.3, (-0.1,) * 4)
    assert judged.laps[0].off_track == 1 and not judged.laps[0].clean
    drive.drive(10.0, 0.5)
    assert drive.laps[0][1].clean


def test_a_car_that_does_not_get_ahead_is_stuck_and_its_lap_not_clean() -> None:
    drive = Drive([0.0])
    drive.drive(2.0, 0.5)
    stuck = [bool(drive.step(0.0).stuck[0]) for _ in range(round(2 * STUCK_AFTER / STEP) + 2)]
    assert sum(stuck) == 2
    assert stuck.index(True) == pytest.approx(STUCK_AFTER / STEP, abs=1)
    for _ in range(round(STUCK_AFTER / STEP) + 5):  # slowly is not stuck
        assert not drive.step(LEAST_AHEAD / 10).stuck[0]
    drive.drive(10.0, 0.5)
    assert (drive.laps[0][0].put_back, drive.laps[0][0].clean) == (2, False)


def test_help_counts_in_the_lap_under_way_and_waiting_for_it_is_not_standing_still() -> None:
    drive = Drive([0.0, 0.0])
    drive.drive(3.0, 0.5)
    drive.counter.helped(1)
    drive.time += 100.0
    drive.counter.placed([0, 1], drive.time)
    assert not drive.step(0.0).stuck.any()
    drive.drive(10.0, 0.5)
    assert [laps[0].clean for laps in drive.laps] == [True, False]
    assert drive.laps[1][0].put_back == 1


def test_cars_that_are_kept_count_on_and_a_state_is_gone_on_with() -> None:
    drive, other = Drive([0.0, 4.0, 8.0]), Drive([0.0, 4.0, 8.0])
    for one in (drive, other):
        one.drive(7.0, 0.5)
    saved = {name: np.array(value) for name, value in drive.counter.state().items()}
    drive.drive(9.0, 0.5)
    drive.counter.load(saved)
    np.testing.assert_array_equal(drive.counter.progress, other.counter.progress)
    other.counter.keep(np.array([2, 0]))
    other.n, other.s, other.laps = 2, other.s[[2, 0]], [[], []]
    other.drive(4.0, 0.5)
    assert [lap.time_s for laps in other.laps for lap in laps] == pytest.approx([LENGTH / 5] * 2, abs=1e-4)


def test_a_car_that_is_seen_nowhere_is_taken_to_be_where_it_was() -> None:
    drive, n = Drive([1.0, 1.0]), np.nan
    drive.drive(4.0, 0.5)
    lost = drive.counter.step(drive.time + STEP, STEP, Footing(np.array([n, 5.0]), np.array([[n] * 4, [0.1] * 4])))
    assert lost.gained.tolist() == [0, 0] and not lost.left_road.any() and not lost.laps
    drive.drive(6.5, 0.5)
    assert [len(laps) for laps in drive.laps] == [1, 1]
    assert all(lap.clean for laps in drive.laps for lap in laps)


def test_a_car_that_is_put_back_and_still_off_has_left_the_road_again() -> None:
    drive = Drive([0.0])
    drive.step(0.5, (-0.1,) * 4)
    drive.counter.placed(0, drive.time)
    assert drive.step(0.0, (-0.1,) * 4).left_road[0]


def test_a_car_is_carried_that_cannot_have_driven_so_far() -> None:
    assert not is_carried(0.89, 0.3, 2.0)
    assert is_carried(0.91, 0.3, 2.0)


def test_time_limits_grow_with_length_and_laps() -> None:
    np.testing.assert_allclose(time_limit([5.0, 100.0]), [LEAST_TIME, 100 / SLOWEST])
    np.testing.assert_allclose(time_limit([100.0, 5.0], [3, 2]), [300 / SLOWEST, LEAST_TIME])


def test_the_mean_of_no_laps_is_none() -> None:
    assert mean_lap_time([]) is None
    assert mean_lap_time([Lap(time_s=2.0, off_track=0), Lap(time_s=3.0, off_track=1)]) == 2.5


def test_a_car_stands_where_its_base_link_is(ring: Track, car: Car) -> None:
    tracks = TrackSet([ring, ring.reversed()])
    start = start_pose(tracks)
    assert start == centre_pose(tracks, 0.0)
    there = footing(tracks, 0, car, start)
    assert there.s[0] == pytest.approx(0, abs=1e-6) or there.s[0] == pytest.approx(tracks.length[0], abs=1e-6)
    half = 0.4 - car.axles.track / 2  # m, from the wheels to the borders
    assert there.clearance[0, :2] == pytest.approx(half, abs=1e-3)  # of the rear wheels; the front ones are further out
    assert not there.off_road[0]
    both = footing(tracks, [0, 1], car, [centre_pose(tracks, 2.0, 0), centre_pose(tracks, 3.0, 1)], [2.1, 2.9])
    assert both.s == pytest.approx([2.0, 3.0], abs=1e-6)
    beyond = footing(tracks, 0, car, [1.2 + 0.4 + 0.09, 0.0, np.pi / 2])
    assert beyond.off_road[0]
    assert not np.isfinite(footing(tracks, 0, car, [np.nan, 0.0, 0.0]).s[0])
