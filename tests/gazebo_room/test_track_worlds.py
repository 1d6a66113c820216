"""Worlds from tracks: valid SDF, made of the track as it is, with the built-in simulator's room and start."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.gazebo.ground import draw_ground, plain_looks
from outlap.gazebo.world import GROUND_FILE, WORLD_FILE, track_digest, world_sdf, write_world
from outlap.simulation.dressing import draw_looks, settle
from outlap.simulation.randomization import load_randomization
from outlap.simulation.rendering.ground import bounds
from outlap.simulation.rendering.look import Looks
from outlap.simulation.world import World
from outlap.track.footing import start_pose
from outlap.track.formats import load_track, track_names
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import load_car

pytestmark = pytest.mark.slow

WORLDS = share_directory() / "worlds"
Reader = Callable[..., list[str]]


def random_look(track: Track, seed: int) -> Looks:
    ranges = load_randomization("full").look
    assert ranges is not None
    looks = draw_looks(ranges, 1, np.random.default_rng(seed))
    low, high = bounds(track)
    settle(looks, TrackSet([track]), np.zeros(1, np.int64), np.zeros(1), low[None], high[None])
    return looks


def tokens(text: str) -> list[str | float]:
    """Words, and numbers as numbers: another processor may round the last digit the other way."""
    return [
        round(float(word), 3) + 0.0 if re.fullmatch(r"-?[\d.]+", word) else word for word in re.split(r"[\s<>]+", text)
    ]


@pytest.mark.parametrize("name", track_names())
def test_each_shipped_track_has_its_world(name: str) -> None:
    track, folder = load_track(name), WORLDS / name
    looks = plain_looks(track)
    ground = draw_ground(track, looks)
    again = f"write it anew with `outlap track world {name} --force`"
    expected = world_sdf(track, ground, looks, start_pose(TrackSet([track])))
    assert tokens((folder / WORLD_FILE).read_text()) == tokens(expected), again
    with Image.open(folder / GROUND_FILE) as file:
        shipped = np.asarray(file.convert("RGB")).astype(int)
    assert shipped.shape == ground.picture.shape, again
    assert np.abs(shipped - ground.picture).mean() < 3, again
    for mark in ElementTree.parse(folder / WORLD_FILE).iter("albedo_map"):
        with Image.open(folder / str(mark.text)) as picture:
            picture.verify()


def test_a_real_parser_reads_the_shipped_worlds(read_sdf: Reader) -> None:
    lines = read_sdf(*sorted(WORLDS.glob(f"*/{WORLD_FILE}")))
    assert lines.count("world outlap") == len(track_names())
    assert sum(line.startswith("frame start ") for line in lines) == len(track_names())


@pytest.mark.parametrize("seed", range(2))
def test_a_real_parser_reads_the_trainers_looks(ring: Track, tmp_path: Path, read_sdf: Reader, seed: int) -> None:
    path = write_world(ring, tmp_path, random_look(ring, seed))
    assert "world outlap" in read_sdf(path)


def test_boxes_and_distant_walls_become_parts_of_the_world(ring: Track, tmp_path: Path, read_sdf: Reader) -> None:
    looks = plain_looks(ring)
    looks.boxes[0, 2] = [-3, 1, 0.2, 0.1, 0.3, np.cos(0.5), np.sin(0.5)]
    looks.scalars["room_east"] = 9
    path = write_world(ring, tmp_path, looks)
    assert any(line.startswith("model box_2 ") for line in read_sdf(path))
    root = ElementTree.parse(path)
    assert root.findtext(".//model[@name='box_2']//collision//size") == "0.4 0.2 0.3"
    assert root.find(".//visual[@name='beyond']") is not None


def test_the_start_is_the_built_in_simulators(ring: Track, tmp_path: Path, read_sdf: Reader) -> None:
    path = write_world(ring, tmp_path)
    (start,) = (line.split() for line in read_sdf(path) if line.startswith("frame start "))
    x, y, yaw = World(ring, load_car("deepracer")).start_pose
    np.testing.assert_allclose([float(word) for word in start[2:]], [x, y, 0, 0, 0, yaw], atol=1e-4)


def test_the_walls_stand_around_the_room(ring: Track, tmp_path: Path) -> None:
    root = ElementTree.parse(write_world(ring, tmp_path))
    low, high = bounds(ring)
    for side, axis, place in (
        ("west", 0, low[0] - 1.5),
        ("east", 0, high[0] + 1.5),
        ("south", 1, low[1] - 1.5),
        ("north", 1, high[1] + 1.5),
    ):
        wall = root.find(f".//model[@name='walls']//collision[@name='{side}']")
        assert wall is not None
        pose = [float(word) for word in str(wall.findtext("pose")).split()]
        size = [float(word) for word in str(wall.findtext("geometry/box/size")).split()]
        outwards = 1 if place > 0 else -1
        assert pose[axis] - outwards * size[1] / 2 == pytest.approx(place, abs=1e-4)
        assert size[2] == 1.5 and pose[2] == 0.75
        # The pictures stand on the inner face, end to end from one corner at least to the other.
        stretches = root.findall(".//model[@name='walls']//visual")
        own = [v for v in stretches if str(v.get("name")).startswith(side)]
        places = [[float(word) for word in str(v.findtext("pose")).split()] for v in own]
        assert all(p[axis] == pytest.approx(place, abs=1e-4) for p in places)
        wide = float(str(own[0].findtext("geometry/plane/size")).split()[0])
        along = [p[1 - axis] for p in places]
        assert max(along) - min(along) == pytest.approx(wide * (len(own) - 1), abs=1e-3)
        assert wide * len(own) >= size[0] - 0.2 - 1e-6


def test_a_track_of_any_name_makes_a_world(ring: Track, tmp_path: Path, read_sdf: Reader) -> None:
    path = write_world(replace(ring, name="<a> & 'b' \"c\" ü"), tmp_path / "some where" / "ü")
    assert "world outlap" in read_sdf(path)


def test_another_track_is_another_digest(ring: Track) -> None:
    assert track_digest(ring) == track_digest(replace(ring, name="renamed"))
    moved = ring.center.copy()
    moved[7, 1] += 2e-4
    assert track_digest(ring) != track_digest(replace(ring, center=moved))
    assert track_digest(ring) != track_digest(ring.reversed())


def test_a_world_that_cannot_be_written_leaves_nothing(ring: Track, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutlapError, match="cannot write"):
        write_world(ring, tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_pictures_are_what_the_world_says_they_are(ring: Track, tmp_path: Path) -> None:
    write_world(ring, tmp_path)
    content = (tmp_path / GROUND_FILE).read_bytes()
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ground.png", "wall.png", "world.sdf"]
