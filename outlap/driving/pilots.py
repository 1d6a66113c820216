"""Who drives laps: a policy, from what its cameras see, or any other driver that knows a fleet."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from outlap.camera.view import View
from outlap.driving.task_config import TaskConfig
from outlap.policy.contract import Action
from outlap.policy.runtime import BatchDriver, Policy
from outlap.simulation.cameras import Eyes
from outlap.simulation.fleet import Fleet
from outlap.simulation.follower import LineFollower
from outlap.track.fastest import FastestLine
from outlap.vehicle.car import Car


class Crew(Protocol):
    """Drives the n cars of one fleet; made anew for every batch."""

    def act(self) -> NDArray[np.floating]:
        """Curvature in 1/m and speed in m/s for every car, (n, 2); called once a period."""
        ...

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """The cars in ``mask`` (n,) were put somewhere else, at rest."""
        ...

    def keep(self, rows: NDArray[np.int64]) -> None:
        """From now on the fleet has only the cars ``rows`` (k,)."""
        ...


class Pilot(Protocol):
    """A driver who can be given any number of cars."""

    @property
    def view(self) -> View | None:
        """What its cameras must show; None for one that needs no camera."""
        ...

    def task_config(self) -> TaskConfig:
        """A task with the driver's rate and limits; how it is rewarded does not matter to the laps."""
        ...

    def crew(self, fleet: Fleet, eyes: Eyes | None) -> Crew:
        """A crew for the cars of ``fleet``, which see through ``eyes``."""
        ...


class PolicyPilot:
    """A policy as a driver."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    @property
    def view(self) -> View:
        """The policy's canonical view."""
        return self.policy.contract.observation.view

    def task_config(self) -> TaskConfig:
        """A task with the policy's own action and rate."""
        return task_config(self.policy.contract.action, self.policy.contract.rate_hz)

    def crew(self, fleet: Fleet, eyes: Eyes | None) -> Crew:
        """A crew that looks and infers."""
        assert eyes is not None, "a policy needs eyes"
        return _PolicyCrew(self.policy, fleet.n, eyes)


class _PolicyCrew:
    def __init__(self, policy: Policy, n: int, eyes: Eyes) -> None:
        self._driver = BatchDriver(policy, n)
        self._eyes = eyes

    def act(self) -> NDArray[np.float32]:
        return self._driver.act(self._eyes.look())

    def reset(self, mask: NDArray[np.bool_]) -> None:
        self._driver.reset(mask)

    def keep(self, rows: NDArray[np.int64]) -> None:
        self._driver.keep(rows)


class LinePilot:
    """The classical controller that follows the fastest line and knows the true state; it needs no camera."""

    view = None

    def __init__(self, car: Car, speed_limit: float, rate_hz: float) -> None:
        self._car, self._speed_limit, self._rate_hz = car, speed_limit, rate_hz
        self._lines: dict[str, FastestLine] = {}  # by the track's name; each takes half a second to find

    def task_config(self) -> TaskConfig:
        """A task with the car's own limits."""
        action = Action(curvature_limit=self._car.max_curvature, speed_min=0, speed_limit=self._speed_limit)
        return task_config(action, self._rate_hz)

    def crew(self, fleet: Fleet, eyes: Eyes | None) -> Crew:
        """A crew that follows the lines of the fleet's tracks."""
        tracks = fleet.tracks.tracks
        lines = [self._lines[one.name] for one in tracks] if all(one.name in self._lines for one in tracks) else None
        follower = LineFollower(fleet.tracks, self._car, self._speed_limit, rate_hz=self._rate_hz, lines=lines)
        self._lines.update({one.name: line for one, line in zip(tracks, follower.lines, strict=True)})
        return _LineCrew(follower, fleet)


class _LineCrew:
    def __init__(self, follower: LineFollower, fleet: Fleet) -> None:
        self._follower, self._fleet = follower, fleet

    def act(self) -> NDArray[np.float64]:
        return np.stack(self._follower.act(self._fleet), axis=1)

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """It has no memory."""

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Nor anything of its own for each car."""


def task_config(action: Action, rate_hz: float) -> TaskConfig:
    """A task for driving only, whose episodes practically never end."""
    return TaskConfig(
        rate_hz=rate_hz,
        curvature_limit=action.curvature_limit,
        speed_min=action.speed_min,
        speed_limit=action.speed_limit,
        episode_s=3600,
        edge_margin=0,
        edge_penalty=0,
        change_penalty=0,
        crash_penalty=0,
    )
