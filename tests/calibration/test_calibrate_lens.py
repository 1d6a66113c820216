"""Hidden lenses are found from rendered pictures; bad pictures are dropped, and what is not good enough refused."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from outlap.calibration.board import DEFAULT, Seen, parse_board
from outlap.calibration.fakes.pictures import Photographer
from outlap.calibration.fakes.sights import direction_error
from outlap.calibration.gather import Gatherer, check_mirror
from outlap.calibration.lens import coverage, fit_best, fit_lens
from outlap.camera.model import project
from outlap.errors import OutlapError
from outlap.vehicle.car import Lens

SIZE = (320, 240)
FISHEYE = Lens(
    model="fisheye",
    width=320,
    height=240,
    fx=165.0,
    fy=166.0,
    cx=161.5,
    cy=117.0,
    distortion=(-0.03, 0.005, -0.004, 0.001),
)
PINHOLE = Lens(
    model="pinhole",
    width=320,
    height=240,
    fx=260.0,
    fy=261.0,
    cx=157.0,
    cy=121.0,
    distortion=(-0.3, 0.1, 0.001, -0.001, 0.0),
)


@cache
def pictured(lens: Lens, count: int = 16, board: str = DEFAULT) -> tuple[Seen, ...]:
    """What is found in rendered pictures."""
    pattern = parse_board(board)
    photographer = Photographer(lens, pattern, np.random.default_rng(7))
    found = (pattern.find(photographer.held()) for _ in range(count))
    return tuple(seen for seen in found if seen is not None)


@pytest.mark.slow
@pytest.mark.parametrize("lens", [FISHEYE, PINHOLE], ids=lambda lens: lens.model)
def test_a_hidden_lens_is_found_and_its_model_told(lens: Lens) -> None:
    fit = fit_best(pictured(lens), SIZE)
    assert fit.problems == []
    assert fit.lens.model == lens.model
    assert (fit.lens.fx + fit.lens.fy) / (lens.fx + lens.fy) == pytest.approx(1, abs=0.005)
    assert np.hypot(fit.lens.cx - lens.cx, fit.lens.cy - lens.cy) < 1.5
    assert direction_error(lens, fit.lens) < np.radians(1.0)
    assert fit.rms < 0.3
    assert fit.checked < 0.4
    assert fit.sigma < 0.005


def test_a_chessboard_does_as_well() -> None:
    fit = fit_lens(pictured(PINHOLE, board="chessboard:8x5:0.03"), SIZE, "pinhole")
    assert fit.lens.fx == pytest.approx(PINHOLE.fx, rel=0.005)


def exact(lens: Lens, count: int, tilt: float, far: float = 0.35) -> list[Seen]:
    """Corners without a picture: tilted by up to ``tilt`` rad, ``far`` m away or somewhat more."""
    import cv2

    rng, board, found = np.random.default_rng(2), parse_board("chessboard:8x5:0.03"), []
    while len(found) < count:
        turn = cv2.Rodrigues(rng.uniform(-tilt, tilt, 3))[0]
        place = np.array([*rng.uniform(-0.35, 0.35, 2), rng.uniform(far, 1.4 * far)])
        pixels = project(lens, board.points @ turn.T + place)
        if np.all((pixels > 0) & (pixels < np.array(SIZE) - 1)):
            found.append(Seen(board.points, pixels + rng.normal(0, 0.05, pixels.shape)))
    return found


def test_bad_pictures_are_dropped() -> None:
    views = exact(PINHOLE, 18, 0.6)
    rng = np.random.default_rng(0)
    bad = [3, 11]
    for place in bad:
        views[place] = Seen(views[place].points, views[place].pixels + rng.normal(0, 4, views[place].pixels.shape))
    fit = fit_lens(views, SIZE, "pinhole")
    assert sorted(set(range(18)) - set(fit.kept)) == bad
    assert fit.lens.fx == pytest.approx(PINHOLE.fx, rel=0.003)
    assert fit.rms < 0.15


def test_a_board_that_is_never_tilted_or_moved_is_not_enough() -> None:
    problems = " ".join(fit_lens(exact(PINHOLE, 1, 0.01, far=1.5) * 12, SIZE, "pinhole").problems)
    assert "tilt the board more" in problems
    assert "edges and corners" in problems


def test_a_wrong_board_is_told() -> None:
    rng = np.random.default_rng(1)
    views = [Seen(view.points, view.pixels + rng.normal(0, 3, view.pixels.shape)) for view in exact(PINHOLE, 12, 0.5)]
    assert "corners are off by" in " ".join(fit_lens(views, SIZE, "pinhole").problems)


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(OutlapError, match="found in 3 pictures: at least 8"):
        fit_lens(exact(PINHOLE, 3, 0.5), SIZE, "pinhole")


def test_pictures_are_taken_of_a_board_that_is_still_and_somewhere_new() -> None:
    board = parse_board(DEFAULT)
    photographer = Photographer(PINHOLE, board, np.random.default_rng(3))
    here, there = photographer.held(), photographer.held()
    nothing = np.full((240, 320), 90, np.uint8)
    gatherer = Gatherer(board, stream=True)
    told = [gatherer.offer(picture) for picture in (nothing, *[here] * 5, *[there] * 4, here)]
    assert told == ["no board", *["hold still"] * 3, "kept", "move on", *["hold still"] * 3, "kept", "hold still"]
    assert not gatherer.enough
    assert sum(map(len, gatherer.map())) == 6 * 16
    assert any(row.strip() for row in gatherer.map())
    assert coverage(gatherer.views, gatherer.size).sum() == sum(len(view.points) for view in gatherer.views)
    with pytest.raises(OutlapError, match="320x240 and of 160x120 pixels"):
        gatherer.offer(np.zeros((120, 160), np.uint8))


def test_mirrored_pictures_are_told() -> None:
    board = parse_board(DEFAULT)
    photographer = Photographer(PINHOLE, board, np.random.default_rng(3))
    gatherer = Gatherer(board, stream=False)
    assert gatherer.offer(np.ascontiguousarray(photographer.held()[:, ::-1])) == "mirrored"
    with pytest.raises(OutlapError, match="horizontal flip off"):
        check_mirror(gatherer)
