"""Hidden mounts are found from pictures of a board on the floor."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hidden_camera import AHEAD, LENS, PLACES, hidden_camera

from outlap.calibration.board import DEFAULT, Seen, parse_board
from outlap.calibration.fakes.pictures import Photographer
from outlap.calibration.mount import find_mount, usual_lens
from outlap.errors import OutlapError
from outlap.vehicle.car import Camera, load_car


@cache
def placed(camera: Camera, thickness: float = 0.0) -> tuple[tuple[Seen, ...], ...]:
    board = parse_board(DEFAULT)
    photographer = Photographer(camera.lens, board, np.random.default_rng(4))
    pictures = (photographer.lying(camera, *place, thickness) for place in PLACES)
    return tuple(() if (seen := board.find(picture)) is None else (seen,) for picture in pictures)


def written(camera: Camera) -> Camera:
    """What the car file says before: the lens and y, and nothing right besides."""
    return load_car().camera.model_copy(update={"lens": camera.lens, "y": camera.y})


@pytest.mark.slow
@pytest.mark.parametrize(
    "facts", [{"y": 0.006}, {"roll": 0.06, "yaw": -0.07, "y": -0.01, "height": 0.12, "pitch": 0.4}]
)
def test_a_hidden_mount_is_found(facts: dict[str, float]) -> None:
    camera = hidden_camera(**facts)
    found = find_mount(placed(camera), written(camera), AHEAD)
    assert found.height == pytest.approx(camera.height, abs=0.0015)
    assert found.pitch == pytest.approx(camera.pitch, abs=0.005)
    assert found.roll == pytest.approx(camera.roll, abs=0.004)
    assert found.yaw == pytest.approx(camera.yaw, abs=0.004)
    assert found.x == pytest.approx(camera.x, abs=0.002)
    assert len(found.each) == len(PLACES)
    assert 0 < found.sigma["height"] < 0.002
    assert found.sigma["yaw"] > 0.01  # the tape's part is in it
    assert set(found.changes()) == {("camera", name) for name in ("height", "pitch", "roll", "yaw", "x")}


def test_without_a_measured_place_it_tells_what_needs_none() -> None:
    camera = hidden_camera()
    found = find_mount(placed(camera), written(camera), None)
    assert found.height == pytest.approx(camera.height, abs=0.0015)
    assert (found.yaw, found.x) == (None, None)
    assert set(found.changes()) == {("camera", name) for name in ("height", "pitch", "roll")}


def test_a_thick_board_is_allowed_for() -> None:
    camera = hidden_camera()
    found = find_mount(placed(camera, 0.005), written(camera), AHEAD, thickness=0.005)
    assert found.height == pytest.approx(camera.height, abs=0.0012)


def test_a_board_of_another_size_or_nowhere_is_refused() -> None:
    camera = hidden_camera()
    with pytest.raises(OutlapError, match="not found"):
        find_mount([], written(camera), None)
    with pytest.raises(OutlapError, match="not found at the measured place"):
        find_mount([(), *placed(camera)[1:]], written(camera), AHEAD)
    rng = np.random.default_rng(0)
    spoilt = [
        tuple(Seen(seen.points, seen.pixels + rng.normal(0, 4, seen.pixels.shape)) for seen in views)
        for views in placed(camera)
    ]
    with pytest.raises(OutlapError, match="corners are off by"):
        find_mount(spoilt, written(camera), AHEAD)


def test_a_camera_upside_down_is_refused() -> None:
    camera = hidden_camera()
    turned = [
        tuple(Seen(seen.points, np.array([479, 359]) - seen.pixels) for seen in views) for views in placed(camera)
    ]
    with pytest.raises(OutlapError, match="upside down"):
        find_mount(turned, written(camera), None)


def test_a_lens_that_nobody_calibrated_shows() -> None:
    assert usual_lens(load_car().camera.lens)
    assert not usual_lens(LENS)
