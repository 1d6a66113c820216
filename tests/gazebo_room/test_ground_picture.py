"""The ground picture: each place shows what the built-in simulator paints there, the right way round."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from outlap.gazebo.ground import FINEST, LARGEST, Ground, draw_ground, draw_wall, plain_looks, png
from outlap.simulation.dressing import draw_looks, settle
from outlap.simulation.randomization import load_randomization
from outlap.simulation.rendering.ground import bounds
from outlap.simulation.rendering.look import FLOOR, LINE, ROAD
from outlap.track.check import checked_track
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.track.track import Track

pytestmark = pytest.mark.slow

ON, OFF = 0.008, 0.012  # m that a place is kept away from a line's edge, so that it shows one thing only


def shown(ground: Ground, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours at places of the world, (n, 3)."""
    column = ((xy[:, 0] - ground.west) / ground.pixel).astype(int)
    row = ((ground.north - xy[:, 1]) / ground.pixel).astype(int)
    return ground.picture[row, column].astype(float)


def wrong(track: Track, ground: Ground, seed: int = 0) -> float:
    """Part of the places around the road that do not show the line, road or floor that geometry says is there."""
    looks = plain_looks(track)
    low, high = bounds(track)
    xy = np.random.default_rng(seed).uniform(low - 0.4, high + 0.4, (4000, 2))
    at = TrackSet([track]).locate(0, xy)
    edge = np.minimum(at.left, at.right)
    width = float(looks.scalars[0]["line_width"])
    kinds = {
        LINE: (edge > ON) & (edge < width - ON),
        ROAD: (edge > width + OFF) & (abs(at.offset) > 0.03),
        FLOOR: edge < -OFF,
    }
    colours = shown(ground, xy)
    bad = sum((np.abs(colours[where] - looks.colours[0, kind]).max(axis=1) > 40).sum() for kind, where in kinds.items())
    assert all(where.sum() > 5 for where in kinds.values())
    return float(bad / sum(where.sum() for where in kinds.values()))


@pytest.mark.parametrize("name", ["hairpins", "narrows"])
def test_each_place_shows_what_is_there(name: str) -> None:
    track = load_track(name)
    ground = draw_ground(track, plain_looks(track))
    assert wrong(track, ground) < 0.002
    for mirrored in (ground.picture[::-1], ground.picture[:, ::-1], ground.picture[::-1, ::-1]):
        assert wrong(track, replace(ground, picture=np.ascontiguousarray(mirrored))) > 0.2


def test_dashes_lie_on_the_centre_line(ring: Track) -> None:
    ground = draw_ground(ring, plain_looks(ring))
    angle = np.linspace(0, 2 * np.pi, 5000)
    colours = shown(ground, 1.2 * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    orange = colours[:, 0] > 180
    assert 0.45 < orange.mean() < 0.55
    assert (np.diff(orange.astype(int)) == 1).sum() == round(2.5 * 2 * np.pi * 1.2)  # dashes, 2.5 a metre


def scaled(track: Track, factor: float, shift: float = 0.0) -> Track:
    rows = (track.center * factor + shift, track.left * factor + shift, track.right * factor + shift)
    return checked_track("scaled", *rows)


def test_a_large_track_gets_larger_pixels(ring: Track) -> None:
    large = scaled(ring, 12.0, shift=-400.0)
    ground = draw_ground(large, plain_looks(large))
    assert max(ground.picture.shape) == LARGEST and ground.pixel > FINEST
    assert wrong(large, ground) < 0.01
    np.testing.assert_allclose(ground.middle, [-400, -400], atol=ground.pixel)


def test_it_covers_the_plain_room(ring: Track) -> None:
    ground = draw_ground(ring, plain_looks(ring))
    low, high = bounds(ring)
    assert ground.pixel == FINEST
    np.testing.assert_allclose(ground.size, high - low + 3, atol=FINEST)
    assert (ground.west, ground.north) == pytest.approx((low[0] - 1.5, high[1] + 1.5))


def test_looks_of_the_trainer_can_be_drawn(ring: Track) -> None:
    ranges = load_randomization("full").look
    assert ranges is not None
    looks = draw_looks(ranges, 4, np.random.default_rng(0))
    tracks, low_high = TrackSet([ring]), bounds(ring)
    settle(looks, tracks, np.zeros(4, np.int64), np.zeros(4), *(corner[None] for corner in low_high))
    pictures = [draw_ground(ring, looks.part(slice(k, k + 1))).picture for k in range(4)]
    assert len({picture.tobytes() for picture in pictures}) == 4
    for k in range(4):
        wall = draw_wall(looks.part(slice(k, k + 1)), 5.0)
        assert wall.ndim == 3 and wall.size


def test_the_file_keeps_what_a_camera_can_see(tmp_path: Path, ring: Track) -> None:
    picture = draw_ground(ring, plain_looks(ring)).picture
    content = png(picture)
    read = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    off = np.abs(read - picture)
    assert read.shape == picture.shape and off.mean() < 3 and off.max() < 32
    assert len(content) < 0.1 * picture.size
