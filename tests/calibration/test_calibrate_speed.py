"""The drive of hidden cars is found; it stops by any key, and whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outlap.calibration.bursts import Bursts
from outlap.calibration.dialog import CancelledError
from outlap.calibration.fakes.car import Hidden
from outlap.calibration.fakes.trials import drive_errors, drive_trial, find_speed, find_steering
from outlap.calibration.speed import SpeedFound, calibrate_speed
from outlap.drivers.actuator import ActuatorError
from outlap.errors import OutlapError
from outlap.vehicle.car import load_car


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reversed_", "double_tap"), [(False, True), (True, False)], ids=["brakes first", "swapped, reverses at once"]
)
def test_dead_band_and_speeds_are_found(path: Path, reversed_: bool, double_tap: bool) -> None:
    hidden = Hidden(reversed=reversed_, double_tap=double_tap)
    rng = np.random.default_rng(5)
    find_steering(path, hidden, rng)
    find_speed(path, hidden, rng)
    car = load_car(path)
    errors = drive_errors(car, hidden)
    assert errors.forward < 0.05
    assert errors.reverse < 0.05
    assert errors.edge < 8
    assert car.actuator is not None
    speed = car.actuator.speed
    assert speed.double_tap is double_tap
    assert (speed.brake is not None) is double_tap
    assert (speed.forward[-1][1] < speed.neutral) is reversed_
    assert car.drive.max_speed == pytest.approx(2.5, abs=0.3)


def test_a_car_that_is_drawn_at_random_is_found() -> None:
    errors = drive_trial(6)
    assert errors.trim < 4
    assert errors.end < 0.02
    assert errors.forward < 0.05
    assert errors.reverse < 0.05


def test_a_short_room_ends_the_map(scene: Callable) -> None:
    car, _, person, rig = scene(room=3.0, top=5.0, trim=1500, reversed=False)
    found = calibrate_speed(car, rig, person)
    assert 0.4 < found.max_speed < 2.0
    assert found.max_speed == found.forward[-1][0]
    assert any("was not measured" in said for said in person.said)


def test_a_car_that_shall_not_reverse_has_none(scene: Callable) -> None:
    car, fake, person, rig = scene(answers={"reverse": "n"}, trim=1500)
    found = calibrate_speed(car, rig, person)
    assert (found.reverse, found.max_reverse_speed, found.brake) == ([], 0.0, None)
    assert min(speed for _, _, speed in fake.sent if speed is not None) >= 1490


def test_a_drive_that_is_off_is_told(scene: Callable) -> None:
    car, _, person, rig = scene(dead=700.0)
    with pytest.raises(OutlapError, match="wheels do not turn forwards"):
        calibrate_speed(car, rig, person)


def test_speeds_that_do_not_rise_are_refused(scene: Callable) -> None:
    car, _, person, rig = scene(answers={"distance": [20, 60, 150, *[100, 160] * 30]}, trim=1500)
    with pytest.raises(OutlapError, match=r"no faster|no sense"):
        calibrate_speed(car, rig, person)


def test_a_key_stops_a_burst_and_it_does_not_count(scene: Callable) -> None:
    _, fake, person, rig = scene(trim=1500)
    fake.lifted = False
    runs = Bursts(rig, person, SpeedFound(1500.0), backwards=False)
    keys = iter([*[""] * 70, "x"])
    plain = person.key
    person.key = lambda seconds: plain(seconds) or next(keys, "")
    lasted, _ = runs.distance(1600.0, 2.0)
    assert lasted == pytest.approx(2.0, abs=0.1)
    assert person.said == ["Stopped. Once more."]
    driven = [(time, speed) for time, _, speed in fake.sent]
    first = next(time for time, speed in driven if speed == 1600.0)
    stopped = next(time for time, speed in driven if time > first and speed == 1500.0)
    assert stopped - first < 1.0
    assert driven[-1][1] == 1500.0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CancelledError("given up."), RuntimeError("a bug")])
def test_whatever_ends_a_burst_it_ends_in_neutral(scene: Callable, error: BaseException) -> None:
    _, fake, person, rig = scene(trim=1500)
    runs = Bursts(rig, person, SpeedFound(1500.0), backwards=False)

    def key(seconds: float) -> str:
        fake.run(seconds)
        if fake.sent and fake.sent[-1][2] == 1600.0:
            raise error
        return ""

    person.key = key
    with pytest.raises(type(error)):
        runs.distance(1600.0, 2.0)
    assert [speed for _, _, speed in fake.sent][-2:] == [1600.0, 1500.0]


def test_a_disturbed_bus_is_tried_again_and_a_dead_one_told(scene: Callable) -> None:
    _, fake, _, rig = scene()
    fake.fails = 2
    rig.send(speed=1600.0)
    fake.fails = 2
    rig.stop()
    assert [speed for _, _, speed in fake.sent] == [1600.0, 1500.0]
    fake.fails = 3
    with pytest.raises(ActuatorError):
        rig.send(speed=1600.0)
    fake.fails = 100
    with pytest.raises(OutlapError, match="switch the car off NOW"):
        rig.stop()


def test_wheels_that_nobody_watches_come_to_rest(scene: Callable) -> None:
    _, fake, person, rig = scene()
    left = iter([*["d"] * 8, *[""] * 600, "x", "enter"])

    def key(seconds: float) -> str:
        fake.run(seconds)
        return next(left)

    person.key = key
    assert rig.nudge(True, 1500.0) == 1580.0
    speeds = [speed for _, _, speed in fake.sent]
    rested = speeds.index(1500.0, speeds.index(1580.0))
    assert fake.sent[rested][0] < 25.0
    assert speeds[-1] == 1580.0


def test_signals_stay_within_what_the_hardware_takes(scene: Callable) -> None:
    _, fake, _, rig = scene()
    rig.send(steering=9000.0, speed=-50.0)
    assert fake.sent[-1][1:] == (2500.0, 1000.0)


def test_a_vesc_is_found_in_its_own_units(path: Path) -> None:
    text = path.read_text()
    path.write_text(
        text[: text.index("actuator:")]
        + "actuator:\n  driver: vesc\n  steering: {centre: 0.5, left: [0.6, 0.9], right: [-0.6, 0.1]}\n"
        "  speed: {neutral: 0, forward: [[0, 0], [5, 20000]], reverse: [[0, 0], [5, -20000]]}\n"
    )
    hidden = Hidden(
        trim=0.53,
        gain_left=0.6,
        gain_right=0.7,
        neutral=0.0,
        dead=300.0,
        exponent=1.0,
        span=20_000.0,
        fastest=4.4,
        fastest_back=4.4,
        double_tap=False,
    )
    rng = np.random.default_rng(5)
    find_steering(path, hidden, rng)
    find_speed(path, hidden, rng)
    car = load_car(path)
    errors = drive_errors(car, hidden)
    assert errors.trim < 0.004
    assert errors.end < 0.02
    assert errors.forward < 0.05
    assert errors.reverse < 0.05
    assert car.actuator is not None
    assert (car.actuator.speed.neutral, car.actuator.speed.brake) == (0.0, None)
