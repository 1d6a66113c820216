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
from rich.text import Text


class RateColumn(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        """The rate since the bar began."""
        speed = task.finished_speed or task.speed
        return Text("" if not speed else f"{speed:.3g}/s" if speed < 1000 else f"{speed:,.0f}/s", style="cyan")


def bars(console: Console) -> Progress:
    """Bars with count, rate, elapsed time, time left and a note."""
    return Progress(
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )
