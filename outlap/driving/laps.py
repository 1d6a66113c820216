"""What a lap is, for everybody who says "lap" or "clean": training, validation, evaluation, races and lessons.

A lap is once round from its own place of start, passing every part of the track in order, judged by base_link. Its end
is interpolated between two steps. A car is off the track when no wheel is on the road, which is DeepRacer's rule. A car
that has left the road, or has not got ahead for a while, is put back; that is counted, and the lap is then not clean.
A heat is a number of laps in a row from a standing start on the start line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlap.files import Model
from outlap.states import State, restore, snapshot
from outlap.track.footing import Footing

SLOWEST = 0.5  # m/s, mean speed below which laps are given up
LEAST_TIME = 60.0  # s, that even the shortest laps are given
STUCK_AFTER = 5.0  # s without getting ahead, after which a car is put back
LEAST_AHEAD = 0.1  # m, what counts as getting ahead
JUMP = 0.3  # m beyond what a car can have driven since it was last seen, and somebody carried it
DIGITS = 4  # of a lap's time in s

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class Lap(Model):
    """One completed lap."""

    time_s: float
    off_track: int  # times that no wheel was on the road
    put_back: int = 0  # times that the car was put back for another reason: stuck, or carried

    @property
    def clean(self) -> bool:
        """DeepRacer's rule, and nobody helped."""
        return self.off_track == 0 and self.put_back == 0


class Judged(NamedTuple):
    """What a step of n cars led to."""

    gained: Floats  # (n,) m along the lap, negative when driving backwards
    left_road: NDArray[np.bool_]  # (n,) no wheel is on the road, and one was before: put the car back
    stuck: NDArray[np.bool_]  # (n,) it has not got ahead for STUCK_AFTER s: put the car back
    laps: dict[int, Lap]  # by row, the laps that ended in this step


def time_limit(length: ArrayLike, laps: ArrayLike = 1) -> Floats:
    """Seconds (n,) after which ``laps`` (n,) laps in a row of ``length`` (n,) m are given up."""
    return np.maximum(np.asarray(laps) * np.asarray(length, dtype=np.float64) / SLOWEST, LEAST_TIME)


def is_carried(moved: float, since: float, max_speed: float) -> bool:
    """Whether a car of ``max_speed`` m/s cannot have driven ``moved`` m in the ``since`` s in which nobody saw it."""
    return moved > JUMP + max_speed * since


def mean_lap_time(laps: Sequence[Lap], digits: int = DIGITS) -> float | None:
    """Seconds, rounded to so many digits; None without any lap."""
    return round(float(np.mean([lap.time_s for lap in laps])), digits) if laps else None


class LapCounter:
    """Counts the laps of n cars.

    Attributes:
        length: (n,) m, of a lap of each car's track.
        progress: (n,) m that each car has got ahead since its start; backwards counts back.
        laps: (n,) completed since the start.

    Args:
        length: (n,) m, of a lap of each car's track.
    """

    STATE: ClassVar = {
        "length": "length",
        "progress": "progress",
        "laps": "laps",
        "s": "_s",
        "began": "_began",
        "off_track": "_off_track",
        "put_back": "_put_back",
        "off": "_off",
        "mark_time": "_mark_time",
        "mark": "_mark",
    }

    def __init__(self, length: ArrayLike) -> None:
        self.length: Floats = np.array(length, dtype=np.float64)
        n = len(self.length)
        self.progress = np.zeros(n)
        self.laps = np.zeros(n, dtype=np.int64)
        self._s = np.zeros(n)  # m, of base_link at the last step
        self._began = np.zeros(n)  # s, when the lap under way began
        self._off_track = np.zeros(n, dtype=np.int64)  # in the lap under way
        self._put_back = np.zeros(n, dtype=np.int64)  # in the lap under way, for another reason
        self._off = np.zeros(n, dtype=bool)  # no wheel was on the road at the last step
        self._mark_time, self._mark = np.zeros(n), np.zeros(n)  # s, m: when it last got ahead, and how far it was then

    def start(self, rows: ArrayLike, s: ArrayLike, time: ArrayLike = 0.0, length: ArrayLike | None = None) -> None:
        """Begin the first laps of the cars ``rows`` (k,) with base_link at ``s`` (k,) m, at ``time`` (s).

        Args:
            rows: (k,) the cars.
            s: (k,) m along the lap, or one for all.
            time: (k,) s, or one for all.
            length: (k,) m, of a lap, where a car now stands on another track.
        """
        at = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        if length is not None:
            self.length[at] = length
        self._s[at], self._began[at], self._mark_time[at] = s, time, time
        self.progress[at] = self._mark[at] = 0
        self.laps[at] = self._off_track[at] = self._put_back[at] = 0
        self._off[at] = False

    def ahead(self, s: ArrayLike) -> Floats:
        """Metres (n,) along the lap from each car's last place to progress ``s`` (n,), by the shorter way round."""
        return (np.asarray(s) - self._s + self.length / 2) % self.length - self.length / 2

    def step(self, time: ArrayLike, elapsed: ArrayLike, footing: Footing) -> Judged:
        """Judge where the cars stand.

        Args:
            time: (n,) s, or one for all.
            elapsed: (n,) s since the cars were last seen, or one for all.
            footing: of the n cars; one whose place is not finite is taken to be where it was.
        """
        seen = np.isfinite(footing.s)
        gained = np.where(seen, self.ahead(footing.s), 0.0)
        self._s = np.where(seen, footing.s, self._s)
        self.progress = self.progress + gained
        off = np.where(seen, footing.off_road, self._off)
        left_road = off & ~self._off
        self._off = off
        self._off_track += left_road
        time = np.broadcast_to(np.asarray(time, dtype=np.float64), gained.shape)
        got_ahead = self.progress > self._mark + LEAST_AHEAD
        self._mark_time = np.where(got_ahead, time, self._mark_time)
        self._mark = np.where(got_ahead, self.progress, self._mark)
        stuck = (time - self._mark_time > STUCK_AFTER) & ~off
        self._mark_time = np.where(stuck, time, self._mark_time)
        self._put_back += stuck
        beyond = self.progress - (self.laps + 1) * self.length
        finished = np.flatnonzero(beyond >= 0)
        ended = {}
        if len(finished):
            # Between two steps a car moves evenly, so a lap's time does not depend on when the steps are.
            part = np.minimum(beyond / np.maximum(gained, 1e-9), 1.0)
            crossed = time - np.broadcast_to(elapsed, gained.shape) * part
            for row in finished.tolist():
                ended[row] = self._complete(row, float(crossed[row]))
        return Judged(gained, left_road, stuck, ended)

    def helped(self, rows: ArrayLike) -> None:
        """The cars ``rows`` (k,) are put back for a reason that only the caller knows; their progress stays."""
        self._put_back[np.atleast_1d(np.asarray(rows, dtype=np.int64))] += 1

    def placed(self, rows: ArrayLike, time: float) -> None:
        """At ``time`` (s) the cars ``rows`` (k,) stand where they were put back: before that none could get ahead."""
        at = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        self._mark_time[at], self._mark[at], self._off[at] = time, self.progress[at], False

    def keep(self, rows: Rows) -> None:
        """From now on there are only the cars ``rows`` (k,), in this order."""
        for attribute in self.STATE.values():
            setattr(self, attribute, getattr(self, attribute)[rows])

    def state(self) -> State:
        """All that the next step depends on."""
        return snapshot(self)

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken.

        Raises:
            StateError: it is not of so many cars.
        """
        restore(self, state)

    def _complete(self, row: int, crossed: float) -> Lap:
        lap = Lap(
            time_s=round(crossed - float(self._began[row]), DIGITS),
            off_track=int(self._off_track[row]),
            put_back=int(self._put_back[row]),
        )
        self.laps[row] += 1
        self._began[row] = crossed
        self._off_track[row] = self._put_back[row] = 0
        return lap
