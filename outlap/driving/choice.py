"""Who can be evaluated, as words and numbers that another process can make a pilot from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from outlap.driving.pilots import LinePilot, Pilot, PolicyPilot
from outlap.errors import OutlapError
from outlap.policy.contract import TrainedOn
from outlap.policy.file import load_policy
from outlap.vehicle.car import Car


@dataclass(frozen=True)
class PolicyDriver:
    """A policy file, known by its digest: it must not change while it is evaluated."""

    path: Path
    digest: str
    speed_limit: float  # m/s
    trained_on: TrainedOn | None = None  # where the file says so

    @classmethod
    def load(cls, path: Path, car: Car) -> PolicyDriver:
        """Check the file.

        Raises:
            OutlapError: it is refused, or cannot drive ``car``.
        """
        policy = load_policy(path, car=car)
        return cls(path, policy.digest, policy.contract.action.speed_limit, policy.contract.trained_on)

    @property
    def name(self) -> str:
        """What it is called in tables and files."""
        return str(self.path)

    def pilot(self, car: Car) -> Pilot:
        """The pilot.

        Raises:
            OutlapError: the file is refused, or another one than was checked.
        """
        policy = load_policy(self.path, car=car)
        if policy.digest != self.digest:
            raise OutlapError(f"{self.path} was replaced while it was evaluated: evaluate a copy of it.")
        return PolicyPilot(policy)


@dataclass(frozen=True)
class LineDriver:
    """The built-in classical controller, which follows the fastest line."""

    speed_limit: float  # m/s
    rate_hz: float = 30.0
    name: str = "line"
    digest: str = ""
    trained_on: None = None

    def pilot(self, car: Car) -> Pilot:
        """The pilot."""
        return LinePilot(car, self.speed_limit, self.rate_hz)


Driver = PolicyDriver | LineDriver
