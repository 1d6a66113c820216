"""Progress bars of long jobs: how far, how fast, and how long still."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from outlap.learning.runs.status import Status

if TYPE_CHECKING:
    from outlap.learning.runs.run import Progress as TrainingProgress

# How a bar words a run's measures.
SHOWN = {
    "clean_laps": "clean laps {:.0%}",
    "lap_time": "lap {:.1f} s",
    "steps_per_s": "{:,.0f} pictures/s",
    "reward": "reward {:.2f}",
    "loss": "loss {:.3f}",
    "crashes": "crashes {:.2g}/min",
}


class RateColumn(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        """The rate since the bar began."""
        speed = task.finished_speed or task.speed
        return Text("" if not speed else f"{speed:.3g}/s" if speed < 1000 else f"{speed:,.0f}/s", style="cyan")


def bars(console: Console) -> Progress:
    """Bars with count, rate, time taken, time left and a note; the note is cut where the terminal is narrow."""
    return Progress(
        TextColumn("{task.description:<7}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=12),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        RateColumn(table_column=Column(no_wrap=True, min_width=7)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        TextColumn("left  {task.fields[note]}", table_column=Column(no_wrap=True, ratio=1, overflow="ellipsis")),
        console=console,
        expand=True,
    )


class TrainingDisplay:
    """How a training run gets on: bars on a terminal; in a log a line each tenth of a stage.

    Args:
        title: a line above, once the run has begun.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._console = Console()
        self._bars = bars(self._console)
        self._tasks: dict[str, TaskID] = {}
        self._status = Status()
        self._said: set[tuple[str, int]] = set()

    def __enter__(self) -> TrainingDisplay:
        return self

    def __exit__(self, *error: object) -> None:
        if self._tasks:
            self._bars.stop()

    def report(self, progress: TrainingProgress) -> None:
        """Show ``progress``."""
        if not self._tasks:
            self._console.print(self._title)
            self._bars.start()
        self._status.add(time.monotonic(), progress)
        if progress.stage not in self._tasks:
            self._tasks[progress.stage] = self._bars.add_task(progress.stage, total=progress.total, note="")
        self._bars.update(self._tasks[progress.stage], completed=progress.done, note=noted(progress.measures))
        tenth = progress.stage, 10 * progress.done // progress.total
        if not self._console.is_terminal and tenth not in self._said:
            self._said.add(tenth)
            print(self._status.line(), flush=True)


def noted(measures: dict[str, float]) -> str:
    """The measures that a person watches, the most important first."""
    found = ((words, measures[name]) for name, words in SHOWN.items() if name in measures)
    return "  ".join(words.format(value) for words, value in found)
