"""Whole calibrations of a hidden lens and mount, and how far what was found is from the truth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from outlap.calibration.board import DEFAULT, Board, Grey, Seen, parse_board
from outlap.calibration.fakes.pictures import Photographer
from outlap.calibration.lens import LensFit, fit_best
from outlap.calibration.mount import MountFound, find_mount
from outlap.camera.model import project, rays
from outlap.vehicle.car import Camera, Lens, load_car

PICTURES = 25
NEAREST, STEP = 0.3, 0.03  # m from the rear axle, where the person first lays the board; and how it is moved on
TAPE, ASIDE = 0.005, 0.003  # m, standard deviations of where the board lies: ahead, and beside the middle line


class SightErrors(NamedTuple):
    """Errors of one camera's lens and mount."""

    focal: float  # 1, of the mean focal length
    middle: float  # pixels, of the principal point
    direction: float  # rad, worst over the directions in which pixels look, inside what was covered
    rms: float  # pixels, as reported
    height: float  # m
    pitch: float  # rad
    roll: float  # rad
    yaw: float  # rad
    x: float  # m
    right_model: bool


def drawn_camera(rng: np.random.Generator) -> Camera:
    """A hidden camera: wide or normal, distorted, mounted about as such cars have it."""
    u = rng.uniform
    fisheye = bool(rng.random() < 0.5)
    focal = u(280, 380) if fisheye else u(450, 650)
    distortion = (
        (u(-0.06, 0.06), u(-0.02, 0.02), u(-0.01, 0.01), 0.0)
        if fisheye
        else (u(-0.4, -0.1), u(0.02, 0.15), u(-0.002, 0.002), u(-0.002, 0.002), 0.0)
    )
    lens = Lens(
        model="fisheye" if fisheye else "pinhole",
        width=640,
        height=480,
        fx=focal,
        fy=focal * u(0.995, 1.005),
        cx=u(305, 335),
        cy=u(225, 255),
        distortion=distortion,
    )
    return Camera(
        x=u(0.05, 0.15),
        y=u(-0.01, 0.01),
        height=u(0.1, 0.2),
        pitch=u(0.2, 0.5),
        roll=u(-0.08, 0.08),
        yaw=u(-0.08, 0.08),
        rate=30.0,
        lens=lens,
    )


def show_board(camera: Camera, board: Board, rng: np.random.Generator, count: int = PICTURES) -> list[Grey]:
    """Pictures of the board, held before the camera."""
    photographer = Photographer(camera.lens, board, rng)
    return [photographer.held() for _ in range(count)]


def lay_board(camera: Camera, board: Board, rng: np.random.Generator) -> tuple[list[Grey], float]:
    """Pictures of the board on the floor, the first one straight ahead at the distance that is returned, m."""
    photographer = Photographer(camera.lens, board, rng)
    found: list[Grey] = []
    ahead = 0.0
    for aside in (0.0, 0.05, -0.05, 0.02):
        turn = rng.uniform(-0.4, 0.4) + (np.pi if rng.random() < 0.5 else 0.0)
        for step in range(14):
            x = NEAREST + STEP * step
            slip_x, slip_y = rng.normal(0, (TAPE, ASIDE)) if aside == 0.0 else (0.0, 0.0)
            picture = photographer.lying(camera, x + slip_x, aside + slip_y, turn)
            if board.find(picture) is not None:
                found.append(picture)
                ahead = ahead or x
                break
    return found, ahead


def sight_trial(seed: int, board: str = DEFAULT) -> SightErrors:
    """Calibrate a lens and mount that are drawn by ``seed``: the mount with the lens that was found."""
    rng = np.random.default_rng(seed)
    true, pattern = drawn_camera(rng), parse_board(board)
    views = _seen(show_board(true, pattern, rng), pattern)
    fit = fit_best(views, (true.lens.width, true.lens.height))
    assert not fit.problems, fit.problems
    written = load_car().camera.model_copy(update={"lens": fit.lens, "y": true.y})
    pictures, ahead = lay_board(true, pattern, rng)
    found = find_mount([[seen] for seen in _seen(pictures, pattern)], written, ahead)
    return sight_errors(true, fit, found)


def sight_errors(true: Camera, fit: LensFit, found: MountFound) -> SightErrors:
    """How far a lens and a mount are from the truth."""
    assert found.yaw is not None and found.x is not None
    lens = true.lens
    return SightErrors(
        focal=abs(fit.lens.fx + fit.lens.fy - lens.fx - lens.fy) / (lens.fx + lens.fy),
        middle=float(np.hypot(fit.lens.cx - lens.cx, fit.lens.cy - lens.cy)),
        direction=direction_error(lens, fit.lens),
        rms=fit.rms,
        height=abs(found.height - true.height),
        pitch=abs(found.pitch - true.pitch),
        roll=abs(found.roll - true.roll),
        yaw=abs(found.yaw - true.yaw),
        x=abs(found.x - true.x),
        right_model=fit.lens.model == lens.model,
    )


def direction_error(true: Lens, found: Lens) -> float:
    """Worst error in rad of the direction in which a pixel looks, over the picture but its outermost twentieth."""
    edge_x, edge_y = true.width // 20, true.height // 20
    inner = (slice(edge_y, -edge_y, 8), slice(edge_x, -edge_x, 8))
    a, b = rays(true)[inner], rays(found)[inner]
    seen = np.isfinite(project(true, a)).all(axis=-1)
    across = np.linalg.norm(np.cross(a, b), axis=-1)
    return float(across[seen].max())


def _seen(pictures: list[Grey], board: Board) -> list[Seen]:
    return [seen for picture in pictures if (seen := board.find(picture)) is not None]
