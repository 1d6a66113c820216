"""What a step of driving was worth: the built-in reward, and what any reward is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from outlap.states import State, restore, snapshot

if TYPE_CHECKING:
    from outlap.driving.task_config import TaskConfig

BUILT_IN = "progress"  # what a training file calls the built-in reward

MOST = 10.0  # of a scaled reward, to either side: one odd step is not to undo what a thousand have taught

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Moment:
    """The step that n cars have just taken; every field has the shape (n,). SI units and radians, left positive."""

    x: Floats  # m, of the car's middle, half way between the axles
    y: Floats  # m
    yaw: Floats  # rad, -pi … pi
    speed: Floats  # m/s, at which the car really rolls
    yaw_rate: Floats  # rad/s
    steering: Floats  # rad, where the front wheels really are
    curvature: Floats  # 1/m, commanded in this step
    curvature_before: Floats  # 1/m, commanded in the step before; 0 in an episode's first
    wanted_speed: Floats  # m/s, commanded in this step
    s: Floats  # m, of the car's middle along the centre line from the start line
    gained: Floats  # m that base_link got ahead along the lap in this step, negative when driving backwards
    travelled: Floats  # m that base_link got ahead along the lap since the episode began
    offset: Floats  # m from the centre line
    heading: Floats  # rad, of the centre line, -pi … pi
    bend: Floats  # 1/m, curvature of the centre line
    left: Floats  # m from the car's middle to the left border, negative beyond it
    right: Floats  # m, likewise to the right border
    clearance: Floats  # m, of that wheel which is nearest to a border or furthest beyond one (then negative)
    last_clearance: Floats  # m, of that wheel which is furthest from the borders; the car is off the road below zero
    off_road: Booleans  # no wheel is on the road: the episode ends with this step
    steps: Integers  # of the episode, this one included
    time: Floats  # s of simulated time since the task began
    track: Integers  # index of the car's track
    length: Floats  # m, of the whole lap
    width: Floats  # m, of the road here


Reward = Callable[[Moment], Floats]
"""The rewards (n,) of a step."""


def progress(moment: Moment, config: TaskConfig) -> Floats:
    """The built-in reward (n,): speed along the lap, less penalties for edges, jerky steering and crashes."""
    c = config
    reward = moment.gained * c.rate_hz / c.speed_limit
    clearance = moment.clearance if c.wheels == 4 else moment.last_clearance
    reward -= c.edge_penalty * np.clip((c.edge_margin - clearance) / max(c.edge_margin, 1e-6), 0, 3)
    reward -= c.change_penalty * ((moment.curvature - moment.curvature_before) / c.curvature_limit) ** 2
    reward -= c.crash_penalty * moment.off_road
    return reward


class Scaled:
    """A reward divided by the size of its discounted sums so far: PPO then learns alike from 0.001 and 1000 a step.

    Args:
        reward: what is scaled.
        n: cars.
        discount: PPO's.
    """

    STATE: ClassVar = {"sums": "_sums", "mean_square": "_square", "count": "_count"}

    def __init__(self, reward: Reward, n: int, discount: float) -> None:
        self._reward = reward
        self._discount = discount
        self._sums = np.zeros(n)
        self._square, self._count = 0.0, 0  # mean square of the sums, and of how many

    def __call__(self, moment: Moment) -> Floats:
        """The scaled rewards (n,)."""
        rewards = self._reward(moment)
        self._sums = np.where(moment.steps <= 1, 0, self._sums) * self._discount + rewards
        self._count += len(rewards)
        self._square += (float(np.square(self._sums).mean()) - self._square) * len(rewards) / self._count
        return np.clip(rewards / max(np.sqrt(self._square), 1e-8), -MOST, MOST)

    def state(self) -> State:
        """What the next step depends on."""
        return snapshot(self)

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken."""
        restore(self, state)
