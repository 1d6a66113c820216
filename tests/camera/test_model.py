"""Rays and projection undo each other, and point where REP-103 says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from outlap.camera.model import mount_rotation, project, rays
from outlap.camera.view import View
from outlap.vehicle.car import Lens


def fisheye(fx: float, *distortion: float) -> Lens:
    return Lens(model="fisheye", width=160, height=120, fx=fx, fy=fx * 1.02, cx=78.0, cy=61.5, distortion=distortion)


def pinhole(*distortion: float) -> Lens:
    return Lens(model="pinhole", width=160, height=120, fx=90, fy=92, cx=80.5, cy=58, distortion=distortion)


LENSES = {
    "plain fisheye": fisheye(80.0),
    "distorted fisheye": fisheye(85.0, -0.05, 0.01, -0.002, 0.0003),
    "fisheye of over 180 degrees": fisheye(45.0, -0.01),
    "plain pinhole": pinhole(),
    "barrel": pinhole(-0.28, 0.07, 0.001, -0.002, 0.0),
    "pincushion": pinhole(0.1, 0.02),
    "canonical view": View().lens,
}


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES.keys())
def test_each_pixel_sees_the_points_on_its_ray(lens: Lens) -> None:
    directions = rays(lens)
    assert directions.shape == (lens.height, lens.width, 3)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1, atol=1e-12)
    pixels = np.stack(np.meshgrid(np.arange(lens.width), np.arange(lens.height)), axis=-1)
    np.testing.assert_allclose(project(lens, directions * 3.7), pixels, atol=1e-4)


def test_wide_fisheye_looks_backwards_at_its_rim() -> None:
    assert rays(LENSES["fisheye of over 180 degrees"])[60, 0, 2] < -0.1


def test_rays_of_a_plain_fisheye_by_hand() -> None:
    lens = Lens(model="fisheye", width=101, height=101, fx=50 / (math.pi / 2), fy=50 / (math.pi / 2), cx=50, cy=50)
    directions = rays(lens)
    np.testing.assert_allclose(directions[50, 50], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(directions[50, 100], [1, 0, 0], atol=1e-12)  # right
    np.testing.assert_allclose(directions[100, 50], [0, 1, 0], atol=1e-12)  # down


def test_points_out_of_sight_have_no_pixel() -> None:
    assert np.isnan(project(pinhole(), [[0, 0, -1], [1, 0, 0]])).all()
    assert np.isnan(project(fisheye(80), [0, 0, -1])).all()  # straight behind: no direction in the picture
    # Barrel distortion turns back far out: without a limit this point would appear inside the picture.
    assert np.isnan(project(pinhole(-0.28), [2.5, 0, 1])).all()
    folded = fisheye(80, -0.2)
    assert np.isnan(project(folded, [1, 0, -0.5])).all()
    assert np.isfinite(rays(folded)).all()


def test_mount_rotation_follows_rep_103() -> None:
    ahead, right, down = np.eye(3)[[2, 0, 1]]
    level = mount_rotation(0)
    np.testing.assert_allclose(level @ ahead, [1, 0, 0])
    np.testing.assert_allclose(level @ right, [0, -1, 0])
    np.testing.assert_allclose(level @ down, [0, 0, -1])
    assert (mount_rotation(0.3) @ ahead)[2] == pytest.approx(-math.sin(0.3))  # positive pitch looks down
    assert (mount_rotation(0, 0, 0.3) @ ahead)[1] == pytest.approx(math.sin(0.3))  # positive yaw looks left
    assert (mount_rotation(0, 0.3) @ right)[2] == pytest.approx(-math.sin(0.3))  # positive roll tips to the right
    turned = mount_rotation(0.4, -0.2, 0.1)
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turned) == pytest.approx(1)
