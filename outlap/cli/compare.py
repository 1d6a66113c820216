"""``outlap compare``: which of several policies is better, and whether the difference could be chance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlap.cli.shared.laps import Both, CarName, FromLine, InARow, Jobs, Seeds, Tracks, Trials, Varied

if TYPE_CHECKING:
    from outlap.evaluation.compare import Comparisons


def compare(
    policies: Annotated[list[str], typer.Argument(help="Two policy files or more (.onnx, or 'line').")],
    track: Tracks = None,
    both: Both = False,
    trials: Trials = 20,
    laps: InARow = 1,
    from_line: FromLine = False,
    seed: Seeds = None,
    randomization: Varied = "off",
    json: Annotated[Path | None, typer.Option(help="File for all figures.")] = None,
    speed: Annotated[float, typer.Option(help="Speed limit of 'line' in m/s.", min=0.1)] = 2.0,
    jobs: Jobs = None,
    car: CarName = "deepracer",
) -> None:
    """Drive the same laps with several policies and compare each with the first.

    The same starts, looks and cars for all; McNemar's exact test on which laps are clean, and a 95 % interval of the
    difference in lap time over laps that both drove cleanly.

    Example: [bold]outlap compare before.onnx after.onnx --both-directions --randomization validation[/]
    """
    from outlap.vehicle.car import load_car

    described = load_car(car)  # before the slow imports
    from outlap.cli.shared.laps import counting, driver_of, plan_of
    from outlap.errors import OutlapError
    from outlap.files import write_atomic
    from outlap.racing.preflight import check_file

    if len(policies) < 2:
        raise OutlapError("a comparison needs two policies or more: outlap compare A.onnx B.onnx.")
    if json is not None:
        check_file(json)
    plan = plan_of(track, both, trials, seed, randomization, {}, laps, from_line)
    from outlap.evaluation.compare import Comparisons, Side
    from outlap.evaluation.compare import compare as compared
    from outlap.evaluation.laps import planned
    from outlap.evaluation.report import counted
    from outlap.evaluation.sharing import Task, cores, drive_all

    drivers = [driver_of(word, described, speed) for word in policies]
    starts = planned(plan.tracks, plan.trials, plan.seeds, plan.laps_in_a_row, plan.from_line)
    with counting(len(starts) * len(drivers)) as report:
        tasks = [Task(driver, plan.randomization, starts) for driver in drivers]
        driven = drive_all(tasks, plan.tracks, described, jobs or cores(), report)
    tallies = [counted(one.trials) for one in driven]
    result = Comparisons(
        car=described.name,
        randomization=randomization,
        laps_in_a_row=laps,
        from_line=from_line,
        seeds=list(plan.seeds),
        tracks=[one.name for one in plan.tracks],
        sides=[
            Side(policy=who.name, digest=who.digest, clean=tally.clean, mean_lap_time_s=tally.mean_lap_time_s)
            for who, tally in zip(drivers, tallies, strict=True)
        ],
        comparisons=[
            compared(drivers[0].name, driven[0].trials, who.name, one.trials, len(drivers) - 1)
            for who, one in zip(drivers[1:], driven[1:], strict=True)
        ],
    )
    _print(result, len(starts))
    if json is not None:
        write_atomic(json, result.model_dump_json(indent=2) + "\n")


def _print(result: Comparisons, laps: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from outlap.cli.shared.laps import listed, percent, seconds, trials_word

    console, letters = Console(), [chr(ord("A") + k) for k in range(len(result.sides))]
    table = Table("", "policy", "clean", "mean lap")
    for letter, side in zip(letters, result.sides, strict=True):
        table.add_row(letter, side.policy, percent(side.clean, laps), seconds(side.mean_lap_time_s))
    console.print(table)
    table = Table("less A", "clean", "95 %", "p", "lap time", "95 %")
    for letter, one in zip(letters[1:], result.comparisons, strict=True):
        low, high = one.clean_interval
        mean, times = one.time_difference_s, one.time_interval_s
        table.add_row(
            letter,
            f"{one.clean_difference:+.1%}",
            f"{low:+.1%} … {high:+.1%}",
            f"{one.p_value:.2g}",
            "–" if mean is None else f"{mean:+.3f} s",
            "–" if times is None else f"{times.low:+.3f} … {times.high:+.3f}",
        )
    console.print(table)
    for letter, one in zip(letters[1:], result.comparisons, strict=True):
        print(f"{letter} against A: {one.verdict}")
    trials = trials_word(result.laps_in_a_row, result.from_line)
    print(
        f"{laps} {trials} each on {len(result.tracks)} tracks, randomization {result.randomization}, "
        f"seed{'s' if len(result.seeds) > 1 else ''} {listed(result.seeds)}"
    )
