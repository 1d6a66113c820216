"""A frozen camera is noticed in time, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.camera.frozen import Frozen
from outlap.simulation.world import World
from outlap.track.formats import load_track
from outlap.vehicle.car import load_car

RADIUS = 0.03  # m
ONE, OTHER = (np.full((120, 160, 3), level, np.uint8) for level in (90, 91))


def drive(
    frozen: Frozen, begin: float, end: float, speed: float, picture: np.ndarray | None = None, rate: float = 30.0
) -> float | None:
    """Frames and words of the motor for a while; when the camera was first called frozen. No picture: they change."""
    found = None
    for k in range(round((end - begin) * rate)):
        now = begin + k / rate
        frozen.told(now, speed / RADIUS)
        if frozen.shown(now, picture if picture is not None else np.full_like(ONE, k % 250)) and found is None:
            found = now
    return found


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0, 120.0])
@pytest.mark.parametrize("speed", [0.25, 4.0, -0.25])
def test_a_frozen_camera_is_noticed_soon(rate: float, speed: float) -> None:
    frozen = Frozen(RADIUS)
    assert drive(frozen, 0.0, 2.0, speed, rate=rate) is None
    found = drive(frozen, 2.0, 4.0, speed, ONE, rate)
    # The motor is neutral 0.17 s after the last picture that was published.
    assert found is not None and found - 2.0 <= 0.25 + 1 / rate + 1e-9 < 0.5 - 0.17
    assert frozen.frozen


@pytest.mark.parametrize("speed", [0.0, 0.19, -0.19, float("nan")])
def test_a_car_that_stands_is_not_accused(speed: float) -> None:
    assert drive(Frozen(RADIUS), 0.0, 5.0, speed, ONE) is None


def test_the_wheels_must_have_turned_all_that_time() -> None:
    frozen = Frozen(RADIUS)
    assert drive(frozen, 0.0, 10.0, 0.0, ONE) is None
    assert drive(frozen, 10.0, 10.2, 1.0, ONE) is None
    assert drive(frozen, 10.2, 10.3, 0.0, ONE) is None
    found = drive(frozen, 10.3, 12.0, 1.0, ONE)
    assert found == pytest.approx(10.55, abs=0.04)


def test_a_picture_that_changes_in_one_pixel_is_alive() -> None:
    frozen = Frozen(RADIUS)
    for k in range(100):
        picture = ONE.copy()
        picture[77, 3, 1] = k
        frozen.told(k / 30, 1.0 / RADIUS)
        assert not frozen.shown(k / 30, picture)


def test_it_stays_frozen_until_the_picture_changes() -> None:
    frozen = Frozen(RADIUS)
    assert drive(frozen, 0.0, 1.0, 1.0, ONE) is not None
    assert drive(frozen, 1.0, 5.0, 0.0, ONE) == 1.0, "the motor's stop does not thaw it"
    assert not frozen.shown(5.0, OTHER)
    assert drive(frozen, 5.1, 5.3, 1.0, OTHER) is None


def test_a_motor_that_says_nothing_any_more_accuses_nobody() -> None:
    frozen = Frozen(RADIUS)
    frozen.told(0.0, 1.0 / RADIUS)
    assert not any(frozen.shown(1 + k / 30, ONE) for k in range(60))


def test_a_slow_simulator_is_not_accused() -> None:
    """A tenth of real time: three pictures a second, of which the first two show a car that does not move yet."""
    frozen = Frozen(RADIUS)
    frozen.shown(0.0, ONE)
    for k in range(1, 4):
        frozen.told(k * 0.33 - 0.2, 1.0 / RADIUS)
        frozen.told(k * 0.33 - 0.1, 1.0 / RADIUS)
        assert not frozen.shown(k * 0.33, ONE)


def test_another_size_is_another_picture() -> None:
    frozen = Frozen(RADIUS)
    frozen.shown(0.0, ONE)
    assert not frozen.shown(1.0, ONE[:, :80])


@pytest.mark.slow
@pytest.mark.parametrize("speed", [0.21, 4.0])
def test_a_simulator_without_noise_is_not_accused(speed: float) -> None:
    """The built-in one draws noise, and never the same picture twice; others may not."""
    car, track = load_car(), load_track("oval")
    world = World(track, car)
    world._looks.scalars["noise"] = 0
    for row in range(0, len(track.center), len(track.center) // 4):
        (x, y), (to_x, to_y) = track.center[row], track.center[(row + 1) % len(track.center)]
        world.place(float(x), float(y), float(np.arctan2(to_y - y, to_x - x)))
        frozen, shown = Frozen(car.axles.wheel_radius), world.image()
        assert np.array_equal(shown, world.image()), "a car that stands sees the same picture"
        repeats = 0
        for k in range(10):
            frozen.told(k / 30, car.wheel_speed(speed))
            world.step(1 / 30, 0.0, car.wheel_speed(speed))
            last, shown = shown, world.image()
            repeats += np.array_equal(last, shown)
            assert not frozen.shown(k / 30, shown)
        assert repeats <= 1
