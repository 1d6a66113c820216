"""Tracks with their maps, and a camera that can be put anywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from slow_renderer import Pose

from outlap.camera.model import mount_rotation, rays
from outlap.simulation.rendering.ground import GroundMaps
from outlap.simulation.rendering.look import Looks
from outlap.simulation.rendering.render import Renderer
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import Lens

Shoot = Callable[..., NDArray[np.uint8]]


@pytest.fixture(scope="session")
def course() -> TrackSet:
    """A winding track in both directions."""
    track = load_track("hairpins")
    return TrackSet([track, track.reversed()])


@pytest.fixture(scope="session")
def shoot(course: TrackSet) -> Shoot:
    """``shoot(lens, poses, looks, track=0, channels=3, parallel=False)``: pictures (n, H, W, channels)."""
    maps = GroundMaps.of(course.tracks)

    @cache
    def renderer(lens: Lens, channels: int, parallel: bool) -> Renderer:
        return Renderer(rays(lens), maps, channels, parallel=parallel)

    def draw(
        lens: Lens, poses: list[Pose], looks: Looks, track: int = 0, channels: int = 3, parallel: bool = False
    ) -> NDArray[np.uint8]:
        eyes = np.array([[pose.x, pose.y, pose.height] for pose in poses])
        turns = np.stack([mount_rotation(pose.pitch, pose.roll, pose.yaw) for pose in poses])
        return renderer(lens, channels, parallel).draw(np.full(len(poses), track), eyes, turns, looks)

    return draw


@pytest.fixture
def plain(course: TrackSet) -> Callable[[int], Looks]:
    """``plain(n)``: tidy looks around the course."""
    points = np.concatenate([course.tracks[0].left, course.tracks[0].right])
    return lambda n: Looks.plain(n, points.min(axis=0), points.max(axis=0))
