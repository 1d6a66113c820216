"""A fisheye camera that is to be found, and where a board lies on the floor before it."""

from __future__ import annotations

from outlap.vehicle.car import Camera, Lens, load_car

LENS = Lens(
    model="fisheye",
    width=480,
    height=360,
    fx=250.0,
    fy=251.0,
    cx=241.0,
    cy=177.0,
    distortion=(-0.03, 0.005, -0.004, 0.001),
)
AHEAD = 0.39  # m, of the first board
PLACES = ((AHEAD, 0.0, 0.1), (0.37, 0.04, -0.3), (0.4, -0.05, 3.3))  # m ahead and to the left, rad


def hidden_camera(**facts: float) -> Camera:
    """The camera, with ``facts`` of its mount."""
    mount = {"x": 0.11, "height": 0.147, "pitch": 0.31, "roll": -0.04, "yaw": 0.05} | facts
    return load_car().camera.model_copy(update={"lens": LENS} | mount)
