"""Drawn cameras: what a lens does not cover is what the camera node would fill."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.camera.model import rays
from outlap.camera.view import View
from outlap.camera.warp import FILL, Warp
from outlap.simulation.optics import LENSES, MASKS, RAW_WIDTH, coverage_masks, draw_optics, lens_rays
from outlap.simulation.randomization import CoverageRanges, Randomization, load_randomization
from outlap.vehicle.car import Camera, Lens

FISHEYE = {"fisheye": 1, "focal_length": 0.45, "aspect": 1.333, "height": 2.5, "pitch": 0.3, "roll": 0.03, "yaw": 0}


def test_a_mask_is_what_the_camera_node_fills() -> None:
    view = View()
    masks = coverage_masks(CoverageRanges.model_validate(FISHEYE), view, np.random.default_rng(0))
    assert masks.shape == (1 + MASKS, view.height, view.width)
    assert (masks[0] == 255).all() and (masks[1:] == masks[1]).all()
    rows = round(RAW_WIDTH / 1.333)
    lens = Lens(
        model="fisheye",
        width=RAW_WIDTH,
        height=rows,
        fx=0.45 * RAW_WIDTH,
        fy=0.45 * RAW_WIDTH,
        cx=(RAW_WIDTH - 1) / 2,
        cy=(rows - 1) / 2,
    )
    warp = Warp(Camera(x=0, height=2.5 * view.camera_height, pitch=0.3, roll=0.03, rate=30, lens=lens), view)
    filled = warp(np.full((rows, RAW_WIDTH), 255, np.uint8)).astype(float)
    np.testing.assert_allclose(FILL + masks[1] / 255 * (255 - FILL), filled, atol=1.5)
    assert (masks[1][-6:] == 0).all()  # from so high up the ground just ahead is not seen
    assert (masks[1][20:28] == 255).all()


def test_coverages_differ_and_show_the_road() -> None:
    ranges = load_randomization("full").coverage
    masks = coverage_masks(ranges, View(), np.random.default_rng(1))
    middle = masks[1:, 16:32, 20:60].mean(axis=(1, 2)) / 255
    assert middle.min() > 0.7
    assert len({mask.tobytes() for mask in masks}) > 0.9 * MASKS
    assert (masks[1:, -1] == 0).any() and (masks[1:] == 255).mean() < 0.98
    assert coverage_masks(None, View(), np.random.default_rng(1)).shape[0] == 1


def test_nothing_randomised_is_the_canonical_camera() -> None:
    view = View()
    optics = draw_optics(Randomization(), view, 3, np.random.default_rng(0))
    assert (optics["height"] == view.camera_height).all() and (optics["pitch"] == view.pitch).all()
    for name in optics.dtype.names or ():
        if name not in ("height", "pitch"):
            assert not optics[name].any(), name
    np.testing.assert_array_equal(lens_rays(None, view, np.random.default_rng(0)), rays(view.lens)[None])


def test_a_longer_focal_length_sees_less() -> None:
    given = Randomization.model_validate({"camera": {"focal_length": {"choice": [0.8, 1.25]}}})
    table = lens_rays(given.camera, View(), np.random.default_rng(3))
    assert table.shape == (LENSES, 48, 80, 3)
    edge = np.arctan2(table[:, 24, -1, 0], table[:, 24, -1, 2])
    expected = [np.arctan(39.5 / (factor * View().focal_length)) for factor in (0.8, 1.25)]
    assert sorted({round(float(angle), 3) for angle in edge}) == pytest.approx(sorted(expected), abs=2e-3)
    drawn = draw_optics(given, View(), 400, np.random.default_rng(0))["lens"]
    assert set(drawn.tolist()) == set(range(LENSES))
