"""What a motor, a hand and ``outlap arm`` know of their namespace: where two motors are, one pad moves both cars."""

from __future__ import annotations

from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from . import topics
from .sole_publisher import LOOK_EVERY, Publishers
from .statuses import Heard, MotorStatus, PolicyStatus, StatusReader

NAMING = 0.3  # s that two may be known without the words that say where they run, which come by another message
SILENT = 3.0  # s without a word, after which one counts as gone; each speaks every second


class Motors:
    """Counts the motors of ``node``'s namespace by who publishes on ``motor/state``, as far as it has discovered.

    Where each runs it hears on ``diagnostics``, from whoever calls :meth:`hear`.
    """

    def __init__(self, node: Node, naming: float = NAMING) -> None:
        """Look from ``node``, and wait ``naming`` s for the words that say where each runs."""
        self._node, self._naming = node, naming
        self._publishers = Publishers(node, topics.MOTOR_STATE, 0.0)
        self._names: list[str] = []
        self._since: float | None = None  # steady s, when there was last one at most, or the first look
        self._heard: dict[str, float] = {}  # by where it runs: steady s
        self._looked = float("-inf")  # steady s

    def hear(self, motor: Heard, now: float) -> None:
        """One has spoken at ``now`` (steady s)."""
        self._heard[motor.where] = now

    def several(self, now: float) -> bool:
        """Whether there are two or more at ``now`` (steady s)."""
        return len(self._found(now)) > 1

    def problem(self, now: float) -> str:
        """How many there are and where they run, in words, at ``now`` (steady s); empty where there are not several."""
        found = self._found(now)
        if len(found) < 2 or self._since is None:
            return ""
        where = sorted(where for where, at in self._heard.items() if now - at <= SILENT)
        if len(where) < len(found) and now - self._since < self._naming:
            return ""
        where += [f"{name}, which has not said where it runs" for name in found[len(where) :]]
        namespace = self._node.get_namespace()
        inside = "without a namespace" if namespace == "/" else f"in the namespace {namespace}"
        return (
            f"{len(where)} motors run {inside}: {' and '.join(where)}; give each car a namespace or a ROS_DOMAIN_ID of "
            "its own (one that was killed is still seen for a few seconds)"
        )

    def _found(self, now: float) -> list[str]:
        """Their names. Whoever else publishes on that topic is none: a motor's program refuses another name."""
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            names = self._publishers.look(now)
            self._names = [name for name in names if name.rpartition("/")[2] == MotorStatus.speaker]
            if len(self._names) < 2 or self._since is None:
                self._since = now
        return self._names


class Neighbours:
    """What a motor hears of the other nodes of its namespace: of further motors, and of a policy that sees too little.

    When another motor comes, it says at once who it is itself.
    """

    def __init__(self, node: Node, now: Callable[[], float], speak: Callable[[], object]) -> None:
        """Listen from ``node``; ``now`` gives steady s, ``speak`` publishes the node's diagnostics."""
        self._motors, self._now, self._speak = Motors(node), now, speak
        self._known = False
        self._slow, self._slow_at = "", float("-inf")
        self._reader = StatusReader(topics.DIAGNOSTICS.resolved(node), lambda text: None, MotorStatus, PolicyStatus)
        topics.DIAGNOSTICS.subscription(node, self._hear)

    def rivals(self, now: float) -> str:
        """Which motors there are, at ``now`` (steady s), in words; empty while there is no other."""
        if self._motors.several(now) != self._known:
            self._known = not self._known
            if self._known:
                self._speak()
        return self._motors.problem(now)

    def too_slow(self, now: float) -> str:
        """Why the policy's pictures come far too seldom at ``now`` (steady s), in words; empty while they do not."""
        return self._slow if now - self._slow_at <= SILENT else ""

    def _hear(self, message: DiagnosticArray) -> None:
        for heard in self._reader.read(message):
            match heard.values:
                case MotorStatus():
                    self._motors.hear(heard, self._now())
                case PolicyStatus(too_slow=text):
                    self._slow, self._slow_at = text, self._now()
