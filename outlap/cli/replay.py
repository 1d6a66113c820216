"""``outlap replay``: runs a policy over a recording and shows where it would steer otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from outlap.policy.runtime import Policy
    from outlap.recording.read import Recording
    from outlap.recording.replay import Curves, Result
    from outlap.vehicle.car import Car

TOLD = 8  # problems of a recording that are told one by one


def replay(
    recording: Annotated[Path, typer.Argument(help="A recording's folder, or an .mcap file.")],
    policy: Annotated[Path, typer.Option(help="The policy file (.onnx).")],
    car: Annotated[
        str | None,
        typer.Option(help="A name in config/cars, or a car file.", show_default="the car kept in the recording"),
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Use the camera's own frames and the car's calibration, not the recorded view."),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for replay.json, replay.png, worst.png and replay.mp4.")] = Path(
        "runs/replay"
    ),
    film: Annotated[bool, typer.Option(help="Whether to write replay.mp4.")] = True,
) -> None:
    """Show a recording to a policy, as its node would, and compare what it wants with what was sent to the motor.

    Needs no ROS. Prints the differences and the moments where they are largest, and writes them with pictures.

    Example: [bold]outlap replay runs/recordings/drive_2026-11-23_10-30-00 --policy policy.onnx[/]
    """
    from rich.console import Console

    from outlap.cli.shared.progress import bars
    from outlap.files import write_atomic
    from outlap.policy.file import load_policy
    from outlap.racing.preflight import check_file
    from outlap.recording.read import Recording
    from outlap.recording.replay import replay as compare
    from outlap.recording.replay import views

    names = ("replay.json", "replay.png", "worst.png", *(("replay.mp4",) if film else ()))
    places = [out / name for name in names]
    for place in places:
        check_file(place)
    loaded = load_policy(policy)
    found = Recording(recording)
    known = _car(car, found)
    views(found, loaded, known, raw)  # pictures that are not there are told of before work begins
    _warn_of_limits(loaded, known)
    with bars(Console()) as display:
        bar = display.add_task("pictures", total=None, note=recording.name)
        result, curves = compare(
            loaded, found, known, raw, lambda n, total: display.update(bar, completed=n, total=total)
        )
    _print(result)
    write_atomic(places[0], result.model_dump_json(indent=2) + "\n")
    _draw(places[1:], loaded, found, known, raw, result, curves)
    print(f"written: {', '.join(map(str, places))}")


def _car(given: str | None, recording: Recording) -> Car:
    from outlap.errors import OutlapError
    from outlap.recording.replay import recorded_car
    from outlap.vehicle.car import load_car

    if given is not None:
        return load_car(given)
    kept = recorded_car(recording)
    if kept is None:
        raise OutlapError(f"{recording.path}: no car file is kept in this recording: give the car with --car.")
    return kept


def _warn_of_limits(policy: Policy, car: Car) -> None:
    """Say so where this policy may not drive this car: over a recording it may."""
    from outlap.errors import OutlapError

    try:
        policy.contract.check_car(car)
    except OutlapError as error:
        print(f"warning: {error}", file=sys.stderr)


def _draw(
    places: list[Path], policy: Policy, recording: Recording, car: Car, raw: bool, result: Result, curves: Curves
) -> None:
    """Write the curves, the worst moments and, where a third place is given, the film."""
    from outlap.recording.overlay import contact_sheet, write_film, write_png
    from outlap.recording.picture import draw_curves

    draw_curves(places[0], result, curves)
    worst = [place.time_s for place in result.worst]
    if worst:
        shown = dict(zip(sorted(worst), _pictures(policy, recording, car, raw, curves, worst), strict=True))
        write_png(places[1], contact_sheet(shown[time] for time in worst))
    else:
        places.remove(places[1])
    if len(places) > 2:
        rate = policy.contract.rate_hz * policy.contract.pictures_a_command(car)
        write_film(places[2], _pictures(policy, recording, car, raw, curves), rate)


def _pictures(
    policy: Policy, recording: Recording, car: Car, raw: bool, curves: Curves, only: list[float] | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Each moment, or those at the times ``only``, as a picture."""
    from outlap.recording.overlay import draw_both
    from outlap.recording.replay import views

    view = policy.contract.observation.view
    for row, picture in enumerate(views(recording, policy, car, raw)):
        time = float(curves.time[row])
        if only is None or time in only:
            title = f"{time:.2f} s" if only is None else f"{only.index(time) + 1}: {time:.2f} s"
            yield draw_both(picture.pixels, view, car.camera.x, title, curves.recorded[row], curves.wanted[row])


def _print(result: Result) -> None:
    from rich.console import Console
    from rich.table import Table

    from outlap.recording.replay import source_words

    console = Console()
    print(f"{result.recording}: {result.frames} pictures on {result.pictures}, the car {result.car}")
    if result.recorded_digest:
        same = "the same policy" if result.recorded_digest == result.digest else "another policy"
        print(f"recorded while {same} ({result.recorded_digest[:8]}) was loaded; this one is {result.digest[:8]}")
    if not result.compared:
        print("nothing to compare with: the recording does not show the car being driven.")
    else:
        print(
            f"against what was {source_words(result.against)}, in {result.compared} pictures with the car driven: "
            f"curvature differs by {result.curvature_rms:.3f} 1/m (rms; 95% below {result.curvature_p95:.3f}, mean "
            f"{result.curvature_bias:+.3f}), speed by {result.speed_rms:.3f} m/s (rms)"
        )
        table = Table(
            "", "time", "recorded 1/m", "policy 1/m", "recorded m/s", "policy m/s", title="largest differences"
        )
        for number, place in enumerate(result.worst, 1):
            cells = (*(f"{value:+.2f}" for value in place.curvature), *(f"{value:.2f}" for value in place.speed))
            table.add_row(str(number), f"{place.time_s:.2f} s", *cells)
        console.print(table)
    for problem in result.problems[:TOLD]:
        print(f"warning: {problem}", file=sys.stderr)
    if len(result.problems) > TOLD:
        print(f"warning: {len(result.problems) - TOLD} more problems, see replay.json.", file=sys.stderr)
