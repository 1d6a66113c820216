"""The camera of a recording: given by a file or by numbers, and estimated where it is not.

Lens and pitch matter, the height hardly: unless it is given, a recording's camera is taken to be as high as the
canonical one. The warp into the canonical view is then a pure rotation, which needs no knowledge of the floor and loses
nothing; the road only looks wider or narrower than it is.

An estimated lens that sees little of the canonical view is taken to be wider than it is: a policy steers better by a
view that is stretched than by one that is mostly empty.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.errors import OutlapError
from outlap.files import YAML_LOADER, read_bytes, validate
from outlap.footage.focal import estimate_focal
from outlap.footage.horizon import estimate_horizon
from outlap.footage.tub import Tub
from outlap.vehicle.car import Camera

# Of the usual wide-angle cameras of such cars; a shorter focal length than the true one costs less than a longer one.
USUAL_FOCAL = 0.45  # pixels a radian ÷ picture width
USUAL_PITCH = 0.25  # rad

# Of an estimated focal length, to be on the safe side: on both cars of docs/footage.md policies steered as well or
# better with a focal length 10 to 30% too short, and much worse with one 18% too long.
SHORTER = 0.85
COVERED = 0.9  # part of the view that an estimated lens should see
STRETCH = 0.7  # of the focal length, at least, that is kept to that end
STEPS = 13


@dataclass(frozen=True)
class Known:
    """What is known of a camera; None is estimated."""

    focal: float | None = None  # pixels a radian ÷ picture width
    pitch: float | None = None  # rad, positive looks down
    height: float | None = None  # m, above the ground


@dataclass(frozen=True)
class Mounted:
    """A recording's camera, and where its numbers come from."""

    camera: Camera
    says: str


def read_camera(path: Path) -> Camera:
    """Read a camera: a car file, or a file with the keys of a car file's ``camera`` alone.

    Raises:
        OutlapError: the file is refused.
    """
    try:
        content = yaml.load(read_bytes(path, "camera file").decode(), Loader=YAML_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OutlapError(f"{path}: the camera file is not valid YAML.") from error
    if isinstance(content, dict) and "camera" in content:
        content = content["camera"]
    return validate(content, Camera, str(path), "camera file")


def mounted(tubs: list[Tub], view: View, known: Known | None = None) -> Mounted:
    """The camera of ``tubs``, which are taken to be by one car; see the module's description.

    Raises:
        OutlapError: not one picture can be decoded, or a number makes no camera.
    """
    known = known or Known()
    width, height = picture_size(tubs)
    says = []
    focal, pitch = known.focal, known.pitch
    if focal is None:
        found = estimate_focal(tubs)
        says.append(
            f"focal length {SHORTER:g} of the {found:.3f} from its laps"
            if found
            else "focal length not to be told from laps: the usual one"
        )
        focal = SHORTER * found if found else USUAL_FOCAL
    if pitch is None:
        horizon = estimate_horizon(tubs)
        says.append("pitch " + ("from its motion" if horizon is not None else "not to be told: the usual one"))
        pitch = USUAL_PITCH if horizon is None else (0.5 - horizon) * height / (focal * width)
    size = (width, height)
    if known.focal is not None or known.pitch is not None:
        return Mounted(_camera(focal, pitch, known, view, size), "; ".join(says) or "given")
    camera = widened(focal, pitch, known, view, size)
    if camera.lens.fx < 0.99 * focal * width:
        says.append(f"{focal:.3f} stretched, to fill the view")
    return Mounted(camera, "; ".join(says))


def widened(focal: float, pitch: float, known: Known, view: View, size: tuple[int, int]) -> Camera:
    """A camera of ``focal`` and ``pitch``, or a wider one with the same horizon if it fills too little of the view."""
    cameras = (_camera(focal * part, pitch / part, known, view, size) for part in np.linspace(1, STRETCH, STEPS))
    camera = next(cameras)
    while Warp(camera, view).coverage < COVERED and (wider := next(cameras, None)) is not None:
        camera = wider
    return camera


def _camera(focal: float, pitch: float, known: Known, view: View, size: tuple[int, int]) -> Camera:
    width, height = size
    content = {
        "x": 0.0,
        "height": known.height or view.camera_height,
        "pitch": pitch if known.pitch is not None else float(np.clip(pitch, -0.5, 1.2)),
        "rate": 20.0,
        "lens": {
            "model": "fisheye",
            "width": width,
            "height": height,
            "fx": focal * width,
            "fy": focal * width,
            "cx": (width - 1) / 2,
            "cy": (height - 1) / 2,
        },
    }
    return validate(content, Camera, "the camera given by --focal, --pitch and --camera-height", "camera")


def picture_size(tubs: list[Tub]) -> tuple[int, int]:
    """Width and height of most of some pictures, in pixels.

    Raises:
        OutlapError: not one can be decoded.
    """
    some = [(tub, int(row)) for tub in tubs for row in np.unique(np.linspace(0, len(tub) - 1, 15).astype(int))]
    every = ((tub, row) for tub in tubs for row in range(len(tub)))
    sizes = Counter(filter(None, (_size(tub, row) for tub, row in some)))
    found = sizes.most_common(1)[0][0] if sizes else next(filter(None, (_size(*place) for place in every)), None)
    if found is None:
        raise OutlapError(f"{tubs[0].folder}: no picture can be read; {tubs[0].picture(0)}.")
    return found


def _size(tub: Tub, row: int) -> tuple[int, int] | None:
    picture = tub.picture(row)
    return None if isinstance(picture, str) else (picture.shape[1], picture.shape[0])
