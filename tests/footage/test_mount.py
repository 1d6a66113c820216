"""A recording's camera: from a file, from numbers, or the usual one where the pictures do not tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.footage.mount import COVERED, STRETCH, USUAL_FOCAL, USUAL_PITCH, Known, mounted, read_camera, widened
from outlap.footage.tub import Tub, read_tub
from outlap.vehicle.car import Car


@pytest.fixture(scope="module")
def fog(tmp_path_factory: pytest.TempPathFactory, write_tub: Callable[..., Path]) -> Tub:
    """Pictures that tell nothing."""
    folder = tmp_path_factory.mktemp("fog") / "data"
    return read_tub(write_tub(folder, np.full((130, 48, 64), 128, np.uint8), np.zeros(130)))


def test_a_camera_is_read_from_a_car_file_or_from_its_part(car: Car, tmp_path: Path) -> None:
    assert read_camera(share_directory() / "config" / "cars" / "deepracer.yaml") == car.camera
    alone = tmp_path / "camera.yaml"
    for content in (car.camera.model_dump(mode="json"), {"camera": car.camera.model_dump(mode="json")}):
        alone.write_text(yaml.safe_dump(content))
        assert read_camera(alone) == car.camera


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x: [", "not valid YAML"),
        ("- 1", "whole file"),
        ("camera: {height: 0.1, pitch: 0.2, rate: 20}", "x: missing; lens: missing"),
    ],
)
def test_a_file_that_is_no_camera_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(text)
    with pytest.raises(OutlapError, match=why):
        read_camera(path)


def test_what_is_given_is_not_estimated(fog: Tub) -> None:
    found = mounted([fog], View(), Known(focal=0.6, pitch=0.2, height=0.3))
    assert (found.camera.lens.fx, found.camera.pitch, found.camera.height) == (0.6 * 64, 0.2, 0.3)
    assert (found.camera.lens.width, found.camera.lens.height, found.says) == (64, 48, "given")


def test_pictures_that_tell_nothing_get_the_usual_camera(fog: Tub) -> None:
    found = mounted([fog], View())
    assert (found.camera.lens.fx / 64, found.camera.pitch) == (USUAL_FOCAL, USUAL_PITCH)
    assert found.says == "focal length not to be told from laps: the usual one; pitch not to be told: the usual one"


def test_a_lens_that_sees_too_little_is_taken_for_a_wider_one() -> None:
    camera = widened(0.62, 0.2, Known(), View(), (160, 120))
    assert 0.5 < camera.lens.fx / 160 < 0.6
    assert Warp(camera, View()).coverage >= COVERED
    assert camera.pitch * camera.lens.fx == pytest.approx(0.2 * 0.62 * 160)  # the horizon stays on its row
    assert widened(0.45, 0.3, Known(), View(), (160, 120)).lens.fx == 0.45 * 160
    assert widened(1.2, 0.2, Known(), View(), (160, 120)).lens.fx == pytest.approx(STRETCH * 1.2 * 160)
