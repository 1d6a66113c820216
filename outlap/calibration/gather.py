"""Chooses pictures of a board from a stream: those where it is held still, somewhere new; and shows what is covered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.calibration.board import Board, Grey, Seen
from outlap.calibration.lens import CELLS, coverage
from outlap.camera.capturing import open_capture
from outlap.errors import OutlapError
from outlap.files import read_bytes

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".tif", ".tiff")
STILL = 0.004  # picture widths from one frame to the next
STEADY = 3  # frames in a row
NEW = 0.06  # picture widths, by which the board must have moved from every picture that was kept
ENOUGH, COVERED = 25, 0.8  # pictures; part of the picture's cells
SHADES = " .:+#"  # of a cell that nothing, little … or much was seen in


class Gatherer:
    """The pictures that were kept so far.

    Args:
        board: that is looked for.
        stream: whether pictures follow each other, so that the board must be held still; else each stands for itself.

    Attributes:
        mirrored: how many pictures showed the board in a mirror.
    """

    def __init__(self, board: Board, stream: bool) -> None:
        self.views: list[Seen] = []
        self.size = (0, 0)  # pixels, of all pictures
        self.mirrored = 0
        self._board, self._stream = board, stream
        self._places: list[NDArray[np.float64]] = []  # of the board's outermost corners
        self._last: NDArray[np.float64] | None = None
        self._still = 0

    def offer(self, picture: Grey) -> str:
        """Look at a picture; says in a word or two what became of it, ``kept`` being the best.

        Raises:
            OutlapError: it is of another size than those before.
        """
        size = (picture.shape[1], picture.shape[0])
        if self.size not in ((0, 0), size):
            raise OutlapError(
                f"pictures of {self.size[0]}x{self.size[1]} and of {size[0]}x{size[1]} pixels: give one size."
            )
        self.size = size
        seen = self._board.find(picture)
        if (seen is None or len(seen.points) < len(self._board.points)) and self._board.mirrored(picture):
            self._last, self._still = None, 0
            self.mirrored += 1
            return "mirrored"
        if seen is None:
            self._last, self._still = None, 0
            return "no board"
        place = _outline(self._board, seen)
        moved = np.inf if self._last is None else np.abs(place - self._last).max() / size[0]
        self._last, self._still = place, self._still + 1 if moved < STILL else 0
        if self._stream and self._still < STEADY:
            return "hold still"
        if any(np.linalg.norm(place - other, axis=1).mean() < NEW * size[0] for other in self._places):
            return "move on"
        self._places.append(place)
        self.views.append(seen)
        return "kept"

    @property
    def enough(self) -> bool:
        """Whether a lens can be fitted well."""
        return len(self.views) >= ENOUGH and float((coverage(self.views, self.size) > 0).mean()) >= COVERED

    def map(self) -> list[str]:
        """What of the picture is covered, as rows of text."""
        counts = coverage(self.views, self.size) if self.views else np.zeros(CELLS[::-1], np.int64)
        shades = np.minimum(np.ceil(counts / 8), len(SHADES) - 1).astype(int)
        return ["".join(2 * SHADES[shade] for shade in row) for row in shades]


def check_mirror(gatherer: Gatherer) -> None:
    """See that the pictures are not in a mirror.

    Raises:
        OutlapError: they are.
    """
    if gatherer.mirrored > len(gatherer.views):
        raise OutlapError(
            "the pictures are mirrored: switch the camera's horizontal flip off, or left and right would be exchanged."
        )


def read_pictures(place: Path) -> Iterator[Grey]:
    """The pictures of a folder, by name, or the frames of a video, in grey.

    Raises:
        OutlapError: there are none, or one cannot be read.
    """
    if place.is_dir():
        paths = sorted(path for path in place.iterdir() if path.suffix.lower() in PICTURES)
        if not paths:
            raise OutlapError(f"{place}: no pictures ({', '.join(PICTURES)}) in this folder.")
        for path in paths:
            content = np.frombuffer(read_bytes(path, "picture"), np.uint8)
            picture = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) if len(content) else None
            if picture is None:
                raise OutlapError(f"{path}: this picture cannot be decoded.")
            yield picture.astype(np.uint8, copy=False)
        return
    if not place.is_file():
        raise OutlapError(f"--pictures {place}: there is no such folder or video.")
    video = open_capture(str(place), cv2.CAP_FFMPEG)
    try:
        if not video.isOpened():
            raise OutlapError(f"{place}: this video cannot be read.")
        while True:
            got, picture = video.read()
            if not got:
                return
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    finally:
        video.release()


def _outline(board: Board, seen: Seen) -> NDArray[np.float64]:
    """Where the four outermost corners are in the picture, (4, 2), also where they are hidden."""
    across, down = board.corners
    outer = board.points[[0, across - 1, across * (down - 1), across * down - 1]]
    found, _ = cv2.findHomography(seen.points[:, :2], seen.pixels)
    if found is None:
        return np.tile(seen.pixels.mean(axis=0), (4, 1))
    return cv2.perspectiveTransform(outer[None, :, :2], found)[0]
