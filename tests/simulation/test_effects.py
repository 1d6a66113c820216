"""What befalls pictures, against the plain way to compute it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from outlap.camera.model import mount_rotation, project
from outlap.camera.view import View
from outlap.camera.warp import FILL
from outlap.simulation.rendering.effects import COARSER, befall, lamp_spots

N, HEIGHT, WIDTH = 3, 48, 80


def alone(n: int, kernel: Callable[..., None], *arguments: Any) -> None:
    """All pictures in two parts, one after the other."""
    kernel(*arguments, 0, n // 2)
    kernel(*arguments, n // 2, n)


@pytest.fixture
def pictures() -> np.ndarray:
    rng = np.random.default_rng(0)
    return cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, N), np.uint8), (0, 0), 1.2).transpose(2, 0, 1).copy()


def after(
    pictures: np.ndarray, effects: Any = (0, 0, 0, 0), spots: Any = None, masks: Any = None, mask: Any = (0, 0, 0)
) -> np.ndarray:
    changed = pictures.copy()
    rows = np.tile(np.array(effects, np.float32), (N, 1))
    light = np.zeros((N, 1, 5), np.float32) if spots is None else np.array(spots, np.float32)
    cover = np.full((1, HEIGHT, WIDTH), 255, np.uint8) if masks is None else masks
    befall(changed, rows, light, cover, np.array(mask), alone)
    return changed


def test_nothing_changes_nothing(pictures: np.ndarray) -> None:
    np.testing.assert_array_equal(after(pictures), pictures)


def test_blur_is_a_box_along_the_rows(pictures: np.ndarray) -> None:
    blurred = after(pictures, (4, 0, 0, 0)).astype(float)  # a pixel's own breadth and 4 more
    expected = np.stack([cv2.blur(one.astype(float), (5, 1), borderType=cv2.BORDER_REPLICATE) for one in pictures])
    assert np.abs(blurred - expected).max() < 1


def test_a_rolling_shutter_shears_the_rows(pictures: np.ndarray) -> None:
    sheared = after(pictures, (0, 6, 0, 0))
    # The first row is seen 3 pixels further left in the picture, the last one as much further right.
    columns = np.arange(10, 70)
    for row in (0, 12, 24, 47):
        shift = 6 * ((row + 0.5) / HEIGHT - 0.5)
        expected = [np.interp(columns + shift, np.arange(WIDTH), one[row]) for one in pictures]
        assert np.abs(sheared[:, row, 10:70] - expected).max() < 1


def test_defocus_blurs_both_ways(pictures: np.ndarray) -> None:
    soft = after(pictures, (0, 0, 0.7, 0)).astype(float)
    sharp = pictures.astype(float)
    for axis in (1, 2):
        assert np.abs(np.diff(soft, axis=axis)).mean() < 0.8 * np.abs(np.diff(sharp, axis=axis)).mean()
    assert soft.mean() == pytest.approx(sharp.mean(), abs=0.5)


def test_compression_quantises_blocks_of_the_picture(pictures: np.ndarray) -> None:
    changed = after(pictures, (0, 0, 0, 9)).astype(float)
    step = 9 * (1 + COARSER * np.add.outer(np.arange(8), np.arange(8)))
    for one, found in zip(pictures.astype(float), changed, strict=True):
        for top, left in ((0, 0), (16, 24), (40, 72)):
            block = np.s_[top : top + 8, left : left + 8]
            expected = cv2.idct(np.round(cv2.dct(one[block]) / step) * step)
            assert np.abs(found[block] - np.clip(expected, 0, 255)).mean() < 0.6
    assert np.abs(changed - pictures).mean() > 1


def test_a_mask_fills_what_is_not_covered(pictures: np.ndarray) -> None:
    masks = np.full((2, HEIGHT, WIDTH), 255, np.uint8)
    masks[1, :, :20], masks[1, :, 20] = 0, 51
    covered = after(pictures, masks=masks, mask=(0, 1, 1))
    np.testing.assert_array_equal(covered[0], pictures[0])
    np.testing.assert_array_equal(covered[1:, :, 21:], pictures[1:, :, 21:])
    assert (covered[1:, :, :20] == FILL).all()
    np.testing.assert_allclose(covered[1:, :, 20], FILL + 0.2 * (pictures[1:, :, 20].astype(float) - FILL), atol=1)


def test_lamps_and_their_mirror_images_are_seen_where_they_are() -> None:
    view = View()
    # Straight ahead and half as high as the picture's upper edge; behind; and none.
    lamps = np.zeros((3, 2, 5))
    lamps[0, 0] = [0.7, 0.15, 0.06, 300, 80]
    lamps[1, 0] = [0.7 + np.pi, 0.15, 0.06, 300, 80]
    lamps[2, 1] = [0.0, 0.3, 0.06, 0, 0]
    yaw, pitch = np.array([0.5, 0.5, 0]), np.full(3, 0.35)
    spots = lamp_spots(lamps, yaw, pitch, view)
    assert spots.shape == (3, 2, 5)
    assert not spots[1:, :, 4].any()
    turn = mount_rotation(0.35)
    for spot, sign in zip(spots[0], (1, -1), strict=True):
        toward = [np.cos(0.15) * np.cos(0.2), np.cos(0.15) * np.sin(0.2), sign * np.sin(0.15)]
        np.testing.assert_allclose(spot[:2], project(view.lens, np.array(toward) @ turn), atol=1e-3)
    picture = np.zeros((3, HEIGHT, WIDTH), np.uint8)
    lit = after(picture, spots=spots)
    assert (lit[0].max(), lit[1:].max()) == (255, 0)
    x, y = np.round(spots[0, 1, :2]).astype(int)
    assert lit[0, y, x] == pytest.approx(80, abs=4)


def test_no_lamps_cost_no_spots() -> None:
    assert lamp_spots(np.zeros((5, 2, 5)), np.zeros(5), np.zeros(5), View()).shape == (5, 0, 5)
