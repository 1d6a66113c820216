"""Rates and paces over a time that the caller passes in; nothing here reads a clock."""

from __future__ import annotations

from collections import deque


class Rate:
    """How often something happened over the last ``window`` seconds."""

    def __init__(self, window: float = 2.0) -> None:
        self._window = window  # s
        self._times: deque[float] = deque()

    def add(self, now: float) -> None:
        """It happened at ``now`` (s, never decreasing)."""
        self._times.append(now)
        self._forget(now)

    def hertz(self, now: float) -> float:
        """Happenings per second over the window that ends at ``now``; 0 when there were fewer than two."""
        self._forget(now)
        if len(self._times) < 2:
            return 0.0
        # Counting the gaps makes a steady 30 Hz read 30.0; the open gap at the end lets a stopped source fall to 0.
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], now - self._times[0] - self._gap, 1e-9)

    @property
    def _gap(self) -> float:
        return (self._times[-1] - self._times[0]) / (len(self._times) - 1)

    def _forget(self, now: float) -> None:
        while self._times and now - self._times[0] > self._window:
            self._times.popleft()


class Intervals:
    """How far apart the last ``count`` happenings were."""

    def __init__(self, count: int = 500) -> None:
        self._gaps: deque[float] = deque(maxlen=count)  # s
        self._last: float | None = None

    def add(self, now: float) -> None:
        """It happened at ``now`` (s)."""
        if self._last is not None:
            self._gaps.append(now - self._last)
        self._last = now

    def quantile(self, part: float) -> float:
        """The gap in s that ``part`` (0 to 1) of the gaps do not exceed; 0 before there are any."""
        gaps = sorted(self._gaps)
        return gaps[min(int(part * len(gaps)), len(gaps) - 1)] if gaps else 0.0


class Pacer:
    """Deadlines of a loop that should run once a ``period`` and slows down, without bursts, when it cannot.

    A late step may be followed by one after half a period, which absorbs jitter; lost time beyond that is lost.
    """

    def __init__(self, period: float, now: float) -> None:
        self.period = period  # s
        self.deadline = now + period  # s, when the next step is due

    def wait(self, now: float) -> float:
        """Seconds until the next step is due; 0 when it is."""
        return max(self.deadline - now, 0.0)

    def stepped(self, now: float) -> None:
        """A step begins at ``now``: set the deadline of the next."""
        self.deadline = max(self.deadline + self.period, now + self.period / 2)
