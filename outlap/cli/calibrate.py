"""``outlap calibrate``: measure a real car, guided in the terminal, and write what was found into its car file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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
    from outlap.cli.terminal import Terminal
    from outlap.vehicle.car import load_car

    source, target = _places(car, out)
    described = load_car(source)
    with Terminal() as dialog:
        with opened_rig(source, dialog) as rig:
            changes = find(described, rig, dialog)
        _write(source, target, changes, dialog)


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
    from outlap.files import share_directory
    from outlap.vehicle.car import load_car

    load_car(car)  # a mistake is told before anything else
    path = Path(car)
    return path if path.suffix in (".yaml", ".yml") else share_directory() / "config" / "cars" / f"{car}.yaml"


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
