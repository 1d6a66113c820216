"""A race as it is being driven: the referee's judgement, the latency, the driven line and the film, kept together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from outlap import __version__
from outlap.driving.laps import Lap
from outlap.files import write_atomic
from outlap.racing.film import Film
from outlap.racing.latency import Latency, Milliseconds
from outlap.racing.picture import Place, draw_lap
from outlap.racing.referee import Referee, Verdict
from outlap.racing.result import FILM_FILE, PICTURE_FILE, RESULT_FILE, Result, Stop, lap_table, live_figures
from outlap.track.footing import Pose
from outlap.track.track import Track
from outlap.vehicle.car import Car

SPACING = 0.03  # m between two points of the drawn line
TELL_EVERY = 5.0  # s between two lines about the film's progress

Picture = NDArray[np.uint8]


class Race:
    """Takes what is seen of a race; times are simulated (``time``) or of the caller's steady clock (``now``), in s."""

    def __init__(
        self, track: Track, car: Car, policy: Path, laps: int, time_limit: float = 0.0, simulator: str = "builtin"
    ) -> None:
        """See :class:`Referee` for ``laps`` and ``time_limit``; of a race without end no line and no film is kept.

        The names of ``policy`` and ``simulator`` are only for the result.
        """
        self.policy_digest = ""
        self.line: list[Place] = []
        self.film = Film(car.steering.max_angle, car.drive.max_speed, car.camera.rate)
        self.track = track
        self._car, self._policy, self._wanted, self._simulator = car, policy, laps, simulator
        self._referee = Referee(track, car, laps, time_limit)
        self._latency = Latency()
        self._stops: list[Stop] = []
        self._began: tuple[float, float] | None = None  # (simulated, steady) s
        self._last = (0.0, 0.0)  # (simulated, steady) s
        self._views = 0
        self._newest_view: Picture | None = None
        self._sent = (0.0, 0.0)  # (rad, m/s), what the actuator got last

    @property
    def start_pose(self) -> Pose:
        return self._referee.start_pose

    @property
    def laps(self) -> list[Lap]:
        return self._referee.laps

    @property
    def streak(self) -> int:
        return self._referee.streak

    @property
    def finished(self) -> bool:
        return self._referee.finished

    def start(self, time: float, now: float) -> None:
        """Go."""
        self._began = self._last = (time, now)
        self._referee.start(time)

    def step(self, time: float, now: float, pose: Pose, speed: float) -> Verdict:
        """The car is at ``pose`` with ``speed`` m/s."""
        self._last = (time, now)
        if self._wanted and (not self.line or np.hypot(pose.x - self.line[-1].x, pose.y - self.line[-1].y) > SPACING):
            self.line.append(Place(pose.x, pose.y, speed))
        verdict = self._referee.step(time, pose)
        if not self._wanted and (verdict.lap or verdict.put_back):
            self._latency, self._stops = Latency(), []
        return verdict

    def raw_image(self, stamp: int, now: float, image: Picture) -> None:
        """The camera's picture (H, W, 3), stamped ``stamp`` ns of simulated time, arrived."""
        if self._began is not None and not self.finished:
            self._latency.image(stamp, now)
            if self._wanted:
                self.film.add(image, self._newest_view, stamp * 1e-9 - self._began[0], len(self.laps) + 1, *self._sent)

    def view_image(self, now: float, view: Picture) -> None:
        """The canonical view (h, w) arrived."""
        self._newest_view = view
        self._views += self._running

    def actuator(self, stamp: int, now: float, steering: float, wheel_speed: float) -> None:
        """``steering`` rad and ``wheel_speed`` rad/s were sent because of the image stamped ``stamp`` ns."""
        self._sent = (steering, self._car.speed(wheel_speed))
        if self._running:
            self._latency.actuator(stamp, now)

    def stopped(self, reason: str) -> None:
        """The motor's gate stopped the car."""
        if self._began is not None:
            self._stops.append(Stop(time_s=round(self._last[0] - self._began[0], 3), reason=reason))

    def progress(self) -> str:
        """How far the race is, how fast it goes and how long it may still take, in one line."""
        referee, elapsed = self._referee, self._last[0] - (self._began or self._last)[0]
        part = referee.progress / referee.lap_length - len(referee.laps)
        speed = referee.progress / elapsed if elapsed > 0 else 0.0
        left = max(referee.time_limit - elapsed, 0.0)
        return f"lap {len(referee.laps) + 1}: {part:.0%}, {speed:.2f} m/s so far, {left:.0f} s left of the time limit"

    def latency(self) -> Milliseconds:
        """From frame to actuator, up to now."""
        return self._latency.milliseconds()

    def result(self) -> Result:
        """How the race went, up to now."""
        began = self._began or self._last
        simulated, steady = self._last[0] - began[0], self._last[1] - began[1]
        referee = self._referee
        return Result(
            track=self.track.name,
            policy=str(self._policy),
            policy_digest=self.policy_digest,
            car=self._car.name,
            simulator=self._simulator,
            laps=referee.laps,
            clean_laps=sum(lap.clean for lap in referee.laps),
            laps_wanted=self._wanted,
            completed=referee.completed,
            time_s=round(simulated, 3),
            time_limit_s=round(referee.time_limit, 3),
            stops=self._stops,
            frame_to_actuator_ms=self.latency(),
            camera_hz=round(self._views / steady, 2) if steady > 0 else 0.0,
            real_time_factor=round(simulated / steady, 4) if steady > 0 else 0.0,
            outlap_version=__version__,
        )

    @property
    def _running(self) -> bool:
        return self._began is not None and not self.finished


def report(
    race: Race, result: Result, folder: Path, json: Path | None = None, clock: Callable[[], float] | None = None
) -> None:
    """Print the lap table and write result.json, lap.png and drive.mp4 into ``folder``, and the result to ``json``.

    By ``clock``, steady s, the film's progress is told now and then.

    Raises:
        OutlapError: a folder cannot be written.
    """
    console = Console()
    console.print(lap_table(result))
    console.print(live_figures(result), highlight=False)
    for stop in result.stops:
        console.print(f"the motor stopped the car at {stop.time_s:.2f} s: {stop.reason}", highlight=False)
    text = result.model_dump_json(indent=2) + "\n"
    for path in filter(None, (folder / RESULT_FILE, json)):
        write_atomic(path, text)
    draw_lap(folder / PICTURE_FILE, race.track, race.line, result)
    if len(race.film):
        console.print(f"writing {folder / FILM_FILE} ({len(race.film)} frames) …")
        race.film.write(folder / FILM_FILE, _teller(console, len(race.film), clock) if clock else lambda count: None)
    console.print(f"results are in {folder}")


def _teller(console: Console, frames: int, clock: Callable[[], float]) -> Callable[[int], None]:
    began = told = clock()

    def tell(done: int) -> None:
        nonlocal told
        now = clock()
        if now - told >= TELL_EVERY:
            told, rate = now, done / (now - began)
            left = (frames - done) / rate
            console.print(f"{FILM_FILE}: {done / frames:.0%}, {rate:.0f} frames/s, {left:.0f} s left", highlight=False)

    return tell
