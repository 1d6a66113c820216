"""``outlap runs``: lists training runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from outlap.learning.runs.info import RunInfo

SOME_DAMAGED = 1  # exit code
WIDE = 240  # columns


def runs(
    folder: Annotated[Path, typer.Argument(help="A folder of runs, or a run's own.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")] = False,
) -> None:
    """List the training runs in a folder and below: recipe, seed, how each stands, clean laps, lap time and when.

    Clean laps and lap time are those of the last validation; of an unfinished run those of its best policy so far. A
    run whose folder is damaged is named, with the reason, beside the others; the exit code is then 1. Links and hidden
    folders are not entered.

    Example: [bold]outlap runs runs --json[/]
    """
    from outlap.learning.runs.folder import find_runs
    from outlap.learning.runs.info import RunStatus, printable

    infos = [run.info() for run in find_runs(folder)]
    if as_json:
        print(json.dumps([info.model_dump(mode="json") for info in infos], indent=2))
    elif infos:
        _print(infos)
    else:
        print(f"no runs in {printable(str(folder))}")
    if any(info.status is RunStatus.DAMAGED for info in infos):
        raise typer.Exit(SOME_DAMAGED)


def _print(infos: list[RunInfo]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from outlap.cli.shared.laps import seconds

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold")
    for heading in ("recipe", "seed", "state", "clean", "lap", "changed"):
        table.add_column(heading, no_wrap=True)
    for info in infos:
        cells = (
            info.path,
            info.recipe or "–",
            "–" if info.seed is None else str(info.seed),
            _state(info),
            "–" if info.clean_laps is None else f"{info.clean_laps:.1%}",
            seconds(info.lap_time_s),
            "–" if info.changed is None else f"{info.changed.astimezone():%Y-%m-%d %H:%M}",
        )
        table.add_row(*map(Text, cells))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDE  # a file or a pipe cuts nothing
    console.print(table)
    for info in infos:
        if info.problem:
            typer.echo(f"damaged: {info.problem}", err=True)
        for note in info.notes:
            print(f"note: {note}")


def _state(info: RunInfo) -> str:
    """``interrupted at student 3/20``."""
    if info.stage is None:
        return info.status.value
    return (
        f"{info.status.value} at {info.stage} {info.iteration}/{info.iterations}" if info.stage else info.status.value
    )
