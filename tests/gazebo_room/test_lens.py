"""Gazebo's pinhole picture bent into the car's: every pixel shows what lies in its own direction."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from outlap.camera.model import rays
from outlap.gazebo.lens import Bend, pinhole
from outlap.vehicle.car import Lens, load_car

SEEN = pinhole(386, 290, [80, 0, 193, 0, 80, 145, 0, 0, 1])
LENS = load_car("deepracer").camera.lens


def scene(lens: Lens) -> NDArray[np.uint8]:
    """A smooth picture of which each direction has its own colour."""
    x, y, z = np.moveaxis(rays(lens), -1, 0)
    return np.round(127 + 100 * np.stack([x, y, np.sin(3 * x) * z], axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("distortion", [(0.0, 0.0, 0.0, 0.0), (0.05, -0.01, 0.0, 0.0)])
def test_the_picture_is_that_of_the_cars_lens(distortion: tuple[float, ...]) -> None:
    lens = LENS.model_copy(update={"distortion": distortion, "cx": 77.0, "fy": 82.0})
    bent = Bend(lens, SEEN)(scene(SEEN))
    assert bent.shape == (lens.height, lens.width, 3)
    assert bent.dtype == np.uint8
    wrong = np.abs(bent.astype(int) - scene(lens))[3:-3, 6:-3]
    assert wrong.max() <= 3


def test_what_gazebo_does_not_draw_is_black() -> None:
    narrow = pinhole(160, 120, [80, 0, 80, 0, 80, 60, 0, 0, 1])
    bent = Bend(LENS, narrow)(np.full((120, 160, 3), 255, np.uint8))
    assert bent[0, 0].max() == 0
    assert bent[60, 80].min() == 255


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(120, 160, 3\) came from Gazebo's 386x290"):
        Bend(LENS, SEEN)(np.zeros((120, 160, 3), np.uint8))
    with pytest.raises(ValueError, match="width"):
        pinhole(0, 0, [0.0] * 9)
