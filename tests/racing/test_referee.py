"""The referee on a ring, where every lap time and every place is known."""

from __future__ import annotations

import math

import pytest

from outlap.driving.laps import LEAST_AHEAD, SLOWEST, STUCK_AFTER
from outlap.racing.referee import LEAST_TIME_LIMIT, Referee, Verdict
from outlap.track.footing import Pose
from outlap.track.track import Track
from outlap.vehicle.car import Car

RADIUS = 1.2  # m
STEP = 1 / 120  # s
LAP = 2 * math.pi * RADIUS  # m


class Drive:
    """Moves a car along the ring and shows it to a referee."""

    def __init__(self, referee: Referee, start: float = 3.0) -> None:
        self.referee, self.time, self.s, self.radius = referee, start, 0.0, RADIUS
        referee.start(start)
        self.verdicts: list[Verdict] = []

    def step(self, speed: float = 0.0, turn: float = 0.0) -> Verdict:
        """One step at ``speed`` m/s along the centre line; ``turn`` rad is the angle to it."""
        self.time, self.s = self.time + STEP, self.s + speed * STEP
        angle = self.s / RADIUS
        pose = Pose(self.radius * math.cos(angle), self.radius * math.sin(angle), angle + math.pi / 2 + turn)
        verdict = self.referee.step(self.time, pose)
        self.verdicts.append(verdict)
        if verdict.put_back is not None:
            self.s = math.atan2(verdict.put_back.y, verdict.put_back.x) % (2 * math.pi) * RADIUS
            self.radius = RADIUS
        return verdict

    def metres(self, distance: float, speed: float = 1.5) -> None:
        for _ in range(abs(round(distance / speed / STEP))):
            self.step(math.copysign(speed, distance))

    @property
    def reasons(self) -> list[str]:
        return [verdict.reason for verdict in self.verdicts if verdict.reason]


@pytest.fixture
def drive(ring: Track, car: Car) -> Drive:
    return Drive(Referee(ring, car, laps=2))


def test_starts_on_the_line_in_the_direction_of_travel(drive: Drive) -> None:
    x, y, yaw = drive.referee.start_pose
    assert (x, y) == pytest.approx((RADIUS, 0.0), abs=1e-3)
    assert yaw == pytest.approx(math.pi / 2, abs=1e-2)


def test_times_clean_laps_between_the_steps_and_ends_after_the_wanted_number(drive: Drive) -> None:
    drive.metres(2.1 * LAP, speed=1.7)
    laps = drive.referee.laps
    assert [lap.time_s for lap in laps] == pytest.approx([LAP / 1.7] * 2, abs=2e-3)
    assert all(lap.clean for lap in laps)
    assert drive.referee.completed
    assert drive.referee.finished
    assert [verdict.lap for verdict in drive.verdicts if verdict.lap] == laps
    assert drive.step(1.0) == Verdict(), "after the end nothing is judged"


def test_three_wheels_beyond_the_border_are_still_on_the_track(drive: Drive, car: Car) -> None:
    drive.metres(1.0)
    # The left wheels stay inside the outer border by 2 cm; the right ones are beyond it.
    drive.radius = RADIUS + 0.4 + car.axles.track / 2 - 0.02
    drive.step(1.0)
    assert drive.reasons == []


def test_all_wheels_beyond_the_border_put_the_car_back_where_it_left(drive: Drive) -> None:
    drive.metres(2.0)
    drive.radius = RADIUS + 0.55
    verdict = drive.step(1.0)
    assert verdict.reason == "off track"
    assert verdict.put_back is not None
    x, y, yaw = verdict.put_back
    assert math.hypot(x, y) == pytest.approx(RADIUS, abs=1e-3)
    assert math.atan2(y, x) * RADIUS == pytest.approx(2.0, abs=0.05)
    assert math.cos(yaw - 2.0 / RADIUS - math.pi / 2) > 0.99
    drive.metres(LAP - 1.5)
    lap = drive.referee.laps[0]
    assert (lap.off_track, lap.put_back, lap.clean) == (1, 0, False)
    assert drive.referee.streak == 0
    drive.metres(LAP)
    assert drive.referee.laps[1].clean
    assert drive.referee.streak == 1


def test_leaving_over_the_inner_border_counts_too(drive: Drive) -> None:
    drive.radius = RADIUS - 0.55
    assert drive.step().reason == "off track"


def test_one_excursion_is_counted_once_though_the_car_is_moved_late(drive: Drive) -> None:
    drive.radius = RADIUS + 0.55
    asked = drive.step()
    far = Pose(RADIUS + 0.6, 0.0, math.pi / 2)
    for _ in range(60):
        drive.time += STEP
        assert drive.referee.step(drive.time, far).reason == ""
    for _ in range(61):
        drive.time += STEP
        again = drive.referee.step(drive.time, far)
        if again.reason:
            break
    assert (again.reason, again.put_back) == ("asked again", asked.put_back)
    drive.metres(LAP + 0.1)
    assert drive.referee.laps[0].off_track == 1


def test_a_lost_clean_streak_starts_again(ring: Track, car: Car) -> None:
    drive = Drive(Referee(ring, car, laps=2))
    drive.metres(LAP + 0.1)
    drive.radius = RADIUS + 0.55
    drive.metres(LAP)
    assert [lap.clean for lap in drive.referee.laps] == [True, False]
    assert not drive.referee.completed
    drive.metres(2 * LAP)
    assert [lap.clean for lap in drive.referee.laps] == [True, False, True, True]
    assert drive.referee.completed


def test_a_car_that_does_not_get_ahead_is_put_back_and_its_lap_is_not_clean(drive: Drive) -> None:
    drive.metres(1.0)
    for _ in range(round((STUCK_AFTER + 0.2) / STEP)):
        drive.step()
    assert drive.reasons == ["stuck"]
    drive.metres(LAP)
    assert drive.referee.laps[0].put_back == 1
    assert not drive.referee.laps[0].clean


def test_creeping_is_getting_ahead(drive: Drive) -> None:
    drive.metres(1.0, speed=1.5 * LEAST_AHEAD / STUCK_AFTER)
    assert drive.reasons == []


def test_driving_backwards_over_the_line_and_on_counts_nothing(drive: Drive) -> None:
    drive.metres(-0.5)
    assert drive.referee.progress == pytest.approx(-0.5, abs=0.02)
    drive.metres(1.0)
    assert drive.referee.laps == []
    drive.metres(LAP - 0.6)
    assert drive.referee.laps == []
    drive.metres(0.2)
    assert len(drive.referee.laps) == 1


def test_a_lap_backwards_is_no_lap(drive: Drive) -> None:
    drive.metres(-1.2 * LAP, speed=2.0)
    assert drive.referee.laps == []


def test_a_car_that_is_carried_ahead_is_put_back_where_it_was(drive: Drive) -> None:
    drive.metres(1.0)
    drive.s += 0.8  # no car is that fast
    verdict = drive.step()
    assert verdict.reason == "carried"
    assert drive.referee.progress == pytest.approx(1.0, abs=0.02)
    assert drive.s == pytest.approx(1.0, abs=0.05)


def test_a_car_that_is_carried_across_is_put_back_where_it_was(drive: Drive) -> None:
    drive.metres(1.0)
    drive.s += LAP / 2
    verdict = drive.step()
    assert verdict.put_back is not None
    assert abs(drive.referee.progress - 1.0) < 1.1
    assert drive.referee.laps == []


def test_times_that_do_not_advance_are_ignored(drive: Drive) -> None:
    drive.metres(1.0)
    assert drive.referee.step(drive.time - 1.0, Pose(9.0, 9.0, 0.0)) == Verdict()
    assert drive.reasons == []


@pytest.mark.slow
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_pose_that_is_no_place_is_passed_over(drive: Drive, value: float) -> None:
    drive.metres(2.0)
    drive.time += STEP
    assert drive.referee.step(drive.time, Pose(value, 0.0, 0.0)) == Verdict()
    drive.radius = RADIUS + 0.55
    assert drive.step().reason == "off track"
    drive.time += STEP
    assert drive.referee.step(drive.time, Pose(0.0, value, 0.0)) == Verdict()  # it is not there yet
    drive.metres(LAP)
    assert [lap.off_track for lap in drive.referee.laps] == [1]
    assert drive.reasons == ["off track"]


def test_a_car_that_was_not_seen_for_a_while_drove_on(drive: Drive) -> None:
    drive.metres(1.0)
    drive.s, drive.time = drive.s + 2.5, drive.time + 2.5 / 1.5
    assert drive.step(1.5).reason == ""
    drive.metres(LAP - 3.0)
    assert drive.referee.laps[0].clean


@pytest.mark.parametrize(("given", "limit"), [(0.0, LEAST_TIME_LIMIT), (7.0, 7.0)])
@pytest.mark.slow
def test_time_runs_out(ring: Track, car: Car, given: float, limit: float) -> None:
    drive = Drive(Referee(ring, car, laps=3, time_limit=given))
    assert drive.referee.time_limit == limit
    while not drive.referee.finished:
        drive.step(0.15)
    assert drive.time - 3.0 == pytest.approx(limit, abs=0.02)
    assert not drive.referee.completed


def test_the_time_limit_grows_with_the_laps(ring: Track, car: Car) -> None:
    assert Referee(ring, car, laps=50).time_limit == pytest.approx(50 * LAP / SLOWEST, rel=1e-3)


def test_a_race_over_no_laps_goes_on_without_end(ring: Track, car: Car) -> None:
    drive = Drive(Referee(ring, car, laps=0))
    assert not drive.referee.completed
    drive.metres(3.2 * LAP)
    assert len(drive.referee.laps) == drive.referee.streak == 3
    for _ in range(round(2 * LEAST_TIME_LIMIT)):
        drive.time += 1.0
        drive.step()
    assert not drive.referee.finished
