"""The calibration board: a chessboard, or one with markers (ChArUco); found in pictures, and drawn to be printed.

A board's own axes: x to the right and y down as it is printed, z into the paper; the origin is the pattern's middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.errors import OutlapError

Array = NDArray[np.float64]
Grey = NDArray[np.uint8]

FORM = "chessboard:COLUMNSxROWS:SQUARE (inner corners, m) or charuco:COLUMNSxROWS:SQUARE:MARKER (squares, m)"
DEFAULT = "charuco:6x4:0.045:0.034"  # fits on A4 and on Letter paper
MARGIN = 7.0  # mm, of white around the pattern
DICTIONARY = cv2.aruco.DICT_4X4_50  # 50 markers of 4x4 bits: few and large, so that small pictures show them
MARKER_BITS = 6  # across: 4 of the code, and the border's on each side
WINDOW = 53  # pixels, of the widest threshold; OpenCV's 23 loses sharp, large markers
LEAST = 8  # corners; fewer tell too little
ENLARGED = 480  # pixels, to which narrower pictures are enlarged first: corners a few pixels apart are lost otherwise
ITERATIONS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 40, 1e-3)


class Seen(NamedTuple):
    """A board in one picture."""

    points: Array  # (n, 3) m, corners in the board's axes
    pixels: Array  # (n, 2), where they are in the picture; (0, 0) is the middle of the first pixel


@dataclass(frozen=True)
class Board:
    """A board as it was printed; lengths in m."""

    kind: str  # chessboard or charuco
    columns: int  # of inner corners, or of squares of a ChArUco
    rows: int
    square: float
    marker: float = 0.0

    @property
    def corners(self) -> tuple[int, int]:
        """Inner corners across and down."""
        less = 0 if self.kind == "chessboard" else 1
        return self.columns - less, self.rows - less

    @property
    def squares(self) -> tuple[int, int]:
        """Squares across and down."""
        across, down = self.corners
        return across + 1, down + 1

    @property
    def points(self) -> Array:
        """All inner corners, (n, 3), row by row."""
        across, down = self.corners
        x, y = np.meshgrid(np.arange(across) - (across - 1) / 2, np.arange(down) - (down - 1) / 2)
        return np.array(self.square * np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1), np.float64)

    def find(self, picture: Grey) -> Seen | None:
        """The board in a grey picture; a ChArUco may be hidden in part."""
        times = int(np.ceil(ENLARGED / picture.shape[1]))
        large = picture if times == 1 else cv2.resize(picture, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
        large = large.astype(np.uint8, copy=False)
        seen = _find_chessboard(self, large) if self.kind == "chessboard" else _find_markers(self, large)
        return None if seen is None else Seen(seen.points, (seen.pixels + 0.5) / times - 0.5)

    def mirrored(self, picture: Grey) -> bool:
        """Whether the picture shows the board in a mirror; a chessboard cannot tell."""
        if self.kind == "chessboard":
            return False
        plain, flipped = self.find(picture), self.find(np.ascontiguousarray(picture[:, ::-1]))
        # Some of the markers look like others in a mirror, but only some.
        return flipped is not None and (plain is None or len(flipped.points) > len(plain.points))

    def drawn(self, pixels: int) -> Grey:
        """The pattern, ``pixels`` to a square, without a margin."""
        across, down = self.squares
        if self.kind == "charuco":
            return self.charuco.generateImage((across * pixels, down * pixels), marginSize=0, borderBits=1).astype(
                np.uint8
            )
        dark = np.add.outer(np.arange(down), np.arange(across)) % 2 == 0
        return np.kron(np.where(dark, 0, 255), np.ones((pixels, pixels))).astype(np.uint8)

    @property
    def charuco(self) -> cv2.aruco.CharucoBoard:
        """OpenCV's description."""
        dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square, self.marker, dictionary)


def parse_board(text: str) -> Board:
    """A board from its description, see ``FORM``.

    Raises:
        OutlapError: it describes none.
    """
    kind, *parts = text.split(":")
    try:
        columns, rows = (int(part) for part in parts[0].split("x"))
        lengths = [float(part) for part in parts[1:]]
    except (ValueError, IndexError):
        raise OutlapError(f"--board {text!r}: give {FORM}.") from None
    if kind not in ("chessboard", "charuco") or len(lengths) != (1 if kind == "chessboard" else 2):
        raise OutlapError(f"--board {text!r}: give {FORM}.")
    if not (3 <= columns <= 40 and 3 <= rows <= 40 and 0.001 <= lengths[0] <= 0.5):
        raise OutlapError(f"--board {text!r}: 3 to 40 across and down, squares of 0.001 to 0.5 m.")
    if kind == "chessboard":
        return Board(kind, columns, rows, lengths[0])
    if not 0.3 * lengths[0] <= lengths[1] <= 0.95 * lengths[0]:
        raise OutlapError(f"--board {text!r}: a marker is 0.3 to 0.95 of its square.")
    if columns * rows // 2 > 50:
        raise OutlapError(f"--board {text!r}: there are only 50 markers, which is for 100 squares.")
    return Board(kind, columns, rows, *lengths)


def svg(board: Board) -> str:
    """The board as an SVG picture at true scale, with a line of 100 mm to check it by."""
    across, down = board.squares
    size = 1000 * board.square  # mm
    width, height = across * size + 2 * MARGIN, down * size + 2 * MARGIN
    dark = np.add.outer(np.arange(down), np.arange(across)) % 2 == 0
    shapes = _rectangles(dark, size, MARGIN, MARGIN)
    if board.kind == "charuco":
        dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
        bit = 1000 * board.marker / MARKER_BITS
        inset = (size - 1000 * board.marker) / 2
        for number, (row, column) in enumerate(np.argwhere(~dark)):
            marker = cv2.aruco.generateImageMarker(dictionary, number, MARKER_BITS) == 0
            shapes += _rectangles(marker, bit, MARGIN + column * size + inset, MARGIN + row * size + inset)
    low = height - MARGIN / 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} '
        f'{height:g}"><rect width="100%" height="100%" fill="white"/>{"".join(shapes)}'
        f'<path d="M{MARGIN:g},{low:g} h100 m-100,-2 v4 m100,0 v-4" stroke="black" stroke-width="0.3" fill="none"/>'
        f'<text x="{MARGIN + 103:g}" y="{low + 1:g}" font-size="4" font-family="sans-serif">100 mm</text></svg>\n'
    )


def _rectangles(dark: NDArray[np.bool_], size: float, left: float, top: float) -> list[str]:
    return [
        f'<rect x="{left + column * size:.4f}" y="{top + row * size:.4f}" width="{size:.4f}" height="{size:.4f}"/>'
        for row, column in np.argwhere(dark)
    ]


def _find_chessboard(board: Board, picture: Grey) -> Seen | None:
    across, down = board.corners
    flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
    found, pixels = cv2.findChessboardCorners(picture, (across, down), flags=flags)
    if not found:
        return None
    grid = pixels.reshape(down, across, 2).astype(np.float64)
    # Half the shortest side of a square, so that the window of the search holds no second corner.
    sides = [np.linalg.norm(np.diff(grid, axis=axis), axis=2).min() for axis in (0, 1)]
    window = int(np.clip(min(sides) / 2.5, 2, 11))
    fine = cv2.cornerSubPix(picture, pixels, (window, window), (-1, -1), ITERATIONS).reshape(down, across, 2)
    a, b = fine[0, -1] - fine[0, 0], fine[-1, 0] - fine[0, 0]
    if a[0] * b[1] - a[1] * b[0] < 0:  # counted as in a mirror, which the pattern allows
        fine = fine[::-1]
    return Seen(board.points, fine.reshape(-1, 2).astype(np.float64))


def _find_markers(board: Board, picture: Grey) -> Seen | None:
    settings = cv2.aruco.DetectorParameters()
    settings.adaptiveThreshWinSizeMax = WINDOW
    pixels, numbers, _, _ = cv2.aruco.CharucoDetector(
        board.charuco, cv2.aruco.CharucoParameters(), settings
    ).detectBoard(picture)
    if numbers is None or len(numbers) < LEAST:
        return None
    return Seen(board.points[numbers.ravel().astype(int)], pixels.reshape(-1, 2).astype(np.float64))
