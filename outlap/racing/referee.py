"""The referee: times laps, sees when a car leaves the road, and says when and where it is put back.

A lap counts when the car has passed every part of it in order. The progress is followed step by step along the centre
line, always searched near the last one, so neither a short cut nor another car's hand can skip a part: a car that is
not where it can have driven to is put back where it was.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from outlap.files import Model
from outlap.track.geometry import Located, TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car
from outlap.vehicle.outline import wheel_places

LIMIT_SPEED = 1.0  # m/s, average that the time limit allows for
MIN_TIME_LIMIT = 120.0  # s
STUCK_AFTER = 5.0  # s without getting ahead
AHEAD = 0.1  # m, what counts as getting ahead
JUMP = 0.3  # m beyond what the car can have driven since the last step, and it was carried
PLACED_WITHIN = 0.1  # m from where it was put
PLACE_AGAIN_AFTER = 1.0  # s


class Pose(NamedTuple):
    """Where base_link is."""

    x: float  # m
    y: float  # m
    yaw: float  # rad


class Lap(Model):
    """One completed lap."""

    time_s: float
    off_track: int  # times that all four wheels were beyond the borders at once
    put_back: int = 0  # times that the car was put back for another reason: stuck, or carried

    @property
    def clean(self) -> bool:
        """DeepRacer's rule, and nobody helped."""
        return self.off_track == 0 and self.put_back == 0


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
        """``laps`` clean ones in a row win; ``time_limit`` in s, 0 for that many laps at 1 m/s, at least 120 s.

        Without ``laps`` (0) nothing ends the race.
        """
        self._tracks = TrackSet([track])
        self._length = float(self._tracks.length[0])  # m
        self._wanted = laps
        self.time_limit = time_limit or max(laps * self._length / LIMIT_SPEED, MIN_TIME_LIMIT)  # s
        if not laps:
            self.time_limit = math.inf
        self._max_speed = car.drive.max_speed  # m/s
        self._car = car
        self.laps: list[Lap] = []
        self.streak = 0
        self.finished = False
        self._began = self._now = self._lap_began = 0.0  # s
        self._s = self._progress = 0.0  # m, within the lap and since the start
        self._mark = (0.0, 0.0)  # s, m: when it last got ahead, and how far it was then
        self._off_track = self._put_back = 0
        self._placing: tuple[Pose, float] | None = None  # where the car is being put, and since when
        self._locate(self.start_pose)  # compiled, or read from the cache, now rather than after "go"

    @property
    def start_pose(self) -> Pose:
        """On the start line, in the direction of travel."""
        return self._centre(0.0)

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
        return self._progress

    def start(self, time: float) -> None:
        """Go: the clock of lap 1 begins at ``time`` (s), the car standing at :attr:`start_pose`."""
        self._began = self._now = self._lap_began = time
        self._mark = (time, 0.0)

    def step(self, time: float, pose: Pose) -> Verdict:
        """Judge where the car is at ``time`` (s); times that do not advance are ignored."""
        if self.finished or time <= self._now:
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
            self._placing, self._mark = None, (time, self._progress)
        return self._judge(time, since, pose)

    def _judge(self, time: float, since: float, pose: Pose) -> Verdict:
        located = self._locate(pose)
        s = float(located.s[-1])
        moved = (s - self._s + self._length / 2) % self._length - self._length / 2
        if abs(moved) > JUMP + self._max_speed * since:
            return self._help("carried")
        before, self._s, self._progress = self._progress, s, self._progress + moved
        if not located.on_road[:4].any():
            self._off_track += 1
            return self._place("off track")
        if self._progress > self._mark[1] + AHEAD:
            self._mark = (time, self._progress)
        elif time - self._mark[0] > STUCK_AFTER:
            return self._help("stuck")
        line = (len(self.laps) + 1) * self._length
        if self._progress < line:
            return Verdict()
        # Between two steps the car moved evenly; so the lap's time does not depend on when the steps are.
        part = (self._progress - line) / max(self._progress - before, 1e-9)
        return Verdict(lap=self._complete(time - since * min(part, 1.0)))

    def _locate(self, pose: Pose) -> Located:
        """The four wheels and, last, base_link itself on the track."""
        points = np.vstack([wheel_places(self._car, *pose)[0], pose[:2]])
        return self._tracks.locate(0, points, np.full(len(points), self._s))

    def _complete(self, crossed: float) -> Lap:
        lap = Lap(time_s=round(crossed - self._lap_began, 4), off_track=self._off_track, put_back=self._put_back)
        self.laps.append(lap)
        self.streak = self.streak + 1 if lap.clean else 0
        self.finished = self.completed
        self._lap_began, self._off_track, self._put_back = crossed, 0, 0
        return lap

    def _help(self, reason: str) -> Verdict:
        self._put_back += 1
        return self._place(reason)

    def _place(self, reason: str) -> Verdict:
        self._placing = (self._centre(self._s), self._now)
        return Verdict(put_back=self._placing[0], reason=reason)

    def _centre(self, s: float) -> Pose:
        xy, heading = self._tracks.pose(0, [s])
        return Pose(float(xy[0, 0]), float(xy[0, 1]), float(heading[0]))
