"""The board: described, drawn at true scale, found again."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from outlap.calibration.board import DEFAULT, parse_board, svg
from outlap.errors import OutlapError

BOARDS = (DEFAULT, "chessboard:8x5:0.03")


def raster(text: str, scale: float) -> np.ndarray:
    """An SVG of rectangles as pixels, ``scale`` to the mm."""
    header = re.search(r'width="([\d.]+)mm" height="([\d.]+)mm"', text)
    assert header is not None
    width, height = (round(scale * float(header[i])) for i in (1, 2))
    picture = np.full((height, width), 255, np.uint8)
    for numbers in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/>', text):
        x, y, w, h = (scale * float(number) for number in numbers)
        picture[round(y) : round(y + h), round(x) : round(x + w)] = 0
    return picture


@pytest.mark.parametrize("described", BOARDS)
def test_the_printed_board_is_found_at_its_true_size(described: str) -> None:
    board, scale = parse_board(described), 4.0
    picture = raster(svg(board), scale)
    assert picture.shape[1] / scale <= 297 and picture.shape[0] / scale <= 210  # A4
    seen = board.find(picture)
    assert seen is not None
    assert len(seen.points) == len(board.points)
    middle = np.array(picture.shape[::-1]) / 2 - 0.5
    # A chessboard may be found upside down, where that looks the same.
    turn = 1 if board.kind == "charuco" or seen.pixels[0, 0] < middle[0] else -1
    expected = middle + 1000 * scale * seen.points[:, :2] * turn
    assert np.abs(seen.pixels - expected).max() < 1.0


@pytest.mark.parametrize("described", BOARDS)
def test_a_small_picture_is_enlarged(described: str) -> None:
    board = parse_board(described)
    large = cv2.GaussianBlur(raster(svg(board), 4.0), (0, 0), 2.0)
    width = 220 if board.kind == "charuco" else 160
    small = cv2.resize(large, (width, round(width * large.shape[0] / large.shape[1])), interpolation=cv2.INTER_AREA)
    seen, same = board.find(small.astype(np.uint8)), board.find(large)
    assert seen is not None and same is not None
    factor = large.shape[1] / width
    order = [np.flatnonzero(np.all(np.isclose(same.points, point), axis=1))[0] for point in seen.points]
    assert np.abs((seen.pixels + 0.5) * factor - 0.5 - same.pixels[order]).max() < 0.35 * factor


def test_a_mirror_shows_in_markers_only() -> None:
    markers, chessboard = (parse_board(described) for described in BOARDS)
    picture = raster(svg(markers), 4.0)
    assert not markers.mirrored(picture)
    assert markers.mirrored(picture[:, ::-1].copy())
    assert not chessboard.mirrored(raster(svg(chessboard), 3.0)[:, ::-1].copy())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "board",
        "chessboard:9x6",
        "chessboard:9x6:0",
        "chessboard:9by6:0.03",
        "chessboard:2x6:0.03",
        "charuco:7x5:0.03",
        "charuco:7x5:0.03:0.03",
        "charuco:20x20:0.03:0.02",
        "chessboard:9x6:nan",
        "chessboard:9x6:0.02:0.01",
    ],
)
def test_what_describes_no_board_is_refused(text: str) -> None:
    with pytest.raises(OutlapError, match="--board"):
        parse_board(text)
