"""Plays a film as if a camera saw it now: each picture when it is due, stamped with the time at which it is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from outlap.camera.frame import Frame
from outlap.camera.view import View
from outlap.errors import OutlapError
from outlap.recording.films import Shot, open_film
from outlap.vehicle.car import Camera

LONGEST_GAP = 5.0  # s between two pictures; a longer one, or one back in time, is a clock that was set
SENTENCES = 5  # told of damaged pictures in one pass; the others are counted


class Pace:
    """When each picture is due, by the times between them. It slows down where it must, and never catches up in bursts.

    Args:
        period: s, which takes the place of a gap that cannot be.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._last: float | None = None  # s, time of the last picture
        self._due = 0.0  # s, when that was due
        self._shown = 0.0  # s, when it was shown

    def due(self, now: float, time: float) -> float:
        """When to show the next picture, which has ``time``; the first one at ``now``."""
        if self._last is None:
            return now
        gap = time - self._last
        if not 0 < gap <= LONGEST_GAP:
            gap = self._period
        return max(self._due + gap, self._shown + gap / 2)

    def shown(self, now: float, due: float, time: float) -> None:
        """The picture with ``time``, which was due at ``due``, is shown at ``now``."""
        self._last, self._due, self._shown = time, due, now

    def rewind(self) -> None:
        """The film begins anew, a period after its last picture."""
        if self._last is not None:
            self._last = float("inf")


class Playback:
    """A video, a folder of pictures or a recording in the place of a camera.

    Args:
        path: of it.
        camera: whose lens took the pictures, and at whose rate those of a folder are played.
        view: the canonical view, which a recording may hold instead of raw pictures.
        loop: whether it begins anew at its end.
        say: told each event in one sentence.

    Attributes:
        problem: why there are no frames any more, in one sentence; empty: there are.
        ended: whether there are none any more.

    Raises:
        OutlapError: there is nothing that can be played, or it has other proportions than the lens's picture.
    """

    def __init__(self, path: Path, camera: Camera, view: View, loop: bool, say: Callable[[str], object]) -> None:
        self.problem = ""
        self.ended = False
        self._path, self._loop, self._say = path, loop, say
        self._film = open_film(path, camera, view)
        self._pace = Pace(self._film.period)
        self._closing = threading.Event()
        self._told: list[str] = []  # of this pass
        self._shown = 0  # pictures in this pass
        self._shots: Iterator[Shot] = self._film.shots(self._tell)
        self._next = next(self._shots, None)
        if self._next is None:
            first = f" First: {self._told[0]}" if self._told else ""
            raise OutlapError(f"{path}: there is not one picture in it that can be shown.{first}")

    def next(self, timeout: float) -> Frame | None:
        """The next picture, at the moment when it is due; nothing when that is more than ``timeout`` s away."""
        if self._next is None and not self.ended:
            self._next = self._advance()  # well before it is due
        if (shot := self._next) is None:
            return None
        now = time.monotonic()
        due = self._pace.due(now, shot.time)
        if self._closing.wait(min(max(due - now, 0.0), timeout)) or due - now > timeout:
            return None
        now = time.monotonic()
        self._pace.shown(now, due, shot.time)
        self._next, self._shown = None, self._shown + 1
        return replace(shot.frame, captured=now)

    def close(self) -> None:
        """End a wait. Never raises, and may be called again."""
        self._closing.set()

    def _advance(self) -> Shot | None:
        try:
            shot = next(self._shots, None)
            if shot is not None:
                return shot
            if (more := len(self._told) - SENTENCES) > 0:
                self._say(f"{self._path}: {more} more pictures were left out")
            if self._loop and self._shown:
                self._told, self._shown = [], 0
                self._pace.rewind()
                self._shots = self._film.shots(self._tell)
                shot = next(self._shots, None)
            if shot is None:
                self._end(f"{self._path} has ended")
            return shot
        except OutlapError as error:
            self._end(str(error))
            return None

    def _tell(self, sentence: str) -> None:
        """A picture is left out."""
        self._told.append(sentence)
        if len(self._told) <= SENTENCES:
            self._say(sentence)

    def _end(self, problem: str) -> None:
        self.problem, self.ended = problem, True
        self._say(problem)
