"""``outlap calibrate``: measure a real car, guided in the terminal, and write what was found into its car file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlap.cli.calibrate_camera import ModelChoice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outlap.calibration.carfile import Changes
    from outlap.calibration.dialog import Dialog
    from outlap.calibration.rig import Rig
    from outlap.vehicle.car import Car

app = typer.Typer(help="Measure a real car, guided, and write its car file.", no_args_is_help=True)

CarFile = Annotated[str, typer.Option("--car", help="Your car file; or the name of one that ships, with --out.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="A new car file: a copy of --car with what was found.", show_default=False),
]
BoardText = Annotated[
    str,
    typer.Option(
        "--board",
        help="chessboard:COLUMNSxROWS:SQUARE (inner corners, m) or charuco:COLUMNSxROWS:SQUARE:MARKER (squares, m).",
        show_default="charuco:6x4:0.045:0.034, which outlap calibrate board prints",
    ),
]
Pictures = Annotated[
    Path | None,
    typer.Option("--pictures", help="A folder of pictures, or a video, in the camera's place.", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", help="With --pictures: write without asking.")]


@app.callback()
def _verbs() -> None:
    """Measure a real car, guided, and write its car file. Begin with steering, then speed, lens and mount."""


@app.command()
def steering(car: CarFile, out: Out = None) -> None:
    """Find the steering's middle, its ends and their angles.

    Examples:

      outlap calibrate steering --car donkeycar --out mycar.yaml

      outlap calibrate steering --car mycar.yaml
    """
    from outlap.calibration.steering import calibrate_steering

    _moving(car, out, lambda car, rig, dialog: calibrate_steering(car, rig, dialog).changes())


@app.command()
def speed(car: CarFile, out: Out = None) -> None:
    """Find the dead band, forward, reverse and brake, and the speeds of some signals.

    Examples:

      outlap calibrate speed --car mycar.yaml
    """
    from outlap.calibration.speed import calibrate_speed

    _moving(car, out, lambda car, rig, dialog: calibrate_speed(car, rig, dialog).changes())


@app.command()
def lens(
    car: CarFile,
    out: Out = None,
    board: BoardText = "",
    pictures: Pictures = None,
    size: Annotated[str, typer.Option(help="Of the camera's pictures, WIDTHxHEIGHT.", show_default="the car's")] = "",
    model: Annotated[ModelChoice, typer.Option(help="Which lens to fit; auto: the one that holds better.")] = "auto",
    yes: Yes = False,
) -> None:
    """Find the lens, from pictures of a board that is held before the camera.

    Examples:

      outlap calibrate board --out board.svg

      outlap calibrate lens --car mycar.yaml --size 640x480

      outlap calibrate lens --car mycar.yaml --pictures folder --board chessboard:9x6:0.025
    """
    from outlap.calibration.board import DEFAULT, parse_board
    from outlap.calibration.looking import lens_rows
    from outlap.cli.calibrate_camera import fitted, gather_live, gather_pictures, lens_changes, sized
    from outlap.vehicle.car import load_car

    source, target = _places(car, out)
    pattern, camera = parse_board(board or DEFAULT), sized(load_car(source).camera, size)
    with _dialog(yes, pictures) as dialog:
        gathered = gather_live(camera, pattern, dialog) if pictures is None else gather_pictures(pictures, pattern)
        fit = fitted(gathered, model)
        dialog.table("The lens", ("", ""), lens_rows(fit, camera.lens))
        _write(source, target, lens_changes(fit.lens), dialog)


@app.command()
def mount(
    car: CarFile,
    out: Out = None,
    board: BoardText = "",
    pictures: Pictures = None,
    ahead: Annotated[
        float | None,
        typer.Option(help="With --pictures: m from the rear axle to the board's middle in the first.", min=0.05, max=2),
    ] = None,
    thickness: Annotated[float, typer.Option(help="Of the board, m.", min=0, max=0.1)] = 0.0,
    yes: Yes = False,
) -> None:
    """Find the camera's height, pitch and roll, and yaw and x, from a board that lies on the floor before the car.

    Examples:

      outlap calibrate mount --car mycar.yaml

      outlap calibrate mount --car mycar.yaml --pictures folder --ahead 0.40
    """
    from outlap.calibration.board import DEFAULT, parse_board
    from outlap.calibration.looking import mount_rows
    from outlap.calibration.mount import find_mount, usual_lens
    from outlap.cli.calibrate_camera import place_live, placed_pictures
    from outlap.errors import OutlapError
    from outlap.vehicle.car import load_car

    source, target = _places(car, out)
    pattern, camera = parse_board(board or DEFAULT), load_car(source).camera
    if pictures is None and ahead is not None:
        raise OutlapError("--ahead goes with --pictures; with the camera it is asked for.")
    with _dialog(yes, pictures) as dialog:
        if pictures is not None:
            placements = placed_pictures(pictures, pattern, camera.lens)
        if usual_lens(camera.lens):
            dialog.say("The car file's lens has no distortion: was it calibrated? See outlap calibrate lens.")
        if pictures is None:
            placements, ahead = place_live(camera, pattern, dialog)
        found = find_mount(placements, camera, ahead, thickness)
        dialog.table(f"The mount ({found.rms:.2f} pixels rms)", ("", "± 2σ", "by each place"), mount_rows(found))
        _write(source, target, found.changes(), dialog)


@app.command("board")
def print_board(
    out: Annotated[Path, typer.Option(help="The picture to write, an .svg at true scale.")] = Path("board.svg"),
    board: BoardText = "",
) -> None:
    """Write a board to print, at true scale. Print it without scaling, and glue it to something flat.

    Examples:

      outlap calibrate board

      outlap calibrate board --board chessboard:8x5:0.03 --out chessboard.svg
    """
    from outlap.calibration.board import DEFAULT, parse_board, svg
    from outlap.errors import OutlapError
    from outlap.files import write_atomic
    from outlap.racing.preflight import check_file

    if out.suffix.lower() != ".svg":
        raise OutlapError(f"--out {out}: the board is an .svg, which every browser prints.")
    pattern = parse_board(board or DEFAULT)
    check_file(out)
    write_atomic(out, svg(pattern))
    print(f"wrote {out}: print it at 100%, measure its line of 100 mm, glue it to something flat and stiff")


@app.command()
def undo(car: CarFile) -> None:
    """Bring a car file back to what it was before the last calibration; again, before the one before.

    Examples:

      outlap calibrate undo --car mycar.yaml
    """
    from outlap.calibration.carfile import history, undo

    path = _own(car)
    undo(path)
    print(f"{path} is what it was before its last calibration; {len(history(path))} more can be undone")


def _moving(car: str, out: Path | None, find: Callable[[Car, Rig, Dialog], Changes]) -> None:
    """A step that moves the car: ``find`` measures and returns what to write."""
    from outlap.calibration.rig import opened_rig
    from outlap.cli.shared.terminal import Terminal
    from outlap.vehicle.car import load_car

    source, target = _places(car, out)
    described = load_car(source)
    with Terminal() as dialog:
        with opened_rig(source, dialog) as rig:
            changes = find(described, rig, dialog)
        _write(source, target, changes, dialog)


@contextmanager
def _dialog(yes: bool, pictures: Path | None) -> Iterator[Dialog]:
    """The person at the terminal; with --pictures and --yes nobody."""
    from outlap.calibration.dialog import Unattended
    from outlap.cli.shared.terminal import Terminal
    from outlap.errors import OutlapError

    if not yes:
        with Terminal() as terminal:
            yield terminal
    elif pictures is None:
        raise OutlapError("--yes goes with --pictures: before a camera somebody must hold the board.")
    else:
        yield Unattended()


def _write(source: Path, target: Path, changes: Changes, dialog: Dialog) -> None:
    import yaml

    from outlap.calibration.carfile import write_car
    from outlap.calibration.dialog import CancelledError
    from outlap.files import read_bytes, write_atomic

    content = read_bytes(source, "car file").decode()
    before = yaml.safe_load(content)
    rows = [(".".join(key), _shown(_at(before, key)), _shown(value)) for key, value in changes.items()]
    dialog.table("What was found", ("key", "before", "now"), rows)
    if dialog.choose("write", f"Write it to {target}?", {"y": "yes", "n": "no"}) == "n":
        raise CancelledError(f"nothing was written: {source} is as it was.")
    if not target.exists():
        write_atomic(target, content)
    write_car(target, changes)
    dialog.say(f"wrote {target}; taken back by: outlap calibrate undo --car {target}")


def _places(car: str, out: Path | None) -> tuple[Path, Path]:
    """The car file that is read, and the one that is written."""
    from outlap.errors import OutlapError
    from outlap.racing.preflight import check_file

    if out is None:
        path = _own(car)
        return path, path
    if out.suffix not in (".yaml", ".yml"):
        raise OutlapError(f"--out {out}: a car file's name ends in .yaml.")
    if out.exists():
        raise OutlapError(f"{out} exists: go on with it by --car {out}, or choose another name.")
    check_file(out)
    return _path(car), out


def _own(car: str) -> Path:
    """The user's own car file."""
    from outlap.calibration.carfile import check_own

    path = _path(car)
    check_own(path)
    return path


def _path(car: str) -> Path:
    from outlap.vehicle.car import car_file, load_car

    load_car(car)  # a mistake is told before anything else
    return car_file(car)


def _at(content: object, key: tuple[str, ...]) -> object:
    for part in key:
        content = content.get(part) if isinstance(content, dict) else None
    return content


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_shown(item) for item in value)}]"
    return "–" if value is None else str(value)
