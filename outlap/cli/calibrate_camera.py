"""``outlap calibrate lens``, ``mount`` and ``board``: what needs no motor."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from outlap.errors import OutlapError

if TYPE_CHECKING:
    from outlap.calibration.board import Board, Seen
    from outlap.calibration.carfile import Changes
    from outlap.calibration.dialog import Dialog
    from outlap.calibration.gather import Gatherer
    from outlap.calibration.lens import LensFit
    from outlap.vehicle.car import Camera, Lens

ModelChoice = Literal["auto", "pinhole", "fisheye"]


def sized(camera: Camera, size: str) -> Camera:
    """The camera with pictures of another size, ``WIDTHxHEIGHT``; empty: as it is.

    Raises:
        OutlapError: that is no size.
    """
    if not size:
        return camera
    given = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size)
    if given is None or not all(16 <= int(part) <= 4096 for part in given.groups()):
        raise OutlapError(f"--size {size!r}: give WIDTHxHEIGHT in pixels, such as 640x480.")
    lens = camera.lens.model_copy(update={"width": int(given[1]), "height": int(given[2])})
    return camera.model_copy(update={"lens": lens})


def gather_pictures(folder: Path, board: Board) -> Gatherer:
    """The board in the pictures of a folder or video.

    Raises:
        OutlapError: they cannot be read, or are mirrored.
    """
    from outlap.calibration.gather import Gatherer, check_mirror, read_pictures

    gatherer = Gatherer(board, stream=not folder.is_dir())
    for picture in read_pictures(folder):
        gatherer.offer(picture)
    check_mirror(gatherer)
    return gatherer


def gather_live(camera: Camera, board: Board, dialog: Dialog) -> Gatherer:
    """The board, shown to the car's camera."""
    from outlap.calibration.looking import gather, live
    from outlap.drivers.v4l2 import V4l2Camera

    source = V4l2Camera(camera, dialog.say)
    try:
        return gather(dialog, live(source, dialog), board)
    finally:
        source.close()


def place_live(camera: Camera, board: Board, dialog: Dialog) -> tuple[list[list[Seen]], float | None]:
    """The board, laid before the car's camera."""
    from outlap.calibration.looking import live, place_boards
    from outlap.drivers.v4l2 import V4l2Camera

    source = V4l2Camera(camera, dialog.say)
    try:
        return place_boards(dialog, live(source, dialog), board)
    finally:
        source.close()


def placed_pictures(folder: Path, board: Board, lens: Lens) -> list[list[Seen]]:
    """The board in pictures, each of another place on the floor; empty where it was not found.

    Raises:
        OutlapError: they are of another size than the lens, or cannot be read.
    """
    from outlap.calibration.gather import read_pictures

    placements = []
    for picture in read_pictures(folder):
        height, width = picture.shape
        if (width, height) != (lens.width, lens.height):
            raise OutlapError(
                f"--pictures {folder}: {width}x{height} pixels, but the car file's camera.lens is for "
                f"{lens.width}x{lens.height}: calibrate the lens with such pictures first."
            )
        if board.mirrored(picture):
            raise OutlapError(f"--pictures {folder}: they are mirrored: switch the camera's horizontal flip off.")
        seen = board.find(picture)
        placements.append([] if seen is None else [seen])
    return placements


def fitted(gatherer: Gatherer, model: ModelChoice) -> LensFit:
    """The lens that the gathered pictures tell.

    Raises:
        OutlapError: they tell none, or none that is good enough; the message says what to do.
    """
    from outlap.calibration.lens import fit_best, fit_lens

    fit = fit_best(gatherer.views, gatherer.size) if model == "auto" else fit_lens(gatherer.views, gatherer.size, model)
    if fit.problems:
        raise OutlapError(f"this lens is not good enough to be written: {'; '.join(fit.problems)}.")
    return fit


def lens_changes(lens: Lens) -> Changes:
    """Of the car file."""
    content = lens.model_dump()
    values = {name: content[name] for name in ("model", "width", "height", "fx", "fy", "cx", "cy")}
    values["distortion"] = list(lens.distortion)
    return {("camera", "lens", name): value for name, value in values.items()}
