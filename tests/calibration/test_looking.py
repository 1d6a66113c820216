"""A person is guided before the camera: pictures by themselves, a mirror found out, places on the floor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from outlap.calibration.board import DEFAULT, Grey, parse_board
from outlap.calibration.dialog import Unattended
from outlap.calibration.fakes.pictures import Photographer
from outlap.calibration.lens import fit_lens
from outlap.calibration.looking import gather, lens_rows, mount_rows, place_boards
from outlap.calibration.mount import find_mount
from outlap.errors import OutlapError
from outlap.vehicle.car import Lens, load_car

LENS = Lens(model="pinhole", width=320, height=240, fx=260.0, fy=260.0, cx=159.5, cy=119.5)
CHESSBOARD = "chessboard:8x5:0.03"


class Helper(Unattended):
    """Holds the board here and there, and lays it on the floor."""

    def __init__(self, enough: int = 10**6, ahead: float = 0.4) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self._enough, self._ahead = enough, ahead

    def say(self, text: str) -> None:
        self.said.append(text)

    def task(self, name: str, text: str) -> None:
        self.asked.append(name)

    def confirm(self, name: str, text: str) -> None:
        self.asked.append(name)

    def choose(self, name: str, question: str, choices: object) -> str:
        assert isinstance(choices, dict)
        return "d" if "d" in choices else next(iter(choices))

    def number(self, name: str, question: str, low: float, high: float) -> float:
        return 100 * self._ahead

    def key(self, seconds: float) -> str:
        return "enter" if len(self.said) >= self._enough else ""


def held(board: str, mirrored: bool = False) -> Iterator[Grey | None]:
    """Each pose for a few frames."""
    photographer = Photographer(LENS, parse_board(board), np.random.default_rng(9))
    while True:
        yield None
        picture = photographer.held()
        for _ in range(4):
            yield np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture


@pytest.mark.slow
def test_pictures_are_gathered_until_there_are_enough() -> None:
    helper = Helper()
    gatherer = gather(helper, held(DEFAULT), parse_board(DEFAULT))
    assert gatherer.enough
    assert len(helper.said) == len(gatherer.views) >= 25
    assert "what they cover" in helper.said[0]
    fit = fit_lens(gatherer.views, gatherer.size, "pinhole")
    assert fit.problems == []
    assert dict(lens_rows(fit, LENS))["model"] == "pinhole (before: pinhole)"


def test_enter_ends_it_early() -> None:
    assert len(gather(Helper(enough=3), held(DEFAULT), parse_board(DEFAULT)).views) == 3


def test_a_mirror_is_told_of_a_board_with_markers() -> None:
    with pytest.raises(OutlapError, match="pictures are mirrored"):
        gather(Helper(), held(DEFAULT, mirrored=True), parse_board(DEFAULT))


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_chessboard_has_to_be_held_to_the_left(mirrored: bool) -> None:
    board = parse_board(CHESSBOARD)
    photographer = Photographer(LENS, board, np.random.default_rng(1))
    left = photographer.take(np.eye(3), np.array([-0.15, 0.0, 0.6]))
    if mirrored:
        left = np.ascontiguousarray(left[:, ::-1])

    def frames() -> Iterator[Grey | None]:
        source = held(CHESSBOARD)
        while "left" not in helper.asked:
            yield next(source)
        while True:
            yield left

    helper = Helper(enough=1)
    if mirrored:
        with pytest.raises(OutlapError, match="right of the middle in the picture, which is mirrored"):
            gather(helper, frames(), board)
    else:
        assert gather(helper, frames(), board).views
        assert helper.asked == ["show", "left"]


def test_places_on_the_floor_are_asked_for_one_by_one() -> None:
    camera = load_car().camera.model_copy(
        update={"lens": LENS, "height": 0.16, "pitch": 0.4, "roll": 0.02, "yaw": 0.03, "x": 0.12}
    )
    board = parse_board(CHESSBOARD)
    photographer = Photographer(LENS, board, np.random.default_rng(1))
    places = [photographer.lying(camera, *place) for place in ((0.42, 0, 0.1), (0.44, 0.02, -0.2), (0.43, -0.02, 0.2))]
    helper = Helper(ahead=0.42)

    def frames() -> Iterator[Grey | None]:
        while True:
            yield places[min(len([name for name in helper.asked if name.startswith("lay")]), 3) - 1]

    placements, ahead = place_boards(helper, frames(), board)
    assert ahead == pytest.approx(0.42)
    assert [len(placement) for placement in placements] == [5, 5, 5]
    found = find_mount(placements, camera.model_copy(update={"height": 0.1, "pitch": 0.0}), ahead)
    assert found.height == pytest.approx(0.16, abs=0.002)
    assert found.yaw == pytest.approx(0.03, abs=0.01)
    assert [name for name, *_ in mount_rows(found)] == ["height", "pitch", "roll", "yaw", "x"]
