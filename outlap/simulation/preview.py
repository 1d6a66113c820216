"""A contact sheet of what a randomization draws."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.camera.model import rays
from outlap.camera.view import View
from outlap.simulation.bodies import draw_bodies
from outlap.simulation.cameras import Eyes
from outlap.simulation.dressing import draw_looks, settle
from outlap.simulation.fleet import Fleet, Mounts, road_bounds
from outlap.simulation.randomization import Randomization
from outlap.simulation.rendering.ground import GroundMaps
from outlap.simulation.rendering.look import Looks
from outlap.simulation.rendering.render import Renderer
from outlap.track.generate import generate_track
from outlap.track.geometry import TrackSet
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car

TRACKS = 6  # generated ones, over which the cars are spread
STEPS = 3  # pictures taken, of which the last is shown: some come late, and the light drifts
SPEED = 1.5  # m/s, for what blurs
GAP = 3  # pixels between the pictures
ENLARGED = 2  # times that canonical pictures are enlarged


def contact_sheet(
    randomization: Randomization, car: Car, seed: int, columns: int = 10, rows: int = 10, raw: bool = False
) -> NDArray[np.uint8]:
    """Pictures of ``columns`` × ``rows`` draws side by side, (H, W, 3) rgb8, on generated tracks.

    Args:
        randomization: what is drawn.
        car: the car.
        seed: of every draw.
        columns, rows: of the sheet.
        raw: show looks through the car's own lens, in colour; only ``look`` is drawn then, the camera is the car's.
    """
    rng, n = np.random.default_rng(seed), columns * rows
    tracks = TrackSet([generate_track(rng, name=f"preview-{index}") for index in range(TRACKS)])
    fleet = Fleet(tracks, car, n)
    every = np.arange(n)
    draw_bodies(randomization.car, fleet, every, rng)
    track = every % TRACKS
    s = rng.random(n) * tracks.length[track]
    _, half = tracks.middle(track, s)
    fleet.place(every, track, s, rng.uniform(-0.6, 0.6, n) * half, rng.normal(0, 0.2, n), SPEED)
    fleet.state[:, dynamics.YAW_RATE] = SPEED * fleet.located.curvature + rng.normal(0, 0.5, n)
    if raw:
        pictures = _raw(randomization, fleet, seed)
    else:
        eyes = Eyes(fleet, View(), seed, randomization)
        for _ in range(STEPS - 1):
            eyes.look()
        grey = np.kron(eyes.look(), np.ones((1, ENLARGED, ENLARGED), np.uint8))
        pictures = np.repeat(grey[..., None], 3, axis=-1)
    high, wide = pictures.shape[1] + GAP, pictures.shape[2] + GAP
    sheet = np.zeros((rows * high + GAP, columns * wide + GAP, 3), np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * high + GAP, index % columns * wide + GAP
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def png(sheet: NDArray[np.uint8]) -> bytes:
    """The sheet as a PNG file."""
    _, data = cv2.imencode(".png", sheet[..., ::-1])
    return data.tobytes()


def _raw(randomization: Randomization, fleet: Fleet, seed: int) -> NDArray[np.uint8]:
    rng, camera, n = np.random.default_rng(seed), fleet.car.camera, fleet.n
    low, high = road_bounds(fleet.tracks)
    looks = Looks.plain(n, low.min(axis=0), high.max(axis=0))
    if randomization.look is not None:
        looks = draw_looks(randomization.look, n, rng)
        settle(looks, fleet.tracks, fleet.track, fleet.located.s, low, high)
    mounts = Mounts.alike(n, camera.x, camera.height, camera.pitch, camera.y, camera.roll, camera.yaw)
    renderer = Renderer(rays(camera.lens), GroundMaps.of(fleet.tracks.tracks), channels=3, seed=seed)
    return fleet.pictures(renderer, mounts, looks)
