"""A run's learning curves: kept in its checkpoints, shown by TensorBoard while it learns, drawn when it is finished."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from outlap.files import replaced
from outlap.states import State, check_keys, under

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# What is drawn, from top to bottom: name of the measure, and what it means.
DRAWN = (
    ("reward", "reward a step"),
    ("loss", "loss"),
    ("crashes", "crashes a car and minute"),
    ("clean_laps", "clean laps, part of all"),
    ("lap_time", "lap time, s"),
)


class Curves:
    """Measures over a run's iterations.

    Args:
        folder: for TensorBoard's event files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[tuple[str, float, dict[str, float]]] = []  # stage, s since the run began, measures
        self._writer: SummaryWriter | None = None

    def add(self, stage: str, seconds: float, measures: dict[str, float]) -> None:
        """An iteration of ``stage`` ended ``seconds`` after the run began."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # late: it takes a moment

            # What an interrupted run wrote beyond its checkpoint is not shown.
            self._writer = SummaryWriter(str(self._folder), purge_step=len(self._rows))
        for name, value in measures.items():
            self._writer.add_scalar(f"{stage}/{name}", value, len(self._rows))
        self._rows.append((stage, seconds, measures))
        self._writer.flush()

    def close(self) -> None:
        """Write what TensorBoard still has to be told."""
        if self._writer is not None:
            self._writer.close()

    def state(self) -> State:
        """All measures."""
        return {"rows": [list(row) for row in self._rows]}

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken.

        Raises:
            StateError: it holds no measures.
        """
        with under("rows"):
            self._rows = [
                (str(stage), float(seconds), {str(name): float(value) for name, value in measures.items()})
                for stage, seconds, measures in check_keys(state, ("rows",))["rows"]
            ]

    def draw(self, path: Path) -> None:
        """The curves over time as a PNG picture."""
        from matplotlib.figure import Figure  # without pyplot, which would look for a screen

        drawn = [(name, words) for name, words in DRAWN if any(name in measures for _, _, measures in self._rows)]
        figure = Figure(figsize=(8, 1.2 + 1.7 * len(drawn)), dpi=110, layout="constrained")
        panels = figure.subplots(max(len(drawn), 1), 1, sharex=True, squeeze=False)[:, 0]
        stages = dict.fromkeys(stage for stage, _, _ in self._rows)
        for panel, (name, words) in zip(panels, drawn, strict=False):
            for colour, stage in enumerate(stages):
                points = [(at, measures[name]) for of, at, measures in self._rows if of == stage and name in measures]
                if points:
                    panel.plot(*zip(*points, strict=True), marker=".", color=f"C{colour}", label=stage)
            panel.set_ylabel(words, fontsize=8)
            panel.grid(alpha=0.3)
            panel.legend(fontsize=8, loc="best")
        panels[-1].set_xlabel("time since the run began, s")
        with replaced(path) as temporary:
            figure.savefig(temporary, format="png")
