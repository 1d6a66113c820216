"""``outlap calibrate board | lens | mount``: pictures in, car file out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hidden_camera import AHEAD, PLACES, hidden_camera

from outlap.calibration.board import DEFAULT, parse_board
from outlap.calibration.fakes.pictures import Photographer
from outlap.files import share_directory
from outlap.vehicle.car import Camera, load_car

BOARD = parse_board(DEFAULT)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return hidden_camera()


@pytest.fixture(scope="module")
def pictures(camera: Camera, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders ``held`` and ``laid``."""
    folder = tmp_path_factory.mktemp("pictures")
    photographer = Photographer(camera.lens, BOARD, np.random.default_rng(7))
    for name, shots in (
        ("held", [photographer.held() for _ in range(15)]),
        ("laid", [photographer.lying(camera, *place) for place in PLACES]),
    ):
        (folder / name).mkdir()
        for number, shot in enumerate(shots):
            cv2.imwrite(str(folder / name / f"{number:02}.png"), shot)
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text((share_directory() / "config" / "cars" / "deepracer.yaml").read_text())
    return path


@pytest.mark.slow
def test_lens_and_mount_come_from_pictures(outlap: Callable, pictures: Path, camera: Camera, tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    code, stdout, stderr = outlap(
        "calibrate", "lens", "--car", "deepracer", "--out", own, "--pictures", pictures / "held", "--yes"
    )
    assert code == 0, stderr
    assert "pixels rms" in stdout and f"wrote {own}" in stdout
    found = load_car(own).camera.lens
    assert (found.model, found.width, found.height) == ("fisheye", 480, 360)
    assert found.fx == pytest.approx(250, rel=0.01)
    code, stdout, stderr = outlap(
        "calibrate", "mount", "--car", own, "--pictures", pictures / "laid", "--ahead", AHEAD, "--yes"
    )
    assert code == 0, stderr
    mounted = load_car(own).camera
    assert mounted.height == pytest.approx(camera.height, abs=0.003)
    assert mounted.pitch == pytest.approx(camera.pitch, abs=0.01)
    assert mounted.roll == pytest.approx(camera.roll, abs=0.01)
    assert mounted.yaw == pytest.approx(camera.yaw, abs=0.01)
    assert mounted.x == pytest.approx(camera.x, abs=0.005)
    assert outlap("calibrate", "undo", "--car", own).code == 0
    assert outlap("calibrate", "undo", "--car", own).code == 0
    assert own.read_text() == (share_directory() / "config" / "cars" / "deepracer.yaml").read_text()


def test_what_cannot_be_used_is_refused(
    refused: Callable, outlap: Callable, pictures: Path, own: Path, tmp_path: Path
) -> None:
    before = own.read_text()
    mirrored, few = tmp_path / "mirrored", tmp_path / "few"
    for folder, flip in ((mirrored, True), (few, False)):
        folder.mkdir()
        for path in sorted((pictures / "held").iterdir())[:4]:
            picture = cv2.imread(str(path))
            cv2.imwrite(str(folder / path.name), picture[:, ::-1] if flip else picture)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.png").write_bytes(b"no picture")
    lens = ("calibrate", "lens", "--car", own, "--yes", "--pictures")
    assert "horizontal flip off" in refused(*lens, mirrored)
    assert "found in 4 pictures" in refused(*lens, few)
    assert "a.png: this picture cannot be decoded" in refused(*lens, broken)
    assert "no such folder" in refused(*lens, tmp_path / "none")
    assert "no pictures" in refused(*lens, tmp_path)
    assert "--board 'x'" in refused(*lens, few, "--board", "x")
    assert "--size '5x'" in refused(*lens, few, "--size", "5x")
    assert "--yes goes with --pictures" in refused("calibrate", "lens", "--car", own, "--yes")
    assert "calibrate the lens with such pictures first" in refused(
        "calibrate", "mount", "--car", own, "--yes", "--pictures", pictures / "laid"
    )
    assert own.read_text() == before


def test_a_video_is_as_good_as_a_folder_where_the_board_is_held_still(
    refused: Callable, pictures: Path, own: Path, tmp_path: Path
) -> None:
    video = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (480, 360))
    for path in sorted((pictures / "held").iterdir())[:3]:
        for _ in range(6):
            video.write(cv2.imread(str(path)))
    video.release()
    told = refused("calibrate", "lens", "--car", own, "--yes", "--pictures", tmp_path / "a.avi")
    assert "found in 3 pictures" in told


def test_the_board_is_printed(outlap: Callable, refused: Callable, tmp_path: Path) -> None:
    code, stdout, _ = outlap("calibrate", "board", "--out", tmp_path / "board.svg")
    assert code == 0
    assert "print it at 100%" in stdout
    assert (tmp_path / "board.svg").read_text().startswith('<svg xmlns="http://www.w3.org/2000/svg" width="284mm"')
    assert "is an .svg" in refused("calibrate", "board", "--out", tmp_path / "board.pdf")
