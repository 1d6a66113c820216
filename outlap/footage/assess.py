"""One policy on some recordings by one camera: what it steered, and how that compares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from outlap.camera.warp import Warp
from outlap.errors import OutlapError
from outlap.files import Model
from outlap.footage.drive import steer, watch
from outlap.footage.mount import Known, mounted, picture_size
from outlap.footage.score import Agreement, Series, agreement, join, mirror_consistency
from outlap.footage.tub import Tub, find_tubs, read_tub
from outlap.policy.runtime import Policy
from outlap.vehicle.car import Camera


class Row(Model):
    """One line of the table."""

    name: str
    frames: int
    left_out: int  # records that could not be used
    human: Agreement
    yaw: Agreement
    mirror_consistency: float  # correlation with the negated steering of the mirrored frames


class Report(Model):
    """How a policy steers on recordings by one camera."""

    footage: str
    camera: Camera
    camera_from: str  # where the camera's numbers come from
    coverage: float  # part of the canonical view that the lens sees
    total: Row
    tubs: list[Row]
    problems: list[str]


@dataclass(frozen=True)
class Shown:
    """A recording, of what could be used, with what the policy steered in it."""

    tub: Tub
    series: Series


def read_tubs(folder: Path) -> list[Tub]:
    """The tubs at or under ``folder``.

    Raises:
        OutlapError: there is none, or one cannot be read.
    """
    return [read_tub(path) for path in find_tubs(folder)]


def assess(
    policy: Policy,
    folder: Path,
    tubs: list[Tub] | None = None,
    camera: Camera | None = None,
    known: Known | None = None,
    part: float = 1.0,
    report: Callable[[int, int], None] | None = None,
) -> tuple[Report, list[Shown]]:
    """Show the tubs at or under ``folder`` to ``policy``.

    Args:
        policy: the policy.
        folder: a tub, or a folder with tubs by one car.
        tubs: what was read there, if it was read before.
        camera: when given, nothing is estimated.
        known: what is given of the camera otherwise.
        part: of each recording that is shown, in evenly spread blocks.
        report: called with frames done and their total.

    Raises:
        OutlapError: there is no tub, one cannot be read, or the camera does not fit its pictures.
    """
    view = policy.contract.observation.view
    tubs = read_tubs(folder) if tubs is None else tubs
    if camera is None:
        found = mounted(tubs, view, known)
        camera, says = found.camera, found.says
    else:
        says = "given"
        size = picture_size(tubs)
        if size != (camera.lens.width, camera.lens.height):
            raise OutlapError(
                f"{folder}: its pictures have {size[0]}x{size[1]} pixels, the camera file's lens "
                f"{camera.lens.width}x{camera.lens.height}: give the calibration at the recording's size."
            )
    warp = Warp(camera, view)
    parts = [tub.part(part) for tub in tubs]
    total, done = sum(map(len, parts)), 0
    shown: list[Shown] = []
    for tub in parts:
        footage = watch(tub, warp)
        plain, mirrored = steer(policy, footage)
        tub = footage.tub
        shown.append(Shown(tub, Series(tub.stamp, tub.segment, plain, mirrored, tub.steering, footage.yaw_rate)))
        done += len(tub)
        if report is not None:
            report(done, total)
    rows = [_row(_name(one.tub, folder), [one]) for one in shown]
    return (
        Report(
            footage=str(folder),
            camera=camera,
            camera_from=says,
            coverage=warp.coverage,
            total=rows[0].model_copy(update={"name": folder.name}) if len(rows) == 1 else _row(folder.name, shown),
            tubs=rows,
            problems=[problem for one in shown for problem in one.tub.problems],
        ),
        shown,
    )


def _row(name: str, shown: list[Shown]) -> Row:
    series = join([one.series for one in shown])
    return Row(
        name=name,
        frames=len(series.stamp),
        left_out=sum(len(one.tub.problems) for one in shown),
        human=agreement(series, series.human),
        yaw=agreement(series, series.yaw_rate),
        mirror_consistency=mirror_consistency(series),
    )


def _name(tub: Tub, folder: Path) -> str:
    """The tub's name as the user would say it: Donkeycar calls each folder of a tub ``data``."""
    place = tub.folder.resolve()
    inside = [part for part in place.relative_to(folder.resolve()).parts if part != "data"]
    return "/".join(inside) or (place.parent if place.name == "data" else place).name
