"""``outlap evaluate``: how good a policy is, over many laps at once and faster than real time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    policy: Annotated[Path, typer.Argument(help="The policy file (.onnx).")],
    track: Annotated[list[str], typer.Option(help="A name in worlds/, a track file, or a route (.npy); repeatable.")],
    trials: Annotated[int, typer.Option(help="Laps a track.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Of starts and looks.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for every trial and the fractions.")] = None,
    look: Annotated[
        str, typer.Option(help="plain, or random: looks, mounts and cars as varied as in training.")
    ] = "plain",
    both: Annotated[bool, typer.Option("--both-directions", help="Drive each track the other way, too.")] = False,
    car: Annotated[str, typer.Option(help="A name in config/cars, or a car file.")] = "deepracer",
) -> None:
    """Drive many laps with a policy in the built-in simulator, without ROS and faster than real time.

    Every lap begins at rest at a random place. It is clean when all four wheels never leave the road at once.

    Example: [bold]outlap evaluate policy.onnx --track oval --track hairpins --trials 50[/]
    """
    from dataclasses import replace
    from itertools import groupby

    from rich.console import Console
    from rich.table import Table

    from outlap.cli.progress import bars
    from outlap.errors import OutlapError
    from outlap.files import write_atomic
    from outlap.learning.evaluate import evaluate as drive
    from outlap.learning.evaluate import summarise
    from outlap.policy.file import load_policy
    from outlap.racing.preflight import check_file
    from outlap.simulation.randomization import load_randomization
    from outlap.track.formats import load_track
    from outlap.vehicle.car import load_car

    if look not in ("plain", "random"):
        raise OutlapError(f"--look {look!r}: choose plain or random.")
    if json is not None:
        check_file(json)  # now, not after all laps
    varied = load_randomization("full" if look == "random" else "off")
    described = load_car(car)
    loaded = load_policy(policy, car=described)
    tracks = [load_track(name) for name in track]
    if both:
        tracks += [replace(one.reversed(), name=f"{one.name} reversed") for one in tracks]
    console = Console()
    total = trials * len(tracks)
    with bars(console) as display:
        bar = display.add_task("laps", total=total, note="")
        found = drive(loaded, tracks, described, trials, seed, varied, lambda done: display.update(bar, completed=done))
        display.update(bar, completed=total)
    result = summarise(found, loaded, seed, look)
    table = Table("track", "clean", "completed", "mean lap", "off track")
    for name, group in groupby(found, key=lambda trial: trial.track):
        laps = list(group)
        times = [lap.lap_time_s for lap in laps if lap.lap_time_s is not None]
        table.add_row(
            name,
            f"{sum(lap.clean for lap in laps)}/{len(laps)}",
            f"{sum(lap.completed for lap in laps)}/{len(laps)}",
            f"{sum(times) / len(times):.2f} s" if times else "–",
            str(sum(lap.off_track for lap in laps)),
        )
    console.print(table)
    clean = sum(trial.clean for trial in found)
    console.print(f"{clean} of {total} laps clean ({result.clean_fraction:.1%}), look {look}, seed {seed}")
    if json is not None:
        write_atomic(json, result.model_dump_json(indent=2) + "\n")
