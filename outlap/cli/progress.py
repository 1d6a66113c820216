"""Progress bars of long jobs: how far, how fast, and how long still."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text


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
