"""The driving task: what the teacher knows, what an action means, what is rewarded and when an episode ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from outlap.driving.guide import Guide
from outlap.driving.laps import Judged, LapCounter
from outlap.driving.reward.reward import Moment, Reward, Scaled, progress
from outlap.driving.task_config import TaskConfig
from outlap.simulation.bodies import draw_bodies
from outlap.simulation.clock import TICK
from outlap.simulation.fleet import Fleet
from outlap.simulation.randomization import Randomization
from outlap.states import State, restore, snapshot, under
from outlap.track.footing import Footing
from outlap.track.geometry import TrackSet
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

AHEAD = (0.1, 0.25, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 1.8, 2.2, 2.7)  # m along the lap, where the teacher looks
FURTHER = 1.22  # times as far is the next place, where the car is so fast that it must look further
LOOK_AHEAD = 1.0  # s at the speed limit, which the teacher sees at least
WIDTH_SCALE = 0.5  # m, half road width that counts as one in the teacher's observation
RATE_SCALE = 4.0  # rad/s that count as one


def look_ahead(speed_limit: float) -> Floats:
    """Distances (k,) m along the lap at which a teacher looks that drives at most ``speed_limit`` m/s."""
    ahead = list(AHEAD)
    while ahead[-1] < LOOK_AHEAD * speed_limit:
        ahead.append(round(FURTHER * ahead[-1], 2))
    return np.array(ahead)


class DrivingTask:
    """n cars that learn to drive; an episode that ends begins anew at once.

    Actions have the shape (n, 2) and lie in -1 … 1: curvature as part of its limit, speed from its least to its limit.

    Attributes:
        fleet: the cars.
        age: (n,) steps since each car's episode began.
        last: (n, 2) the actions last taken.
        laps: counts the laps of each car, from where its episode began.
        judged: what the last step led to, as laps are judged; None before the first.

    Args:
        reward: of each step; by default the built-in one.
        one_lap: episodes end with a whole lap, too, as DeepRacer's do.
        chances: (T,) that an episode begins on each of the tracks; all alike if not given.
        guide: of these tracks, this car and this task, where another task has found it already.
    """

    STATE: ClassVar = {
        "fleet": "fleet",
        "rng": "rng",
        "age": "age",
        "last_action": "last",
        "episode_steps": "steps",
        "laps": "laps",
        "total_steps": "total_steps",
    }

    def __init__(
        self,
        tracks: TrackSet,
        car: Car,
        n: int,
        config: TaskConfig,
        seed: int,
        randomization: Randomization,
        reward: Reward | None = None,
        one_lap: bool = False,
        chances: Floats | None = None,
        guide: Guide | None = None,
    ) -> None:
        self.config = config
        self._chances, self._car = chances, car
        self._ahead = look_ahead(config.speed_limit)
        self._guide = guide  # else found when it is asked for: who only drives needs none
        self.table: Floats | None = None  # (k, 2) like actions, where they are a list
        if config.table is not None:
            self.table = self.to_action(*np.array(config.table).T)
        self.reward: Reward = partial(progress, config=config) if reward is None else reward
        self.one_lap = one_lap
        self.fleet = Fleet(tracks, car, n)
        self.rng = np.random.default_rng(seed)
        self.randomization = randomization
        self.age = np.zeros(n, dtype=np.int64)
        self.last = np.zeros((n, 2))
        self.steps = np.zeros(n, dtype=np.int64)  # like age, which begins at random
        self.laps = LapCounter(np.zeros(n))
        self.judged: Judged | None = None
        self.total_steps = 0
        self.episode_steps = round(config.episode_s * config.rate_hz)
        self.reset(np.arange(n))
        self.age[:] = self.rng.integers(0, self.episode_steps, n)  # so that not all episodes end at once

    def reset(self, rows: Rows) -> None:
        """Start the episodes of ``rows`` anew: somewhere on some track, a bit off, turned and moving."""
        k, rng, fleet = len(rows), self.rng, self.fleet
        count = len(fleet.tracks.tracks)
        track = rng.integers(0, count, k) if self._chances is None else rng.choice(count, k, p=self._chances)
        s = rng.random(k) * fleet.tracks.length[track]
        centre, heading = fleet.tracks.pose(track, s)
        middle, half = fleet.tracks.middle(track, s)
        # From anywhere on the road, kept a wheel's breadth from the borders.
        offset = np.sum((middle - centre) * np.stack([-np.sin(heading), np.cos(heading)], axis=1), axis=1)
        offset += rng.uniform(-1, 1, k) * np.maximum(half - 0.12, 0)
        speed = np.where(rng.random(k) < 0.2, 0, rng.uniform(0, self.config.speed_limit, k))
        if self._guide is not None:  # no faster than a car that follows the line
            speed = np.minimum(speed, self._guide.speed(track, s))
        draw_bodies(self.randomization.car, fleet, rows, rng)
        fleet.place(rows, track, s, offset, rng.normal(0, 0.2, k), speed)
        self.begin(rows)
        self.last[rows] = np.stack([np.zeros(k), self.to_action(0 * speed, speed)[:, 1]], axis=1)

    def start(self, rows: Rows, track: Rows, s: Floats, rng: np.random.Generator) -> None:
        """Start the episodes of ``rows`` at rest on the centre line at ``s`` m of ``track``, cars drawn by ``rng``."""
        draw_bodies(self.randomization.car, self.fleet, rows, rng)
        self.fleet.stand(rows, track, s)
        self.begin(rows)
        self.last[rows] = self.to_action(np.zeros(len(rows)), np.zeros(len(rows)))

    def begin(self, rows: Rows) -> None:
        """The episodes of ``rows`` begin where the cars are now."""
        self.age[rows] = self.steps[rows] = 0
        length = self.fleet.tracks.length[self.fleet.track[rows]]
        self.laps.start(rows, self.fleet.footing(rows).s, self.time, length)

    def keep(self, rows: Rows) -> None:
        """From now on there are only the cars ``rows`` (k,), in this order."""
        self.fleet.keep(rows)
        self.laps.keep(rows)
        self.age, self.steps, self.last = self.age[rows], self.steps[rows], self.last[rows]

    @property
    def time(self) -> float:
        """Seconds of simulated time since the task began."""
        return self.total_steps * self.config.ticks * TICK

    def to_command(self, action: Floats) -> tuple[Floats, Floats]:
        """Curvature (1/m) and speed (m/s) of actions (n, 2)."""
        c = self.config
        action = np.clip(action, -1, 1)
        return action[:, 0] * c.curvature_limit, c.speed_min + (action[:, 1] + 1) / 2 * (c.speed_limit - c.speed_min)

    def to_action(self, curvature: Floats, speed: Floats) -> Floats:
        """The inverse of :meth:`to_command`, (n, 2), clipped to -1 … 1."""
        c = self.config
        part = (speed - c.speed_min) / max(
            c.speed_limit - c.speed_min, 1e-9
        ) * 2 - 1  # one speed only: any part will do
        return np.clip(np.stack([curvature / c.curvature_limit, part], axis=1), -1, 1)

    def step(self, action: Floats) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
        """Take one action each.

        Returns:
            rewards (n,), whether the episode ended (n,), and whether it ended only because its time was up (n,).
        """
        c, fleet = self.config, self.fleet
        action = np.clip(action, -1, 1)
        curvature, speed = self.to_command(action)
        fleet.step(fleet.car.steering_angle(curvature), fleet.car.wheel_speed(speed), c.ticks)
        self.steps += 1
        self.total_steps += 1
        stands = fleet.footing()
        self.judged = self.laps.step(self.time, c.ticks * TICK, stands)
        moment = self._moment(curvature, speed, self.judged.gained, stands)
        reward, crashed = self.reward(moment), moment.off_road
        self.last = action
        self.age += 1
        timed_out = self.age >= self.episode_steps
        if self.one_lap:
            timed_out |= self.laps.laps > 0
        timed_out &= ~crashed
        return reward, crashed | timed_out, timed_out

    def _moment(self, curvature: Floats, speed: Floats, gained: Floats, stands: Footing) -> Moment:
        fleet, located = self.fleet, self.fleet.located
        middle = fleet.middle()
        state = fleet.state
        return Moment(
            x=middle[:, 0],
            y=middle[:, 1],
            yaw=state[:, dynamics.YAW].copy(),
            speed=state[:, dynamics.SPEED].copy(),
            yaw_rate=state[:, dynamics.YAW_RATE].copy(),
            steering=state[:, dynamics.STEERING].copy(),
            curvature=curvature,
            curvature_before=self.last[:, 0] * self.config.curvature_limit,
            wanted_speed=speed,
            s=located.s,
            gained=gained,
            travelled=self.laps.progress.copy(),
            offset=located.offset,
            heading=located.heading,
            bend=located.curvature,
            left=located.left,
            right=located.right,
            clearance=stands.clearance.min(axis=1),
            last_clearance=stands.clearance.max(axis=1),
            off_road=stands.off_road,
            steps=self.steps.copy(),
            time=np.full(fleet.n, self.total_steps / self.config.rate_hz),
            track=fleet.track.copy(),
            length=fleet.tracks.length[fleet.track],
            width=2 * fleet.tracks.middle(fleet.track, located.s)[1],
        )

    @property
    def guide(self) -> Guide | None:
        """What shows the teacher the fastest line, where the task has one."""
        if self._guide is None and self.config.guide is not None:
            self.find_guide()
        return self._guide

    def find_guide(self, told: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Find the fastest lines now, before they are asked for, and tell how far it is; see :class:`Guide`."""
        self._guide = Guide(self.fleet.tracks, self._car, self.config, told)

    @property
    def guided(self) -> bool:
        """Whether the teacher's output is added to what follows the line: the last two numbers that it knows."""
        return self.config.guide is not None and self.table is None

    @property
    def teacher_inputs(self) -> int:
        """How many numbers the teacher knows."""
        k = len(self._ahead)
        return 3 * k + 10 + (0 if self.config.guide is None else 4 * k + 2)

    def state(self) -> State:
        """All that the next step depends on."""
        state = snapshot(self)
        return {**state, "reward": self.reward.state()} if isinstance(self.reward, Scaled) else state

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken.

        Raises:
            StateError: it is not of such a task.
        """
        scaled = self.reward if isinstance(self.reward, Scaled) else None
        restore(self, state, beside=("reward",) if scaled else ())
        if scaled:
            with under("reward"):
                scaled.load(state["reward"])

    def teacher_observation(self) -> NDArray[np.float32]:
        """What the privileged teacher knows, (n, teacher_inputs).

        The road ahead in the car's own frame, the car's motion, its last action and, where it has a guide, the line
        ahead and the action that follows it.
        """
        fleet, c, ahead, guide = self.fleet, self.config, self._ahead, self.guide
        state, located = fleet.state, fleet.located
        n, k = fleet.n, len(ahead)
        s = (located.s[:, None] + ahead).ravel()
        middle, half = fleet.tracks.middle(np.repeat(fleet.track, k), s)
        away = middle.reshape(n, k, 2) - state[:, None, : dynamics.YAW]
        cosine, sine = np.cos(state[:, dynamics.YAW])[:, None], np.sin(state[:, dynamics.YAW])[:, None]
        turn = located.heading - state[:, dynamics.YAW]
        shown = [] if guide is None else [guide.seen(fleet, ahead), self.to_action(*guide.commands(fleet))]
        return np.concatenate(
            [
                cosine * away[..., 0] + sine * away[..., 1] - ahead,
                cosine * away[..., 1] - sine * away[..., 0],
                half.reshape(n, k) / WIDTH_SCALE - 1,
                np.stack(
                    [
                        state[:, dynamics.SPEED] / c.speed_limit,
                        state[:, dynamics.LATERAL],
                        state[:, dynamics.YAW_RATE] / RATE_SCALE,
                        state[:, dynamics.STEERING] / fleet.car.steering.max_angle,
                        np.sin(turn),
                        np.cos(turn),
                        located.left,
                        located.right,
                    ],
                    axis=1,
                ),
                self.last,
                *shown,
            ],
            axis=1,
        ).astype(np.float32)
