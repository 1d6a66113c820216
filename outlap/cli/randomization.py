"""``outlap randomization``: what is drawn at random in training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look at what is drawn at random in training.", no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
def _verbs() -> None:
    """Look at what is drawn at random in training."""


@app.command()
def preview(
    randomization: Annotated[
        str, typer.Option(help="A name in config/randomization (off, mild, full, validation), or a file.")
    ] = "full",
    seed: Annotated[int, typer.Option(min=0, help="Of every draw.")] = 0,
    out: Annotated[Path, typer.Option(help="The picture to write, a .png.")] = Path("randomization.png"),
    columns: Annotated[int, typer.Option(min=1, max=40, help="Pictures side by side.")] = 10,
    rows: Annotated[int, typer.Option(min=1, max=40, help="Pictures one below the other.")] = 10,
    raw: Annotated[
        bool, typer.Option("--raw", help="Through the car's own lens and in colour; shows looks only.")
    ] = False,
    car: Annotated[str, typer.Option(help="A name in config/cars, or a car file.")] = "deepracer",
) -> None:
    """Write a contact sheet: what policies see in training, one draw a picture.

    Examples:

      outlap randomization preview

      outlap randomization preview --randomization validation --seed 3 --out validation.png
    """
    from outlap.errors import OutlapError
    from outlap.files import write_atomic
    from outlap.racing.preflight import check_file
    from outlap.simulation.preview import contact_sheet, png
    from outlap.simulation.randomization import load_randomization
    from outlap.vehicle.car import load_car

    if out.suffix.lower() != ".png":
        raise OutlapError(f"--out {out}: the contact sheet is a .png.")
    check_file(out)  # now, not after drawing
    ranges, described = load_randomization(randomization), load_car(car)
    write_atomic(out, png(contact_sheet(ranges, described, seed, columns, rows, raw)))
    print(f"wrote {out}: {columns * rows} draws of {randomization}, seed {seed}")
