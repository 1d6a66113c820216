"""The live simulator's one car."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.simulation.clock import TICK
from outlap.simulation.world import LookName, World
from outlap.track.track import Track
from outlap.vehicle.car import Car


@pytest.fixture
def world(ring: Track, car: Car) -> World:
    return World(ring, car)


def test_it_starts_at_rest_on_the_start_line_heading_along_the_track(world: World) -> None:
    x, y, yaw = world.start_pose
    assert yaw == pytest.approx(np.pi / 2, abs=0.02)
    assert (x, y) == pytest.approx((1.2, 0), abs=2e-3)
    assert world.state == (x, y, yaw, 0, 0, 0, 0)
    assert world.time == 0


def test_time_counts_whole_ticks_and_never_goes_back(world: World) -> None:
    for _ in range(30):
        world.step(TICK, 0.1, 30)
    assert world.time == pytest.approx(0.25, abs=1e-12)
    world.step(4 * TICK, 0.1, 30)
    assert world.ticks == 34
    world.place(0, -1.2, 0)
    assert world.ticks == 34
    world.step(1e-9, 0, 0)
    assert world.ticks == 35


def test_one_long_step_is_many_short_ones(ring: Track, car: Car) -> None:
    long, short = World(ring, car), World(ring, car)
    for _ in range(10):
        long.step(4 * TICK, 0.2, 40)
        for _ in range(4):
            short.step(TICK, 0.2, 40)
    assert long.state == pytest.approx(short.state, abs=1e-9)


def test_it_drives_round_the_ring(world: World, car: Car) -> None:
    angle = car.steering_angle(1 / 1.2)
    for _ in range(120 * 4):
        world.step(TICK, angle, car.wheel_speed(1.0))
    state = world.state
    assert state.speed == pytest.approx(1.0, abs=0.02)
    assert state.yaw_rate == pytest.approx(1 / 1.2, rel=0.03)
    assert abs(state.lateral_speed) < 0.05
    assert np.hypot(state.x, state.y) == pytest.approx(1.2, abs=0.15)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_commands_that_are_no_numbers_are_zero(ring: Track, car: Car, bad: float) -> None:
    told, zero = World(ring, car), World(ring, car)
    for world, steering, speed in ((told, bad, bad), (zero, 0.0, 0.0)):
        world.step(TICK, 0.3, 60)
        for _ in range(20):
            world.step(TICK, steering, speed)
    assert np.isfinite(told.state).all()
    assert told.state == zero.state


def test_placing_puts_it_there_at_rest(world: World) -> None:
    for _ in range(50):
        world.step(TICK, 0.2, 60)
    world.place(-0.3, 1.1, 2.5)
    assert world.state == (-0.3, 1.1, 2.5, 0, 0, 0, 0)
    world.step(TICK, 0, 0)
    assert world.state == pytest.approx((-0.3, 1.1, 2.5, 0, 0, 0, 0), abs=1e-9)


def test_its_picture_is_the_cars_own_and_changes_as_it_moves(world: World, car: Car) -> None:
    before = world.image()
    assert before.shape == (car.camera.lens.height, car.camera.lens.width, 3)
    assert before.dtype == np.uint8
    assert before.std() > 20
    still = world.image()
    assert np.abs(before.astype(int) - still).mean() < 4  # nothing but noise
    world.place(-1.2, 0, 0)
    assert np.abs(before.astype(int) - world.image()).mean() > 4


def test_the_seed_decides_all_that_is_random(ring: Track, car: Car) -> None:
    def first(seed: int, look: LookName) -> np.ndarray:
        return World(ring, car, seed, look).image().astype(int)

    np.testing.assert_array_equal(first(1, "random"), first(1, "random"))
    assert np.abs(first(1, "random") - first(2, "random")).mean() > 10
    assert np.abs(first(1, "plain") - first(2, "plain")).mean() < 4
    assert np.abs(first(1, "plain") - first(1, "random")).mean() > 10


def test_the_picture_is_seen_through_the_cars_mount(ring: Track, car: Car) -> None:
    def turned(**mount: float) -> np.ndarray:
        moved = car.model_copy(update={"camera": car.camera.model_copy(update=mount)})
        world = World(ring, moved)
        world.place(1.2, 0.048 - car.camera.x, np.pi / 2)
        return world.image().astype(float)

    straight = turned()
    left = turned(yaw=0.1)
    pixels = round(0.1 * car.camera.lens.fx)
    # What was in the middle lies further right once the camera looks to the left, and lower once it looks up. Far away,
    # below the horizon, all moves alike.
    row = car.camera.lens.height // 2
    rows, middle = slice(row - 14, row - 4), slice(40, 120)
    shifted = left[rows, 40 + pixels : 120 + pixels]
    assert np.abs(shifted - straight[rows, middle]).mean() < np.abs(left - straight)[rows, middle].mean() / 2
    up = turned(pitch=car.camera.pitch - 0.1)
    sky = [np.abs(picture[:, 80] - [215, 222, 232]).max(axis=1) < 12 for picture in (straight, up)]
    assert sky[1].sum() == pytest.approx(sky[0].sum() + pixels, abs=2)


def test_a_car_is_not_put_at_a_pose_that_is_no_number(world: World) -> None:
    with pytest.raises(ValueError, match="finite"):
        world.place(float("nan"), 0.0, 0.0)
