"""The referee of a live race: sees laps end, when a car leaves the road, and says when and where it is put back.

What a lap is, says :mod:`outlap.driving.laps`; the first one begins on the start line. The progress is followed step by
step along the centre line, always searched near the last one, so neither a short cut nor another car's hand can skip a
part: a car that is not where it can have driven to is put back where it was.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from outlap.driving import laps as rule
from outlap.driving.laps import Lap, LapCounter
from outlap.track.footing import Footing, Pose, centre_pose, footing, start_pose
from outlap.track.geometry import TrackSet
from outlap.track.locating import SEARCH
from outlap.track.track import Track
from outlap.vehicle.car import Car

LEAST_TIME_LIMIT = 120.0  # s: a race asks for clean laps in a row, and may take several attempts
PLACED_WITHIN = 0.1  # m from where it was put
PLACE_AGAIN_AFTER = 1.0  # s


class Verdict(NamedTuple):
    """What a step led to."""

    put_back: Pose | None = None  # put the car there, at rest
    reason: str = ""  # why
    lap: Lap | None = None  # just completed


class Referee:
    """One car's race on one track.

    Attributes:
        laps: the laps completed so far.
        streak: clean laps in a row, up to now.
        finished: the race is over, completed or out of time.
    """

    def __init__(self, track: Track, car: Car, laps: int, time_limit: float = 0.0) -> None:
        """``laps`` clean ones in a row win; ``time_limit`` in s, 0 for that many laps at 0.5 m/s, at least 120 s.

        Without ``laps`` (0) nothing ends the race.
        """
        self._tracks = TrackSet([track])
        self._length = float(self._tracks.length[0])  # m
        self._wanted = laps
        self.time_limit = time_limit or max(float(rule.time_limit(self._length, laps)), LEAST_TIME_LIMIT)  # s
        if not laps:
            self.time_limit = math.inf
        self._max_speed = car.drive.max_speed  # m/s
        self._car = car
        self.laps: list[Lap] = []
        self.streak = 0
        self.finished = False
        self._began = self._now = 0.0  # s
        self._counter = LapCounter([self._length])
        self._s = 0.0  # m along the lap, where the car was last judged
        self._placing: tuple[Pose, float] | None = None  # where the car is being put, and since when
        self._stands(self.start_pose, 0.0)  # compiled, or read from the cache, now rather than after "go"

    @property
    def start_pose(self) -> Pose:
        """On the start line, in the direction of travel."""
        return start_pose(self._tracks)

    @property
    def completed(self) -> bool:
        """Whether the wanted clean laps in a row were driven."""
        return 0 < self._wanted <= self.streak

    @property
    def lap_length(self) -> float:
        """Metres of a lap along the centre line."""
        return self._length

    @property
    def progress(self) -> float:
        """Metres driven along the lap since the start; backwards counts back."""
        return float(self._counter.progress[0])

    def start(self, time: float) -> None:
        """Go: the clock of lap 1 begins at ``time`` (s), the car standing at :attr:`start_pose`."""
        self._began = self._now = time
        self._counter.start(0, 0.0, time)

    def step(self, time: float, pose: Pose) -> Verdict:
        """Judge where the car is at ``time`` (s), unless the time has not advanced or the pose is no place."""
        if self.finished or time <= self._now or not all(map(math.isfinite, pose)):
            return Verdict()
        since, self._now = time - self._now, time
        if time - self._began > self.time_limit:
            self.finished = True
            return Verdict()
        if self._placing is not None:
            target, asked = self._placing
            if math.hypot(pose.x - target.x, pose.y - target.y) > PLACED_WITHIN:
                if time - asked > PLACE_AGAIN_AFTER:
                    self._placing = (target, time)
                    return Verdict(put_back=target, reason="asked again")
                return Verdict()
            self._placing = None
            self._counter.placed(0, time)
        return self._judge(time, since, pose)

    def _judge(self, time: float, since: float, pose: Pose) -> Verdict:
        # After a time in which it may have driven further than is searched, it can be anywhere on the lap.
        stands = self._stands(pose, self._s if self._max_speed * since < SEARCH else math.nan)
        if rule.is_carried(abs(float(self._counter.ahead(stands.s)[0])), since, self._max_speed):
            self._counter.helped(0)
            return self._place("carried")
        self._s = float(stands.s[0])
        judged = self._counter.step(time, since, stands)
        lap = judged.laps.get(0)
        if lap is not None:
            self.laps.append(lap)
            self.streak = self.streak + 1 if lap.clean else 0
            self.finished = self.completed
        if judged.left_road[0]:
            return self._place("off track", lap)
        if judged.stuck[0]:
            return self._place("stuck", lap)
        return Verdict(lap=lap)

    def _stands(self, pose: Pose, near: float) -> Footing:
        return footing(self._tracks, 0, self._car, pose, near)

    def _place(self, reason: str, lap: Lap | None = None) -> Verdict:
        self._placing = (centre_pose(self._tracks, self._s), self._now)
        return Verdict(self._placing[0], reason, lap)
