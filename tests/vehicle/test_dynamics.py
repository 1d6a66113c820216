"""The car on the floor: where it goes for what it is told, and what it can never do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from outlap.files import share_directory
from outlap.vehicle import dynamics
from outlap.vehicle.car import GRAVITY, Car, load_car
from outlap.vehicle.dynamics import LATERAL, SPEED, STEERING, YAW, YAW_RATE, X, Y

TICK = 1 / 120  # s
SHIPPED = sorted(path.stem for path in (share_directory() / "config" / "cars").glob("*.yaml"))
Floats = NDArray[np.float64]


@pytest.fixture(scope="module", params=SHIPPED)
def any_car(request: pytest.FixtureRequest) -> Car:
    return load_car(request.param)


def driven(car: Car, steering: float, speed: float, seconds: float, start: Floats | None = None) -> Floats:
    """States after every tick, (ticks, 7), of one car under constant commands in rad and m/s."""
    state = np.zeros((1, dynamics.STATE_SIZE)) if start is None else start.copy()
    parameter = dynamics.parameters(car)
    rows = []
    for _ in range(round(seconds / TICK)):
        dynamics.advance(state, parameter, np.array([steering]), np.array([car.wheel_speed(speed)]), TICK)
        rows.append(state[0].copy())
    return np.array(rows)


def radius(path: Floats) -> float:
    """Radius of the circle through a path's points (n, 2), by least squares."""
    rows = np.concatenate([2 * path, np.ones((len(path), 1))], axis=1)
    x, y, rest = np.linalg.lstsq(rows, (path**2).sum(axis=1), rcond=None)[0]
    return float(np.sqrt(rest + x * x + y * y))


def commands(car: Car, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Anything that an actuator may be told, and more: (n,) rad and (n,) rad/s."""
    wild = rng.random(n) < 0.5
    steering = np.where(wild, rng.choice([-9, -1, 0, 1, 9], n), rng.uniform(-1, 1, n)) * car.steering.max_angle
    speed = np.where(
        wild,
        rng.choice([-1e3, -car.drive.max_reverse_speed, 0, car.drive.max_speed, 1e3], n),
        rng.uniform(-car.drive.max_reverse_speed, car.drive.max_speed, n),
    )
    return steering, speed / car.axles.wheel_radius


def test_straight_ahead_stays_straight_and_reaches_the_speed(any_car: Car) -> None:
    speed = 0.5 * any_car.drive.max_speed
    path = driven(any_car, 0, speed, 3)
    assert not path[:, [Y, YAW, LATERAL, YAW_RATE, STEERING]].any()
    assert path[-1, SPEED] == pytest.approx(speed, rel=1e-3)
    assert path[-1, X] == pytest.approx(path[:, SPEED].sum() * TICK, rel=0.01)
    assert np.diff(path[:, SPEED]).max() <= any_car.drive.max_acceleration * TICK * 1.001
    assert path[:, SPEED].max() <= speed * 1.001
    braking = driven(any_car, 0, 0, 3, path[-1:])
    assert -np.diff(braking[:, SPEED]).min() <= any_car.drive.max_deceleration * TICK * 1.001
    assert np.diff(braking[:, SPEED]).min() < -0.9 * any_car.drive.max_deceleration * TICK
    assert braking[-1, SPEED] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("speed", [0.15, -0.3, -1.0])
@pytest.mark.parametrize("share", [-1.0, -0.4, 0.4, 1.0])
def test_a_slow_car_goes_round_the_kinematic_circle(any_car: Car, speed: float, share: float) -> None:
    angle = share * any_car.steering.max_angle
    path = driven(any_car, angle, speed, 12)[240:]  # once the lags are over
    assert radius(path[:, [X, Y]]) == pytest.approx(abs(any_car.axles.wheelbase / np.tan(angle)), rel=2e-3)
    assert np.sign(path[-1, YAW_RATE]) == np.sign(angle * speed)


@pytest.mark.parametrize("balance", [0.35, 0.5, 0.65])
def test_at_a_brisk_pace_grip_still_holds_nearly_that_circle(any_car: Car, balance: float) -> None:
    # Wherever the load lies: stiffness goes with it, so the car neither pushes nor swings its tail.
    body = any_car.body.model_copy(update={"centre_of_mass": balance * any_car.axles.wheelbase})
    car = any_car.model_copy(update={"body": body})
    angle = 0.3 * car.steering.max_angle
    path = driven(car, angle, 1.0, 8)[240:]
    assert radius(path[:, [X, Y]]) == pytest.approx(car.axles.wheelbase / np.tan(angle), rel=0.05)


def test_left_is_positive_and_right_its_mirror(any_car: Car) -> None:
    left, right = (driven(any_car, side * any_car.steering.max_angle, 1.0, 1) for side in (1, -1))
    assert left[-1, STEERING] == pytest.approx(any_car.steering.max_angle)
    assert left[10, STEERING] > 0
    for column in (Y, YAW, YAW_RATE):
        assert left[30, column] > 0
    mirror = np.ones(dynamics.STATE_SIZE)
    mirror[[Y, YAW, LATERAL, YAW_RATE, STEERING]] = -1
    np.testing.assert_allclose(right * mirror, left, atol=1e-12)


def test_the_servo_turns_no_faster_and_no_further_than_it_can(any_car: Car) -> None:
    path = driven(any_car, 10.0, 0, 1)
    assert np.diff(path[:, STEERING], prepend=0).max() <= any_car.steering.max_rate * TICK * 1.001
    assert path[:, STEERING].max() <= any_car.steering.max_angle * (1 + 1e-9)


def test_backwards_it_stays_within_its_own_speed_limit(any_car: Car) -> None:
    path = driven(any_car, 0, -100, 3)
    assert path[-1, SPEED] == pytest.approx(-any_car.drive.max_reverse_speed, rel=1e-3)
    assert path[-1, X] < 0
    turning = driven(any_car, any_car.steering.max_angle, -100, 3)[-1]
    assert turning[YAW_RATE] < 0  # the tail goes left, so the nose turns right


@pytest.mark.parametrize("speed", [1.0, 2.0, 3.0, 4.0, 100.0, -100.0])
@pytest.mark.parametrize("share", [0.2, 0.6, 1.0])
def test_no_steady_bend_asks_more_than_the_tyres_hold(any_car: Car, speed: float, share: float) -> None:
    last = driven(any_car, share * any_car.steering.max_angle, speed, 6)[-1]
    assert abs(last[SPEED] * last[YAW_RATE]) <= any_car.tyres.friction * GRAVITY * 1.02


def test_nothing_that_it_is_told_breaks_the_model_or_the_friction_limit(any_car: Car) -> None:
    n, rng = 200, np.random.default_rng(1)
    state, parameter = np.zeros((n, dynamics.STATE_SIZE)), dynamics.parameters(any_car, n)
    # Also the cars that training makes of it, and then some.
    spread = (
        (dynamics.FRICTION, 0.5, 1.3),
        (dynamics.STIFFNESS, 0.5, 1.5),
        (dynamics.MASS, 0.8, 1.3),
        (dynamics.STEERING_LAG, 0.5, 2),
        (dynamics.DRIVE_LAG, 0.5, 2),
        (dynamics.STEERING_RATE, 0.5, 1.5),
    )
    for column, least, most in spread:
        parameter[n // 2 :, column] *= rng.uniform(least, most, n - n // 2)
    grip = parameter[:, dynamics.FRICTION] * GRAVITY
    worst, fastest = 0.0, np.zeros(dynamics.STATE_SIZE)
    for tick in range(10 * 120):
        if tick % 9 == 0:
            steering, wheel_speed = commands(any_car, n, rng)
        for _ in range(4):
            before, heading, was = _velocity(state), state[:, YAW].copy(), state[:, SPEED].copy()
            dynamics.advance(state, parameter, steering, wheel_speed, dynamics.STEP)
            change = (_velocity(state) - before) / dynamics.STEP
            sideways = change[:, 1] * np.cos(heading) - change[:, 0] * np.sin(heading)
            # Between the two models the sideways speed may jump, which is no force of the tyres.
            dynamic = np.minimum(was, state[:, SPEED]) > dynamics.DYNAMIC
            worst = max(worst, float((np.abs(sideways) / grip)[dynamic].max(initial=0)))
        turning = np.abs(state[:, SPEED] * state[:, YAW_RATE]) / grip
        worst = max(worst, float(turning[state[:, SPEED] < dynamics.KINEMATIC].max(initial=0)))
        fastest = np.maximum(fastest, np.abs(state).max(axis=0))
    assert np.isfinite(state).all()
    assert 0.8 < worst <= 1.02
    assert fastest[SPEED] <= any_car.drive.max_speed * 1.01
    assert fastest[LATERAL] < any_car.drive.max_speed
    assert fastest[YAW_RATE] < any_car.drive.max_speed * any_car.max_curvature
    assert fastest[STEERING] <= any_car.steering.max_angle * (1 + 1e-9)
    assert fastest[YAW] <= np.pi


def test_the_length_of_a_call_changes_nothing_and_a_finer_step_little(any_car: Car) -> None:
    rng, n = np.random.default_rng(2), 50
    parameter = dynamics.parameters(any_car, n)
    ticks, quarters, fine = (np.zeros((n, dynamics.STATE_SIZE)) for _ in range(3))
    for _ in range(20):
        steering = rng.uniform(-1, 1, n) * any_car.steering.max_angle
        wheel_speed = rng.uniform(-0.5, 0.7, n) * any_car.drive.max_speed / any_car.axles.wheel_radius
        for _ in range(12):
            dynamics.advance(ticks, parameter, steering, wheel_speed, TICK)
            for _ in range(4):
                dynamics.advance(quarters, parameter, steering, wheel_speed, TICK / 4)
            for _ in range(32):
                dynamics.advance(fine, parameter, steering, wheel_speed, TICK / 32)
    np.testing.assert_allclose(ticks, quarters, atol=1e-9)
    travelled = 2.0  # s, of commands that change ten times a second
    apart = np.hypot(*(ticks[:, :2] - fine[:, :2]).T)
    assert apart.max() < 0.03 * travelled
    assert np.median(apart) < 0.005 * travelled


def test_many_cars_at_once_are_each_driven_as_if_alone(any_car: Car) -> None:
    rng, n = np.random.default_rng(3), 30
    parameter = dynamics.parameters(any_car, n) * rng.uniform(0.9, 1.1, (n, 15))
    start = rng.normal(size=(n, dynamics.STATE_SIZE)) * [5, 5, 1, 1, 0.1, 1, 0.2]
    steering, wheel_speed = commands(any_car, n, rng)
    together = start.copy()
    dynamics.advance(together, parameter, steering, wheel_speed, 0.1)
    for i in range(n):
        alone = start[i : i + 1].copy()
        dynamics.advance(alone, parameter[i : i + 1], steering[i : i + 1], wheel_speed[i : i + 1], 0.1)
        np.testing.assert_array_equal(alone[0], together[i])


def _velocity(state: Floats) -> Floats:
    """Of the centres of mass in the world, (n, 2) m/s."""
    cosine, sine = np.cos(state[:, YAW]), np.sin(state[:, YAW])
    forward, left = state[:, SPEED], state[:, LATERAL]
    return np.stack([cosine * forward - sine * left, sine * forward + cosine * left], axis=1)
