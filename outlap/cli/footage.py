"""``outlap evaluate --footage``: how a policy steers on recordings of real cars."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from outlap.footage.assess import Report, Row
    from outlap.footage.mount import Known

# Correlation and sign agreement with the human's steering, how that lags, its gain; mirror; the same two with the yaw.
HEADINGS = ("corr", "sign", "lag s", "gain", "mirror", "yaw corr", "sign")

TOLD = 8  # problems of a recording that are told one by one

Footage = Annotated[
    list[Path] | None,
    typer.Option(
        "--footage",
        help="A Donkeycar tub, or a folder of tubs by one car: compare with the human's steering there; repeatable.",
        show_default=False,
    ),
]
CameraFile = Annotated[
    Path | None,
    typer.Option(
        "--camera",
        help="With --footage: a car file, or its camera part, of the recording car.",
        show_default="estimated",
    ),
]
Focal = Annotated[
    float | None,
    typer.Option(
        help="With --footage: fisheye focal length, pixels a radian ÷ picture width.", show_default="estimated", min=0.1
    ),
]
Pitch = Annotated[
    float | None,
    typer.Option(help="With --footage: rad that the camera looks down.", show_default="estimated", min=-0.5, max=1.2),
]
CameraHeight = Annotated[
    float | None,
    typer.Option(
        help="With --footage: m above the ground; rescales the floor.", show_default="as in training", min=0.01, max=1
    ),
]
Part = Annotated[
    float,
    typer.Option("--footage-part", help="With --footage: part of each recording to look at.", min=0.001, max=1),
]
Strip = Annotated[
    Path | None, typer.Option(help="With --footage: picture (.png) of the frames of largest disagreement.")
]


def evaluate_footage(
    policy: str,
    footage: list[Path],
    camera: Path | None,
    known: Known,
    part: float,
    json: Path | None,
    strip: Path | None,
) -> None:
    """What ``outlap evaluate POLICY --footage …`` does.

    Raises:
        OutlapError: the policy, a recording, the camera file or a result's place is refused.
    """
    from json import dumps

    from rich.console import Console

    from outlap.cli.shared.progress import bars
    from outlap.errors import OutlapError
    from outlap.files import write_atomic
    from outlap.footage.assess import assess, read_tubs
    from outlap.footage.mount import read_camera
    from outlap.footage.strip import draw_strip
    from outlap.policy.file import load_policy
    from outlap.racing.preflight import check_file

    if camera is not None and known != type(known)():
        raise OutlapError("--camera says all of the camera: leave out --focal, --pitch and --camera-height.")
    if strip is not None and strip.suffix.lower() != ".png":
        raise OutlapError(f"--strip {strip}: give a name that ends in .png.")
    for file in (json, strip):
        if file is not None:
            check_file(file)
    described = None if camera is None else read_camera(camera)
    loaded = load_policy(Path(policy))
    recorded = [(folder, read_tubs(folder)) for folder in footage]  # a mistake is told before work begins
    reports: list[Report] = []
    with bars(Console()) as display:
        bar = display.add_task("frames", total=None, note="")
        for number, (folder, tubs) in enumerate(recorded):
            display.update(bar, note=folder.name, completed=0, total=None)

            def update(done: int, total: int) -> None:
                display.update(bar, completed=done, total=total)

            found, shown = assess(loaded, folder, tubs, described, known, part, update)
            reports.append(found)
            if strip is not None:
                place = strip if len(footage) == 1 else strip.with_stem(f"{strip.stem}_{number + 1}")
                draw_strip(place, shown, found, loaded.contract.observation.view)
    for found in reports:
        _print(found)
    if json is not None:
        content = [found.model_dump(mode="json") for found in reports]
        write_atomic(json, dumps({"policy": policy, "digest": loaded.digest, "footage": content}, indent=2) + "\n")


def _print(found: Report) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table("footage", "frames", *(Column(name, no_wrap=True) for name in HEADINGS))
    rows = [*(found.tubs if len(found.tubs) > 1 else []), found.total]
    for row in rows:
        table.add_row(*_cells(row))
    Console().print(table)
    lens = found.camera.lens
    print(
        f"{found.footage}: focal length {lens.fx / lens.width:.3f} widths a radian, pitch {found.camera.pitch:.3f} rad "
        f"({found.camera_from}); the lens sees {found.coverage:.0%} of the policy's view"
    )
    for problem in found.problems[:TOLD]:
        print(f"warning: {problem}", file=sys.stderr)
    if len(found.problems) > TOLD:
        more = len(found.problems) - TOLD
        print(f"warning: {found.footage}: {more} more records were left out, see --json.", file=sys.stderr)


def _cells(row: Row) -> list[str]:
    human, yaw = row.human, row.yaw
    return [
        row.name,
        str(row.frames),
        f"{human.correlation:.3f}",
        f"{human.sign_agreement:.1%}",
        f"{human.lag_s:+.2f}",
        f"{human.gain:.3f}",
        f"{row.mirror_consistency:.3f}",
        f"{yaw.correlation:.3f}",
        f"{yaw.sign_agreement:.1%}",
    ]
