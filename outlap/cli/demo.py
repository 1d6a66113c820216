"""``outlap demo``: trains a policy, then races it; what ``make demo`` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    track: Annotated[str, typer.Option(help="Track to race on: a name in worlds/, a track file, or a route (.npy).")],
    out: Annotated[Path, typer.Option(help="Folder for the policy and the results.")] = Path("runs/demo"),
    preset: Annotated[str, typer.Option(help="A name in config/training, or a training file.")] = "quick",
    laps: Annotated[int, typer.Option(help="Clean laps in a row that end the race well.", min=1)] = 3,
    car: Annotated[str, typer.Option(help="A name in config/cars, or a car file.")] = "deepracer",
    seed: Annotated[int, typer.Option(help="Of training and simulation.", min=0)] = 0,
) -> None:
    """Train a camera policy on generated tracks, then race it on TRACK through live ROS 2 nodes.

    The same as [bold]outlap train[/] and then [bold]outlap race[/]; what could stop the race is checked before the
    training begins.

    Example: [bold]outlap demo --track meadow[/]
    """
    from outlap.cli.race import run_race
    from outlap.cli.train import run_train
    from outlap.launching.domain import claim_domain
    from outlap.racing.preflight import check_surroundings

    check_surroundings(track, laps, None, out, car)
    with claim_domain():
        pass  # a taken domain should be heard of now, not after minutes of training
    policy = run_train(out, preset, car, seed, again=True)
    raise typer.Exit(run_race(policy, track, laps, None, out, car, seed))
