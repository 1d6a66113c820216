"""Where a car's wheels are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlap.vehicle.car import Car


def wheel_places(car: Car, x: ArrayLike, y: ArrayLike, yaw: ArrayLike) -> NDArray[np.float64]:
    """Where the four wheels touch the ground, (n, 4, 2) m, for n poses of base_link (m, m, rad).

    Order: rear left, rear right, front left, front right.
    """
    half = car.axles.track / 2
    corners = np.array([[0, half], [0, -half], [car.axles.wheelbase, half], [car.axles.wheelbase, -half]])
    x, y, yaw = (np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in (x, y, yaw))
    cosine, sine = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    forward, left = corners[None, :, 0], corners[None, :, 1]
    return np.stack([x[:, None] + cosine * forward - sine * left, y[:, None] + sine * forward + cosine * left], axis=-1)
