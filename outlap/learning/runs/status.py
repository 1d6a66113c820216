"""How a training run is getting on, in plain values: kept from the progress that it reports."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outlap.learning.runs.run import Progress

WINDOW = 100  # reports, over which the pace is measured
LASTING = ("clean_laps", "lap_time")  # measures of the best policy so far, which no stage takes back


class Status:
    """The newest progress with its pace; times are seconds of the caller's steady clock."""

    def __init__(self) -> None:
        self.reports = 0  # heard so far
        self._newest: Progress | None = None
        self._measures: dict[str, float] = {}
        self._paces: deque[tuple[float, int]] = deque(maxlen=WINDOW)  # when, and how many were done, in this stage

    def add(self, now: float, progress: Progress) -> None:
        """The run reported ``progress`` at ``now``."""
        if self._newest is None or progress.stage != self._newest.stage or progress.done < self._newest.done:
            self._measures = {name: value for name, value in self._measures.items() if name in LASTING}
            self._paces.clear()
        self._newest = progress
        self._measures |= progress.measures
        self._paces.append((now, progress.done))
        self.reports += 1

    def paused(self) -> None:
        """Time passes without progress, and says nothing about the pace."""
        self._paces.clear()

    def values(self) -> dict[str, str | int | float]:
        """``stage``, ``done`` and ``total`` of its iterations, ``per_second``, ``left_s`` of this stage, and the run's
        own measures by name; what is not known yet is missing."""
        if self._newest is None:
            return {}
        values: dict[str, str | int | float] = {
            "stage": self._newest.stage,
            "done": self._newest.done,
            "total": self._newest.total,
        }
        if len(self._paces) > 1 and (pace := self._pace()) > 0:
            values |= {"per_second": pace, "left_s": (self._newest.total - self._newest.done) / pace}
        return values | self._measures

    def line(self) -> str:
        """The same in one line, for people."""
        values = self.values()
        if not values:
            return "starting"
        stage, done, total = (values.pop(name) for name in ("stage", "done", "total"))
        words = [f"{stage} {done}/{total}"]
        pace, left = values.pop("per_second", None), values.pop("left_s", None)
        if pace is not None and left is not None:
            words.append(f"{pace:.3g}/s, {left:.0f} s left")
        return ", ".join(words) + "".join(f"  {name} {value:.3g}" for name, value in values.items())

    def _pace(self) -> float:
        """Iterations a second."""
        (began, first), (ended, last) = self._paces[0], self._paces[-1]
        return (last - first) / max(ended - began, 1e-9)
