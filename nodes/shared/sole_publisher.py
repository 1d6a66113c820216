"""Who publishes on a topic on which one node may: the one way in which all guards look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rclpy.node import Node

from .topics import Topic
from .unheard import UNKNOWN

LOOK_EVERY = 0.1  # s between two looks at the graph
NAMING = 0.2  # s that a publisher may be known without its name, which comes by another message


class Publishers:
    """Who publishes on one topic of ``node``'s namespace, as far as it has discovered; times are steady s.

    Attributes:
        found: the full names of their nodes at the last look, in alphabetical order.
        nameless_since: when one of them was first without its name; None while all have theirs.
    """

    def __init__(self, node: Node, topic: Topic[Any], now: float) -> None:
        self._node, self._topic = node, topic
        self.found: list[str] = []
        self.nameless_since: float | None = None
        self._there = self._alone = now

    def look(self, now: float) -> list[str]:
        """The same as ``found``, as it is now."""
        infos = self._topic.publishers(self._node)
        self.found = sorted(f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in infos)
        if not any(UNKNOWN in name for name in self.found):
            self.nameless_since = None
        elif self.nameless_since is None:
            self.nameless_since = now
        if self.found:
            self._there = now
        if len(self.found) < 2:
            self._alone = now
        return self.found

    def others(self, now: float, ours: str = "") -> int:
        """How many there are at ``now`` beside a node named ``ours``, for which one without a name is taken."""
        names = self.look(now)
        return len([name for name in names if not ours or (name.rpartition("/")[2] != ours and UNKNOWN not in name)])

    def none_for(self, now: float) -> float:
        """For how many seconds there has been nobody."""
        return now - self._there

    def several_for(self, now: float) -> float:
        """For how many seconds there have been two or more."""
        return now - self._alone


class SolePublishers:
    """Sees to it that one node at most publishes on each topic by which the car is driven."""

    def __init__(self, node: Node, topics: Sequence[Topic[Any]]) -> None:
        self._by_topic = {topic.resolved(node): Publishers(node, topic, 0.0) for topic in topics}
        self._looked = float("-inf")  # steady s
        self._problem = ""

    def problem(self, now: float) -> str:
        """Which nodes share a topic, in words, at ``now`` (steady s); empty when none do."""
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            shared = (_shared(topic, publishers, now) for topic, publishers in self._by_topic.items())
            self._problem = "; ".join(filter(None, shared))
        return self._problem


def _shared(topic: str, publishers: Publishers, now: float) -> str:
    names = publishers.look(now)
    if publishers.nameless_since is not None and now - publishers.nameless_since < NAMING:
        return ""
    if len(names) < 2:
        return ""
    return (
        f"{len(names)} nodes publish on {topic}: {' and '.join(names)}; one that was killed is still seen for a few "
        "seconds"
    )
