"""Between a person's devices and the gate: who drives, what is sent, and when the motor is asked to arm.

Nothing is sent until somebody presses a dead-man's switch or asks to arm, so that a policy keeps the car until a
person takes it. Once the hand sends, it goes on sending, zero speed too, until it gives the car away or its link is
lost; what then stops the car is the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from outlap.hand.config import HandConfig
from outlap.hand.signs import Action, Wish
from outlap.vehicle.car import Car

HEARD_FOR = 0.1  # s that commands reach the motor before it is asked to arm, so that it chooses the hand
PATIENCE = 2.0  # s, after which it is no longer waited for
SILENT_FOR = 0.3  # s before it is asked to arm for the policy: the gate holds a command for fresh for 0.15 s


class Step(NamedTuple):
    """What to do now."""

    # (speed m/s, curvature 1/m) to send, as to_hand_twist has it; None: send nothing
    command: tuple[float, float | None] | None
    requests: tuple[bool, ...]  # what to ask of /motor/arm, in this order
    problem: str = ""  # something to tell the person


class Hand:
    """One person, with one or several devices, and one car."""

    def __init__(self, config: HandConfig, car: Car) -> None:
        self._car, self._step = car, config.speed_step
        self.limit = min(config.speed_limit, car.drive.max_speed)  # m/s
        self._owner: str | None = None  # the device that drives; None: nothing is sent
        self._fresh: set[str] = set()  # devices whose dead-man's switch was released since the motor is armed
        self._armed = False
        self._heard_since: float | None = None
        self._arm_from: float | None = None  # since when it is waited for the motor to hear the hand
        self._policy_at: float | None = None  # when to ask it to arm for the policy
        self._requests: list[bool] = []
        self._lost = False  # whether the link was lost while driving, and nobody has taken the car since

    @property
    def drives(self) -> bool:
        """Whether commands are sent."""
        return self._owner is not None

    @property
    def who(self) -> str:
        """Who drives an armed car, in words."""
        if self._owner is not None:
            return "you drive"
        return "your link is lost" if self._lost else "the policy drives"

    def act(self, now: float, action: Action, device: str) -> None:
        """``device`` asks for ``action`` at ``now`` (steady s)."""
        if action is Action.FASTER:
            self.limit = min(self.limit + self._step, self._car.drive.max_speed)
        elif action is Action.SLOWER:
            self.limit = max(self.limit - self._step, min(self._step, self.limit))
        elif action is Action.ARM:
            self._take(device)
            self._arm_from = now
        elif action in (Action.DISARM, Action.QUIT, Action.POLICY):
            self._requests.append(False)
            self._arm_from = self._policy_at = None
            self._fresh.clear()
            if action is Action.POLICY:
                self._owner, self._policy_at = None, now + SILENT_FOR

    def step(self, now: float, wishes: Mapping[str, Wish | None], armed: bool, heard: bool) -> Step:
        """What to do at ``now`` (steady s).

        Args:
            wishes: by device; None: its link is lost.
            armed: whether the motor says that it is.
            heard: whether anybody hears what is sent.
        """
        problem = ""
        if armed and not self._armed:
            self._fresh.clear()  # a stick that is held while somebody arms must not move the car
        self._lost &= armed
        self._armed = armed
        for device, wish in wishes.items():
            if wish is None:
                self._fresh.discard(device)
            elif not wish.held:
                self._fresh.add(device)
            elif device in self._fresh and not self._holds(wishes):
                self._take(device)
        wish = wishes.get(self._owner) if self._owner is not None else None
        if self._owner is not None and wish is None:
            problem, self._owner, self._arm_from = f"the link of the {self._owner} is lost", None, None
            self._lost = True
        problem = self._ask(now, heard) or problem
        requests, self._requests = tuple(self._requests), []
        if wish is None:
            return Step(None, requests, problem)
        moves = armed and wish.held and self._owner in self._fresh
        curvature = None if wish.steering is None else wish.steering * self._car.max_curvature
        return Step((self._speed(wish) if moves else 0.0, curvature), requests, problem)

    def _take(self, device: str) -> None:
        if self._owner is None:
            self._heard_since = None
        self._owner, self._policy_at, self._lost = device, None, False

    def _holds(self, wishes: Mapping[str, Wish | None]) -> bool:
        """Whether the device that drives is held: then no other takes the car."""
        wish = wishes.get(self._owner) if self._owner is not None else None
        return wish is not None and wish.held and self._owner in self._fresh

    def _ask(self, now: float, heard: bool) -> str:
        if not heard or self._owner is None:
            self._heard_since = None
        elif self._heard_since is None:
            self._heard_since = now
        if self._policy_at is not None and now >= self._policy_at:
            self._policy_at = None
            self._requests.append(True)
        if self._arm_from is not None:
            if self._heard_since is not None and now - self._heard_since >= HEARD_FOR:
                self._arm_from = None
                self._requests.append(True)
            elif now - self._arm_from > PATIENCE:
                self._arm_from = None
                return "not armed: no motor hears the hand"
        return ""

    def _speed(self, wish: Wish) -> float:
        backward = min(self.limit, self._car.drive.max_reverse_speed)
        return wish.speed * (self.limit if wish.speed > 0 else backward)
