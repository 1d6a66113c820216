"""Draws cameras: how each sits on its car, which lens it has, and what befalls its pictures."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from outlap.camera.model import rays
from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.simulation.randomization import CameraRanges, CoverageRanges, PictureRanges, Randomization
from outlap.vehicle.car import Camera, Lens

Floats = NDArray[np.float64]

LENSES = 8  # lenses that the cameras of a fleet share
MASKS = 24  # coverages that they share
LAMPS = 3  # the most that one camera sees
WHOLE = 0.98  # part of the view, of which a lens that covers more is of no interest
TRIES = 30  # draws of a lens, of which one should show the road
RAW_WIDTH = 80  # pixels of a raw picture, from which coverages are worked out
SEEN = 0.8  # least part of the view's middle that a lens must cover, or nobody could drive by it
LEAST = 0.6  # and of the whole view

OPTICS = np.dtype(
    [
        ("x", "f8"),  # m, ahead of the car file's place
        ("height", "f8"),  # m
        ("pitch", "f8"),  # rad
        ("roll", "f8"),
        ("yaw", "f8"),
        ("shake", "f8"),  # rad, deviation of pitch and roll in each picture
        ("lens", "i8"),
        ("exposure_time", "f8"),  # s
        ("readout_time", "f8"),  # s
        ("defocus", "f8"),  # pixels
        ("compression", "f8"),  # grey levels
        ("drift", "f8"),  # part of the gain
        ("drift_rate", "f8"),  # rad/s
        ("drift_phase", "f8"),  # rad
        ("mask", "i8"),
        ("dropped", "f8"),  # chance a frame
        ("late", "f8"),  # chance a frame
        ("delay", "f8"),  # s
        ("lamps", "f8", (LAMPS, 5)),  # azimuth, elevation, size (rad), strength, strength of the mirror image
    ]
)


def draw_optics(randomization: Randomization, view: View, n: int, rng: np.random.Generator) -> NDArray[np.void]:
    """``n`` cameras, (n,) of OPTICS."""
    camera, picture = randomization.camera or CameraRanges(), randomization.picture or PictureRanges()
    optics = np.zeros(n, OPTICS)
    optics["height"], optics["pitch"] = view.camera_height, view.pitch
    for ranges, name, base, scale in (
        (camera, "x", 0, 1),
        (camera, "height", 0, view.camera_height),
        (camera, "pitch", view.pitch, 1),
        (camera, "roll", 0, 1),
        (camera, "yaw", 0, 1),
        (camera, "shake", 0, 1),
        (picture, "exposure_time", 0, 1),
        (picture, "readout_time", 0, 1),
        (picture, "defocus", 0, 1),
        (picture, "compression", 0, 1),
        (picture, "dropped", 0, 1),
        (picture, "late", 0, 1),
    ):
        if (given := getattr(ranges, name)) is not None:
            optics[name] = base + scale * given.draw(rng, n)
    if picture.frame_delay is not None:
        optics["delay"] = picture.frame_delay.draw(rng, n)
    if picture.exposure_drift is not None:
        optics["drift"] = picture.exposure_drift.draw(rng, n)
        period = np.full(n, 5.0) if picture.drift_period is None else picture.drift_period.draw(rng, n)
        optics["drift_rate"], optics["drift_phase"] = 2 * np.pi / period, rng.uniform(0, 2 * np.pi, n)
    if camera.focal_length is not None or camera.distortion is not None:
        optics["lens"] = rng.integers(0, LENSES, n)
    if picture.covered is not None:
        optics["mask"] = (picture.covered.draw(rng, n) > 0.5) * rng.integers(1, MASKS + 1, n)
    if picture.lamp is not None:
        _lamps(optics["lamps"], picture, rng)
    return optics


def lens_rays(ranges: CameraRanges | None, view: View, rng: np.random.Generator) -> Floats:
    """Rays of the lenses that a fleet's cameras share, (L, H, W, 3)."""
    if ranges is None or (ranges.focal_length is None and ranges.distortion is None):
        return rays(view.lens)[None]
    factor = np.ones(LENSES) if ranges.focal_length is None else ranges.focal_length.draw(rng, LENSES)
    bend = np.zeros(LENSES) if ranges.distortion is None else ranges.distortion.draw(rng, LENSES)
    lens = view.lens
    made = []
    for one, k1 in zip(factor, bend, strict=True):
        made.append(lens.model_copy(update={"fx": lens.fx * one, "fy": lens.fy * one, "distortion": (float(k1),)}))
    return np.stack([rays(one) for one in made])


def coverage_masks(ranges: CoverageRanges | None, view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """How well lenses cover the view, (1 + MASKS, H, W), 0 to 255; the first covers all, and without ranges alone."""
    whole = np.full((1, view.height, view.width), 255, np.uint8)
    if ranges is None:
        return whole
    return np.concatenate([whole, *(_mask(ranges, view, rng) for _ in range(MASKS))])


def _mask(ranges: CoverageRanges, view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    best, most = np.full((1, view.height, view.width), 255, np.uint8), -1.0
    for _ in range(TRIES):
        fisheye, focal, aspect, height, pitch, roll, yaw = (
            float(getattr(ranges, name).draw(rng, 1)[0]) for name in CoverageRanges.model_fields
        )
        rows = round(RAW_WIDTH / aspect)
        lens = Lens(
            model="fisheye" if fisheye > 0.5 else "pinhole",
            width=RAW_WIDTH,
            height=rows,
            fx=focal * RAW_WIDTH,
            fy=focal * RAW_WIDTH,
            cx=(RAW_WIDTH - 1) / 2,
            cy=(rows - 1) / 2,
        )
        mount = min(height * view.camera_height, 1.0)
        camera = Camera(x=0, height=mount, pitch=pitch, roll=roll, yaw=yaw, rate=30, lens=lens)
        # The very warp of the camera node, of a white picture, with black where nothing is seen.
        cover = Warp(camera, view, fill=0)(np.full((rows, RAW_WIDTH), 255, np.uint8))
        middle = cover[view.height // 3 : 2 * view.height // 3, view.width // 4 : 3 * view.width // 4].mean() / 255
        if middle > most and LEAST * 255 < cover.mean() < WHOLE * 255:
            best, most = cover[None], middle
        if most >= SEEN:
            break
    return best


def _lamps(lamps: Floats, picture: PictureRanges, rng: np.random.Generator) -> None:
    """Fill ``lamps`` (n, LAMPS, 5)."""
    n = len(lamps)

    def drawn(name: str, default: float) -> Floats:
        given = getattr(picture, name)
        return (np.full(n * LAMPS, default) if given is None else given.draw(rng, n * LAMPS)).reshape(n, LAMPS)

    there = drawn("lamp", 0) > 0.5
    lamps[..., 0] = rng.uniform(0, 2 * math.pi, (n, LAMPS))
    lamps[..., 1], lamps[..., 2] = drawn("lamp_elevation", 0.5), drawn("lamp_size", 0.05)
    lamps[..., 3], lamps[..., 4] = there * drawn("lamp_strength", 300), there * drawn("lamp_glare", 50)
