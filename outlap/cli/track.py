"""``outlap track``: read routes, make new tracks, look at them, and find their fastest lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Read DeepRacer routes, make new tracks, look at them, and find their fastest lines.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

FORCE = "Overwrite what is already there."


@app.command("import", no_args_is_help=True)
def import_route(
    route: Annotated[Path, typer.Argument(help="A DeepRacer route: .npy, N×6, metres.", metavar="ROUTE.npy")],
    name: Annotated[str | None, typer.Option(help="Name of the track; the file's by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for track.yaml, or a .yaml or .npy file.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive it the other way round.")] = False,
    force: Annotated[bool, typer.Option("--force", help=FORCE)] = False,
) -> None:
    """Turn a DeepRacer route into a track.yaml, checking every row.

    Examples:

      outlap track import reinvent_base.npy

      outlap track import Monaco.npy --name monaco-reversed --reverse --out worlds/monaco-reversed
    """
    from dataclasses import replace

    from outlap.track.formats import load_track

    track = load_track(route)
    if reverse:
        track = track.reversed()
    _save(replace(track, name=_name(name or track.name)), out, force)


@app.command()
def generate(
    length: Annotated[float, typer.Option(help="m, of the centre line.")] = 20.0,
    width: Annotated[float, typer.Option(help="m, mean distance between the borders.")] = 0.8,
    tightness: Annotated[float, typer.Option(help="0: few wide bends. 1: as many and as tight as fit.")] = 0.5,
    width_variation: Annotated[float, typer.Option(help="Fraction by which the road swells and narrows.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same track.")] = 0,
    name: Annotated[str | None, typer.Option(help="Name of the track; that of --out, or generated-SEED.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for track.yaml, or a .yaml or .npy file.")] = None,
    force: Annotated[bool, typer.Option("--force", help=FORCE)] = False,
) -> None:
    """Make a random closed track that nowhere touches itself.

    Examples:

      outlap track generate --seed 7

      outlap track generate --length 45 --width 0.7 --tightness 1 --seed 3 --out worlds/snake
    """
    import numpy as np

    from outlap.track.generate import generate_track

    name = _name(name or (out.stem if out else f"generated-{seed}"))
    track = generate_track(
        np.random.default_rng(seed),
        name=name,
        length=length,
        width=width,
        tightness=tightness,
        width_variation=width_variation,
    )
    _save(track, out, force)


@app.command(no_args_is_help=True)
def show(
    track: Annotated[str, typer.Argument(help="A shipped name, a folder, a track.yaml or a route .npy.")],
    out: Annotated[Path | None, typer.Option(help="The picture; NAME.png in this folder by default.")] = None,
) -> None:
    """Print what a track measures and draw it from above.

    Examples:

      outlap track show oval

      outlap track show reinvent_base.npy --out reinvent.png
    """
    from outlap.errors import OutlapError
    from outlap.files import write_atomic
    from outlap.track.drawing import track_picture
    from outlap.track.formats import load_track

    if out is not None and out.suffix != ".png":
        raise OutlapError(f"{out}: the picture is a PNG, so its name must end in .png.")
    read = load_track(track)
    _print_measures(read)
    out = out or Path(f"{read.name}.png")
    write_atomic(out, track_picture(read))
    typer.echo(f"picture         {out}")


@app.command(no_args_is_help=True)
def line(
    track: Annotated[str, typer.Argument(help="A shipped name, a folder, a track.yaml or a route .npy.")],
    car: Annotated[str, typer.Option(help="A name in config/cars, or a car file.")] = "deepracer",
    speed: Annotated[float, typer.Option(help="m/s, at most; the car's own limit holds, too.")] = 2.0,
    curvature: Annotated[float | None, typer.Option(help="1/m, the tightest turn; the car's own by default.")] = None,
    margin: Annotated[float, typer.Option(help="m, that the wheels which count keep from the borders.")] = 0.0,
    wheels: Annotated[int, typer.Option(help="That stay on the road: 1, as in a clean lap, or all 4.")] = 1,
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive it the other way round.")] = False,
    out: Annotated[Path | None, typer.Option(help="The picture; NAME-line.png in this folder by default.")] = None,
    export: Annotated[Path | None, typer.Option(help="Table of the line's points, .csv or .npy.")] = None,
) -> None:
    """Find the fastest lap of a car on a track, and draw it.

    Examples:

      outlap track line oval

      outlap track line Monaco.npy --speed 3 --out monaco.png --export monaco.csv
    """
    from outlap.errors import OutlapError
    from outlap.files import write_atomic
    from outlap.vehicle.car import load_car

    described = load_car(car)  # before the slow imports
    from outlap.track.formats import load_track

    read = load_track(track)
    from outlap.simulation.yardstick import limits_of
    from outlap.track.drawing import line_picture
    from outlap.track.fastest import fastest_line
    from outlap.track.table import check_table_name, save_line

    if out is not None and out.suffix != ".png":
        raise OutlapError(f"{out}: the picture is a PNG, so its name must end in .png.")
    if export is not None:
        check_table_name(export)
    limits = limits_of(described, speed, curvature, margin=margin, wheels=wheels)
    if reverse:
        read = read.reversed()
    found = fastest_line(read, limits)
    out = out or Path(f"{read.name}-line.png")
    write_atomic(out, line_picture(read, found))
    if export is not None:
        save_line(found, export)
    tightest = float(abs(found.curvature).max())
    for what, value in (
        ("track", read.name),
        ("fastest lap", f"{found.lap_time:.2f} s flying, {found.standing_lap_time:.2f} s from rest"),
        ("length", f"{found.length:.2f} m"),
        ("speed", f"{found.length / found.lap_time:.2f} m/s ({found.speed.min():.2f} to {found.speed.max():.2f} m/s)"),
        ("tightest turn", f"{tightest:.2f} 1/m, a radius of {1 / max(tightest, 1e-6):.2f} m"),
        ("picture", str(out)),
        *([("table", str(export))] if export is not None else []),
    ):
        typer.echo(f"{what:<16}{value}")


@app.command(no_args_is_help=True)
def world(
    track: Annotated[str, typer.Argument(help="A shipped name, a folder, a track.yaml or a route .npy.")],
    out: Annotated[Path | None, typer.Option(help="Folder; the track's own, or NAME for a route.")] = None,
    force: Annotated[bool, typer.Option("--force", help=FORCE)] = False,
) -> None:
    """Write a track's Gazebo world: world.sdf and its pictures, as the built-in simulator shows it.

    A new folder gets the track.yaml, too, so that it serves both simulators.

    Examples:

      outlap track world my-track

      outlap track world reinvent_base.npy --out worlds/reinvent
    """
    from outlap.errors import OutlapError
    from outlap.gazebo.world import GROUND_FILE, WALL_FILE, WORLD_FILE, write_world
    from outlap.track.formats import TRACK_FILE, load_track, save_track, track_file

    read = load_track(track)
    source = track_file(track)
    folder = out or (Path(read.name) if source.suffix == ".npy" else source.parent)
    if folder.suffix in (".sdf", ".yaml", ".yml", ".npy", ".png"):
        raise OutlapError(f"{folder}: a world has several files, so --out must name a folder.")
    copy = folder / TRACK_FILE
    new = not (copy.exists() and copy.samefile(source)) and not (out is None and source.suffix != ".npy")
    for path in [folder / name for name in (WORLD_FILE, GROUND_FILE, WALL_FILE)] + [copy] * new:
        if path.exists() and not force:
            raise OutlapError(f"{path} already exists: give another --out, or --force to overwrite it.")
    if new:
        save_track(read, copy)
        read = load_track(copy)  # with the digits that the file holds
    written = write_world(read, folder)
    _print_measures(read)
    typer.echo(f"written         {written}")


def _save(track, out: Path | None, force: bool) -> None:
    from outlap.errors import OutlapError
    from outlap.track.formats import TRACK_FILE, save_track

    path = out or Path(track.name)
    if path.suffix not in (".yaml", ".yml", ".npy"):
        path = path / TRACK_FILE
    if path.exists() and not force:
        raise OutlapError(f"{path} already exists: give another --out, or --force to overwrite it.")
    save_track(track, path)
    _print_measures(track)
    typer.echo(f"written         {path}")


def _name(name: str) -> str:
    import re

    from outlap.errors import OutlapError

    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise OutlapError(f"{name!r} is no track name: use up to 64 letters, digits, dots, dashes and underscores.")
    return name


def _print_measures(track) -> None:
    from outlap.track.measure import measure

    figures = measure(track)
    way = "counterclockwise" if figures.counterclockwise else "clockwise"
    for what, value in (
        ("track", f"{track.name}, {len(track.center)} rows, driven {way}"),
        ("length", f"{figures.length:.2f} m"),
        ("width", f"{figures.mean_width:.2f} m ({figures.least_width:.2f} to {figures.greatest_width:.2f} m)"),
        ("tightest radius", f"{figures.tightest_radius:.2f} m, {figures.tightest_at:.1f} m from the start"),
        ("straight", f"{100 * figures.straight:.0f}% of the lap"),
    ):
        typer.echo(f"{what:<16}{value}")
