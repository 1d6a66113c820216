"""Guides a person who holds a board before the camera, or lays it on the floor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from outlap.calibration.board import Board, Grey, Seen
from outlap.calibration.dialog import Dialog
from outlap.calibration.gather import STILL, Gatherer, check_mirror
from outlap.calibration.lens import LensFit
from outlap.calibration.mount import MountFound
from outlap.drivers.v4l2 import V4l2Camera
from outlap.errors import OutlapError
from outlap.vehicle.car import Lens

WAITS = 0.5  # s for a picture
PATIENCE = 120  # waits without one
SHOTS = 5  # pictures of the board at one place
PLACES = 3  # on the floor, at least

Pictures = Iterator[Grey | None]  # none: no new one came


def live(camera: V4l2Camera, dialog: Dialog) -> Pictures:
    """The camera's pictures in grey, for ever.

    Raises:
        OutlapError: none comes any more.
    """
    missed = 0
    while missed < PATIENCE:
        try:
            frame = camera.next(WAITS)
        except OutlapError:
            continue  # a damaged one
        if frame is None:
            missed += 1
            dialog.status(camera.problem or "no pictures yet")
            yield None
            continue
        missed = 0
        pixels = frame.pixels
        yield pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    raise OutlapError(camera.problem or "the camera sends no pictures.")


def gather(dialog: Dialog, pictures: Pictures, board: Board) -> Gatherer:
    """Gather pictures for a lens until there are enough, or the person presses Enter.

    Raises:
        OutlapError: the camera is lost, or its pictures are mirrored.
        CancelledError: the person gave up.
    """
    dialog.task(
        "show",
        "Hold the board still before the camera, for half a second each time: near and far, tilted by 30 to 45° to all "
        "sides, and in every corner of the picture. Pictures are taken by themselves. Enter: enough; q: give up.",
    )
    gatherer = Gatherer(board, stream=True)
    for picture in pictures:
        if picture is not None:
            told = gatherer.offer(picture)
            if told == "kept":
                dialog.say("\n".join([f"{len(gatherer.views)} pictures; what they cover:", *_framed(gatherer.map())]))
            dialog.status(f"{len(gatherer.views)} pictures: {told}")
        if dialog.key(0.0) == "enter" or gatherer.enough:
            break
        if gatherer.mirrored > 20:
            check_mirror(gatherer)
    check_mirror(gatherer)
    if board.kind == "chessboard":
        _check_side(dialog, pictures, board)
    return gatherer


def place_boards(dialog: Dialog, pictures: Pictures, board: Board) -> tuple[list[list[Seen]], float | None]:
    """Pictures of the board at several places on the floor; and how far ahead the first one was, if that was measured.

    Raises:
        OutlapError: the camera is lost.
        CancelledError: the person gave up.
    """
    measured = dialog.choose(
        "measure",
        "Can you lay the board straight ahead of the car, and measure how far? Then yaw and x are found, too.",
        {"y": "yes", "n": "no, only height, pitch and roll"},
    )
    ahead = None
    if measured == "y":
        ahead = 0.01 * dialog.number(
            "ahead",
            "Lay it flat on the floor, its middle exactly before the middle of the car, as near as it is seen wholly. "
            "How many cm are from the rear axle to the board's middle?",
            5,
            200,
        )
    placements: list[list[Seen]] = []
    while True:
        dialog.confirm(f"lay{len(placements)}", "The board lies flat on the floor, wholly seen, and nothing moves?")
        placements.append(_shots(dialog, pictures, board))
        left = PLACES - len(placements)
        choices = {"a": "another place"} | ({} if left > 0 else {"d": "done"})
        if dialog.choose("more", "Now lay it somewhere else, turned.", choices) == "d":
            return placements, ahead


def lens_rows(fit: LensFit, before: Lens) -> list[tuple[str, str]]:
    """What to tell of a lens."""
    lens = fit.lens
    return [
        ("model", f"{lens.model} (before: {before.model})"),
        ("focal length", f"{lens.fx:.2f} × {lens.fy:.2f} pixels ± {100 * fit.sigma:.2f}%"),
        ("middle", f"{lens.cx:.1f}, {lens.cy:.1f} pixels of {lens.width}x{lens.height}"),
        ("error of a corner", f"{fit.rms:.3f} pixels rms; {fit.checked:.3f} in pictures that it was not fitted to"),
        ("pictures", f"{len(fit.kept)}, which cover {fit.coverage:.0%} of the picture"),
    ]


def mount_rows(found: MountFound) -> list[tuple[str, str, str]]:
    """What to tell of a mount: name, value with 2 sigma, and each place's own."""
    rows = []
    for index, name in enumerate(("height", "pitch", "roll", "yaw", "x")):
        value = getattr(found, name)
        if value is None:
            continue
        scale, unit = (1000, "mm") if name in ("height", "x") else (180 / np.pi, "°")
        digits = 1 if unit == "mm" else 2
        each = " ".join(f"{scale * one[index]:.{digits}f}" for one in found.each) if index < 3 else ""
        rows.append((name, f"{scale * value:.{digits}f} ± {2 * scale * found.sigma[name]:.{digits}f} {unit}", each))
    return rows


def _shots(dialog: Dialog, pictures: Iterable[Grey | None], board: Board) -> list[Seen]:
    """Some pictures in a row in which the board lies still."""
    found: list[Seen] = []
    for picture in pictures:
        if picture is None:
            continue
        seen = board.find(picture)
        same = seen is not None and found and len(seen.points) == len(found[-1].points)
        if seen is None:
            dialog.status("no board: is it seen wholly, large enough, and in good light?")
            found = []
        elif same and np.abs(seen.pixels - found[-1].pixels).max() > max(STILL * picture.shape[1], 1.0):
            found = [seen]
        else:
            found.append(seen)
            dialog.status(f"{len(found)} of {SHOTS}")
        dialog.key(0.0)
        if len(found) >= SHOTS:
            break
    return found


def _check_side(dialog: Dialog, pictures: Pictures, board: Board) -> None:
    """A chessboard looks the same in a mirror: ask the person for its place."""
    dialog.confirm("left", "Is the picture mirrored? Hold the board well to the LEFT, as the driver sees it.")
    for picture in pictures:
        seen = None if picture is None else board.find(picture)
        dialog.key(0.0)
        if picture is None or seen is None:
            dialog.status("no board")
            continue
        if seen.pixels[:, 0].mean() > picture.shape[1] / 2:
            raise OutlapError(
                "the board is right of the middle in the picture, which is mirrored: switch the camera's horizontal "
                "flip off, or left and right would be exchanged."
            )
        return


def _framed(rows: list[str]) -> list[str]:
    line = f"+{'-' * len(rows[0])}+"
    return [line, *(f"|{row}|" for row in rows), line]
