"""What ``evaluate`` and ``compare`` share: their options, how laps are planned and shown, and their tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from outlap.driving.choice import Driver
    from outlap.evaluation.assess import Plan
    from outlap.evaluation.suite import Row
    from outlap.vehicle.car import Car

Tracks = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        help="A name in worlds/, a track file, a route (.npy), or a folder of these; repeatable.",
        show_default="all of worlds/",
    ),
]
Both = Annotated[bool, typer.Option("--both-directions", help="Drive each track the other way, too.")]
Trials = Annotated[int, typer.Option(help="Trials (laps, or several in a row) a track, direction and seed.", min=1)]
InARow = Annotated[
    int, typer.Option("--laps", help="Laps in a row of each trial; it is clean when all of them are.", min=1, max=1000)
]
FromLine = Annotated[
    bool,
    typer.Option(
        "--from-line", help="Begin each trial on the start line, as a race does, instead of anywhere: a heat."
    ),
]
Seeds = Annotated[
    list[int] | None,
    typer.Option("--seed", "--seeds", help="Of starts, looks and cars; repeatable.", show_default="0", min=0),
]
Varied = Annotated[
    str,
    typer.Option("--randomization", help="off, mild, full or validation (looks never trained on), or a .yaml file."),
]
Jobs = Annotated[
    int | None,
    typer.Option(help="Processes; results do not depend on it.", show_default="all cores", min=1),
]
CarName = Annotated[str, typer.Option("--car", help="A name in config/cars, or a car file.")]


def plan_of(
    tracks: list[str] | None,
    both: bool,
    trials: int,
    seeds: list[int] | None,
    varied: str,
    rows: dict[str, Row],
    in_a_row: int = 1,
    from_line: bool = False,
) -> Plan:
    """What these options ask for.

    Raises:
        OutlapError: a track or the randomization is refused, or a seed is given twice.
    """
    from outlap.errors import OutlapError
    from outlap.simulation.clock import LIVE_DELAY
    from outlap.simulation.randomization import OFF, load_randomization

    wanted = seeds or [0]
    if len(set(wanted)) < len(wanted):
        raise OutlapError("--seed: the same seed twice would drive the same laps again; give each once.")
    drawn = load_randomization(varied)  # before the slow imports
    from outlap.track.gathering import gather_tracks

    gathered = gather_tracks(tracks or [], both)
    from outlap.evaluation.assess import Plan

    if from_line and drawn == OFF and trials * len(wanted) > (delays := LIVE_DELAY[1] - LIVE_DELAY[0] + 1):
        print(
            f"note: without --randomization heats on one track differ only in how late commands are ({delays} ways), "
            "so more of them say nothing new: add --randomization validation, for one.",
            file=sys.stderr,
        )
    return Plan(gathered, trials, wanted, varied, drawn, rows, in_a_row, from_line)


def driver_of(word: str, car: Car, speed: float) -> Driver:
    """The driver that ``word`` means: ``line``, or a policy file.

    Raises:
        OutlapError: the file is refused.
    """
    from outlap.driving.choice import LineDriver, PolicyDriver

    if word == "line":
        return LineDriver(min(speed, car.drive.max_speed))
    return PolicyDriver.load(Path(word), car)


@contextmanager
def counting(total: int) -> Iterator[Callable[[int], None]]:
    """A bar over ``total`` laps; gives what to call with the number of laps that ended."""
    from rich.console import Console

    from outlap.cli.shared.progress import bars

    with bars(Console(stderr=True)) as display:
        bar = display.add_task("laps", total=total, note="")
        yield lambda ended: display.advance(bar, ended)


def trials_word(in_a_row: int, from_line: bool) -> str:
    """What a plan's trials are called: ``laps``, or ``heats of 3 laps``."""
    if from_line:
        return f"heats of {in_a_row} lap{'s' if in_a_row > 1 else ''}"
    return "laps" if in_a_row == 1 else f"trials of {in_a_row} laps"


def percent(k: int, n: int) -> str:
    """``k/n`` with its share."""
    return f"{k}/{n} ({k / n:.1%})"


def seconds(value: float | None) -> str:
    """A time, or a dash."""
    return "–" if value is None else f"{value:.2f} s"


def ratio(value: float | None) -> str:
    """A ratio, or a dash."""
    return "–" if value is None else f"{value:.3f}"


def listed(numbers: Sequence[int]) -> str:
    """Numbers with commas."""
    return ", ".join(map(str, numbers))
