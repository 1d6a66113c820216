"""One draw of a randomization file for Gazebo: the built-in simulator's numbers, in documents that name real files."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from outlap.gazebo.randomize import PLAIN, SHARE, draw_episode, scenery
from outlap.gazebo.world import SUN
from outlap.simulation.randomization import OFF, Randomization, load_randomization
from outlap.simulation.rendering.look import ROAD
from outlap.track.track import Track
from outlap.vehicle.car import Car


@pytest.mark.slow
def test_nothing_drawn_is_the_plain_world_and_the_car_on_file(ring: Track, car: Car, tmp_path: Path) -> None:
    episode = draw_episode(OFF, ring, car, np.random.default_rng(0))
    assert episode.car == car
    assert (episode.light, episode.noise, episode.zoom) == (1.0, 0.0, 1.0)
    documents = scenery(ring, episode, tmp_path, "0")
    assert set(documents) == {f"{name}_0" for name in PLAIN}


def test_each_number_comes_from_the_file(ring: Track, car: Car, tmp_path: Path) -> None:
    given = {
        "look": {"road_grey": 90, "floor_grey": 200, "line_contrast": 100, "gain": 1.2, "noise": 3, "box": 1},
        "camera": {"x": 0.02, "height": 1.1, "pitch": 0.05, "roll": -0.02, "yaw": 0.03, "focal_length": 0.9},
        "car": {"friction": 0.7, "cornering_stiffness": 1.2, "mass": 1.1, "wheel_radius": 1.02},
    }
    episode = draw_episode(Randomization.model_validate(given), ring, car, np.random.default_rng(1))
    drawn, base = episode.car, car
    assert drawn.tyres.friction == pytest.approx(0.7 * base.tyres.friction)
    assert drawn.tyres.cornering_stiffness == pytest.approx(1.2 * base.tyres.cornering_stiffness)
    assert drawn.body.mass == pytest.approx(1.1 * base.body.mass)
    assert drawn.axles.wheel_radius == pytest.approx(1.02 * base.axles.wheel_radius)
    assert drawn.camera.x == pytest.approx(base.camera.x + 0.02)
    assert drawn.camera.height == pytest.approx(1.1 * base.camera.height)
    assert drawn.camera.pitch == pytest.approx(base.camera.pitch + 0.05)
    assert (drawn.camera.roll, drawn.camera.yaw) == pytest.approx((-0.02, 0.03))
    assert drawn.camera.lens == base.camera.lens
    assert (episode.zoom, episode.noise, episode.light) == pytest.approx((0.9, 3, 1.2**2.2))
    np.testing.assert_allclose(episode.looks.colours[0, ROAD], 90, atol=1)
    documents = scenery(ring, episode, tmp_path, "7")
    assert any(name.startswith("box_") for name in documents)
    suns = [ElementTree.fromstring(text) for name, text in documents.items() if "sun" in name]
    wanted = SUN * (episode.light - SHARE) / (1 - SHARE)
    for sun in suns:
        assert float(sun.findtext("light/intensity") or 0) == pytest.approx(wanted, rel=1e-4)
        x, y, z = map(float, (sun.findtext("light/direction") or "").split())
        assert math.hypot(x, y, z) == pytest.approx(1, abs=1e-4)
        assert z < 0


def test_dim_light_is_made_by_darker_colours(ring: Track, car: Car) -> None:
    given = {"look": {"gain": 0.3, "road_grey": 100, "line_contrast": 100, "floor_grey": 200}}
    episode = draw_episode(Randomization.model_validate(given), ring, car, np.random.default_rng(1))
    assert episode.light == pytest.approx(SHARE)
    assert episode.looks.colours[0, ROAD].mean() == pytest.approx(100 * 0.3 / SHARE ** (1 / 2.2), abs=1)


@pytest.mark.slow
def test_pictures_have_a_name_of_their_own_and_are_where_the_documents_say(
    ring: Track, car: Car, tmp_path: Path
) -> None:
    full, rng = load_randomization("full"), np.random.default_rng(5)
    named: list[Path] = []
    for mark in ("0", "1"):
        documents = scenery(ring, draw_episode(full, ring, car, rng), tmp_path, mark)
        for name, text in documents.items():
            root = ElementTree.fromstring(text)
            (thing,) = root
            assert thing.get("name") == name
            named += [Path(picture.text or "") for picture in root.iter("albedo_map")]
    assert len({path.name for path in named}) == 4  # ground and wall of two scenes
    for path in set(named):
        with Image.open(path) as picture:
            assert min(picture.size) > 10
