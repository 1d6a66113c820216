"""Whatever the lens and mount, the warp shows what the canonical camera would have seen itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from outlap.camera.model import mount_rotation, rays
from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.errors import OutlapError
from outlap.vehicle.car import Camera, Lens, load_car

SAMPLES = 5  # across a pixel, when drawing the truth
VIEW = View()
Image = NDArray[np.uint8]


def camera(**changes: Any) -> Camera:
    return load_car("deepracer").camera.model_copy(update=changes)


def draw(lens: Lens, rotation: NDArray[np.float64], x: float, y: float, height: float) -> Image:
    """A checkerboard floor with one dark patch left ahead, below a sky that darkens upwards and to the left."""
    fine = lens.model_copy(
        update={
            "width": lens.width * SAMPLES,
            "height": lens.height * SAMPLES,
            "fx": lens.fx * SAMPLES,
            "fy": lens.fy * SAMPLES,
            "cx": (lens.cx + 0.5) * SAMPLES - 0.5,
            "cy": (lens.cy + 0.5) * SAMPLES - 0.5,
        }
    )
    forward, left, up = np.moveaxis(rays(fine) @ rotation.T, -1, 0)
    distance = height / np.maximum(-up, 1e-6)
    ground_x, ground_y = x + distance * forward, y + distance * left
    squares = (np.floor(ground_x / 0.1) + np.floor(ground_y / 0.1)) % 2
    floor = np.where((abs(ground_x - 0.55) < 0.1) & (abs(ground_y - 0.3) < 0.1), 10, 70 + 110 * squares)
    floor = np.where(distance < 4, floor, 125)  # beyond, squares are finer than any pixel
    picture = np.where(up < 0, floor, 230 - 120 * up - 30 * left)
    blocks = picture.reshape(lens.height, SAMPLES, lens.width, SAMPLES).mean(axis=(1, 3))
    return np.rint(blocks).astype(np.uint8)


def raw_picture(mounted: Camera) -> Image:
    rotation = mount_rotation(mounted.pitch, mounted.roll, mounted.yaw)
    return draw(mounted.lens, rotation, mounted.x, mounted.y, mounted.height)


def canonical_picture(x: float, view: View = VIEW) -> Image:
    return draw(view.lens, mount_rotation(view.pitch), x, 0, view.camera_height)


WIDE = Lens(model="fisheye", width=320, height=240, fx=120, fy=120, cx=161, cy=118, distortion=(-0.02, 0.003, 0, 0))
PINHOLE = Lens(
    model="pinhole", width=320, height=240, fx=130, fy=130, cx=159, cy=121, distortion=(-0.1, 0.01, 0.001, 0.0, 0.0)
)
FINE = Lens(model="fisheye", width=640, height=480, fx=320, fy=320, cx=319.5, cy=239.5)
CAMERAS = {
    "as mounted": camera(),
    "level": camera(pitch=0.0),
    "crooked": camera(pitch=0.5, roll=0.12, yaw=-0.15),
    "distorted wide": camera(lens=WIDE, yaw=0.1),
    "fine": camera(lens=FINE),
    "pinhole": camera(lens=PINHOLE, pitch=0.4),
}
HEIGHTS = {
    "low": camera(height=0.08),
    "high": camera(height=0.18, pitch=0.45),
    "aside": camera(y=0.03, height=0.15, lens=WIDE),
}


@pytest.mark.slow
@pytest.mark.parametrize("mounted", CAMERAS.values(), ids=CAMERAS.keys())
def test_a_turned_camera_shows_the_same_picture(mounted: Camera) -> None:
    warp = Warp(mounted, VIEW)
    error = np.abs(warp(raw_picture(mounted)).astype(float) - canonical_picture(mounted.x))[covered(warp)]
    assert error.mean() < 6, f"mean error {error.mean():.1f} of 255"
    assert warp.coverage > 0.75


@pytest.mark.slow
@pytest.mark.parametrize("mounted", HEIGHTS.values(), ids=HEIGHTS.keys())
def test_a_camera_elsewhere_shows_the_same_ground(mounted: Camera) -> None:
    warp = Warp(mounted, VIEW)
    truth, seen = canonical_picture(mounted.x).astype(float), warp(raw_picture(mounted)).astype(float)
    ground = covered(warp) & ((rays(VIEW.lens) @ mount_rotation(VIEW.pitch).T)[..., 2] < -0.05)
    error = np.abs(seen - truth)[ground]
    assert error.mean() < 7, f"mean error {error.mean():.1f} of 255"
    # For scale: the same camera taken for one at the canonical place is far off.
    naive = Warp(mounted.model_copy(update={"height": VIEW.camera_height, "y": 0.0}), VIEW)(raw_picture(mounted))
    assert np.abs(naive - truth)[ground].mean() > 3 * error.mean()


def covered(warp: Warp) -> NDArray[np.bool_]:
    """Pixels whose neighbourhood the lens sees: a white picture stays white there."""
    lens = warp.camera.lens
    white = np.full((lens.height, lens.width), 255, np.uint8)
    return Warp(warp.camera, warp.view, fill=0)(white) == 255


def test_left_is_left_and_up_is_up() -> None:
    mounted = camera(roll=0.1)
    lens = mounted.lens
    picture = np.zeros((lens.height, lens.width), np.uint8)
    warp = Warp(mounted, VIEW)
    picture[:, : lens.width // 2] = 200
    seen = warp(picture)
    assert seen[24, :20].mean() > 190 and seen[24, -20:].mean() < 10
    picture[:] = 0
    picture[: lens.height // 4] = 200
    seen = warp(picture)
    assert seen[0, 40] > 190 and seen[-6, 40] == 0


def test_dark_patch_on_the_left_appears_on_the_left() -> None:
    mounted = camera(height=0.16, yaw=0.1)
    seen = Warp(mounted, VIEW)(raw_picture(mounted))
    rows, columns = np.nonzero(seen < 40)
    assert len(columns) > 5 and columns.max() < VIEW.width / 2
    assert rows.min() > VIEW.lens.cy - VIEW.focal_length * np.tan(VIEW.pitch)  # below the horizon


def test_what_the_lens_does_not_see_is_the_fill() -> None:
    narrow = Lens(model="pinhole", width=160, height=120, fx=160, fy=160, cx=79.5, cy=59.5)
    warp = Warp(camera(lens=narrow), VIEW, fill=77)
    seen = warp(np.full((120, 160), 255, np.uint8))
    assert seen[0, 0] == seen[-1, -1] == 77 and seen[20, 40] == 255
    assert (seen == 255).mean() == pytest.approx(warp.coverage, abs=0.05)
    assert warp.coverage < 0.5


def test_far_lines_do_not_alias() -> None:
    """Fine stripes beyond what the view resolves become their mean, instead of a false coarse pattern."""
    stripes = np.broadcast_to(np.where(np.arange(640) % 6 < 3, 0, 250).astype(np.uint8), (480, 640))
    seen = Warp(camera(lens=FINE, pitch=VIEW.pitch), VIEW)(np.ascontiguousarray(stripes))
    assert abs(seen[15:33, 30:50].astype(float) - 125).mean() < 30  # point by point: 100


def test_grey_and_colour_agree_and_sizes_are_checked() -> None:
    warp = Warp(camera(), VIEW)
    grey = raw_picture(camera())
    np.testing.assert_array_equal(warp(grey), warp(np.repeat(grey[..., None], 3, axis=-1)))
    seen = warp(grey)
    assert seen.shape == (VIEW.height, VIEW.width) and seen.dtype == np.uint8
    for wrong in ((60, 80), (120, 160, 4), (160, 120, 3)):
        with pytest.raises(OutlapError, match="160x120"):
            warp(np.zeros(wrong, np.uint8))
