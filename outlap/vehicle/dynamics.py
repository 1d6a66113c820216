"""A single-track ("bicycle") model with tyre slip and a friction limit, for many cars at once.

Lateral dynamics of Rajamani, "Vehicle Dynamics and Control", 2nd ed., eq. 2.45, with side forces that grow linearly
with slip and level off at friction times load, shared with the drive force by the friction ellipse. At a walking pace
slip angles lose their meaning, so there the model passes into the kinematic one.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from outlap.vehicle.car import GRAVITY, Car

# Columns of a state row. x, y, yaw are base_link's: the ground point under the middle of the rear axle.
X, Y, YAW, SPEED, LATERAL, YAW_RATE, STEERING = range(7)
STATE_SIZE = 7  # m, m, rad, m/s forward, m/s to the left at the centre of mass, rad/s, rad

# Columns of a parameter row, in SI units and radians.
(
    WHEELBASE,
    TO_REAR,
    MASS,
    INERTIA,
    FRICTION,
    STIFFNESS,
    MAX_STEERING,
    STEERING_RATE,
    STEERING_LAG,
    MAX_SPEED,
    MAX_REVERSE,
    ACCELERATION,
    DECELERATION,
    DRIVE_LAG,
    WHEEL_RADIUS,
) = range(15)

STEP = 1 / 480  # s, longest step of the integration: stable down to KINEMATIC for the stiffest shipped car
KINEMATIC, DYNAMIC = 0.2, 0.6  # m/s, wholly kinematic below the first, wholly dynamic above the second


def parameters(car: Car, n: int = 1) -> NDArray[np.float64]:
    """Parameter rows of ``n`` cars like ``car``, shape (n, 15); randomization changes single cells."""
    row = (
        car.axles.wheelbase,
        car.body.centre_of_mass,
        car.body.mass,
        car.body.yaw_inertia,
        car.tyres.friction,
        car.tyres.cornering_stiffness,
        car.steering.max_angle,
        car.steering.max_rate,
        car.steering.time_constant,
        car.drive.max_speed,
        car.drive.max_reverse_speed,
        car.drive.max_acceleration,
        car.drive.max_deceleration,
        car.drive.time_constant,
        car.axles.wheel_radius,
    )
    return np.tile(np.array(row), (n, 1))


@numba.njit(cache=True, error_model="numpy")
def advance(
    state: NDArray[np.float64],
    parameter: NDArray[np.float64],
    steering: NDArray[np.float64],
    wheel_speed: NDArray[np.float64],
    duration: float,
) -> None:
    """Move every car on by ``duration`` seconds, in place.

    Args:
        state: (n, 7) rows of X … STEERING.
        parameter: (n, 15) rows of WHEELBASE … WHEEL_RADIUS.
        steering: (n,) rad, wanted angle of the front wheel, left positive.
        wheel_speed: (n,) rad/s, wanted speed of the wheels.
        duration: s.
    """
    steps = int(np.ceil(duration / STEP - 1e-9))
    dt = duration / steps
    for i in range(len(state)):
        s, p = state[i], parameter[i]
        wheelbase, rear = p[WHEELBASE], p[TO_REAR]
        front = wheelbase - rear
        grip = p[FRICTION] * GRAVITY
        want_angle = min(max(steering[i], -p[MAX_STEERING]), p[MAX_STEERING])
        want_speed = min(max(wheel_speed[i] * p[WHEEL_RADIUS], -p[MAX_REVERSE]), p[MAX_SPEED])
        for _ in range(steps):
            # Servo and motor: first-order lags with limits.
            turn = (want_angle - s[STEERING]) / p[STEERING_LAG]
            s[STEERING] += dt * min(max(turn, -p[STEERING_RATE]), p[STEERING_RATE])
            push = (want_speed - s[SPEED]) / p[DRIVE_LAG]
            speeding_up = push * (s[SPEED] if abs(s[SPEED]) > 1e-3 else want_speed) >= 0
            limit = min(p[ACCELERATION] if speeding_up else p[DECELERATION], grip)
            push = min(max(push, -limit), limit)
            # Side forces per mass, each axle by its load, within what the drive leaves of the friction ellipse.
            v, w, r, angle = s[SPEED], s[LATERAL], s[YAW_RATE], s[STEERING]
            weight = min(max((v - KINEMATIC) / (DYNAMIC - KINEMATIC), 0.0), 1.0)
            rolling = max(v, KINEMATIC)
            left = p[FRICTION] * np.sqrt(max(1 - (push / grip) ** 2, 0.04))
            slip_front = p[STIFFNESS] * (angle - np.arctan2(w + front * r, rolling)) / left
            slip_rear = -p[STIFFNESS] * np.arctan2(w - rear * r, rolling) / left
            force_front = left * GRAVITY * rear / wheelbase * slip_front / np.sqrt(1 + slip_front * slip_front)
            force_rear = left * GRAVITY * front / wheelbase * slip_rear / np.sqrt(1 + slip_rear * slip_rear)
            s[SPEED] = v + dt * (push + weight * (w * r - force_front * np.sin(angle)))
            w += dt * (force_front * np.cos(angle) + force_rear - v * r)
            r += dt * (front * force_front * np.cos(angle) - rear * force_rear) * p[MASS] / p[INERTIA]
            # Backwards the kinematic model goes fast, too: not round bends that the tyres could not hold.
            hold = grip / max(abs(s[SPEED]), KINEMATIC)
            rolling_rate = min(max(s[SPEED] * np.tan(angle) / wheelbase, -hold), hold)
            s[YAW_RATE] = weight * r + (1 - weight) * rolling_rate
            s[LATERAL] = weight * w + (1 - weight) * rolling_rate * rear
            heading = s[YAW] + 0.5 * dt * s[YAW_RATE]
            sideways = s[LATERAL] - rear * s[YAW_RATE]
            s[X] += dt * (s[SPEED] * np.cos(heading) - sideways * np.sin(heading))
            s[Y] += dt * (s[SPEED] * np.sin(heading) + sideways * np.cos(heading))
            s[YAW] += dt * s[YAW_RATE]
        s[YAW] = (s[YAW] + np.pi) % (2 * np.pi) - np.pi
