"""Sees to it that one node at most publishes on each topic by which the car is driven."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node

LOOK_EVERY = 0.1  # s between two looks at the graph
NAMING = 0.2  # s that a publisher may be known without its name, which comes by another message
UNKNOWN = "_UNKNOWN_"  # in what ROS then has in the place of its name


class Publishers:
    """Who publishes on ``topics``, as far as ``node`` has discovered."""

    def __init__(self, node: Node, topics: Sequence[str]) -> None:
        self._node, self._topics = node, topics
        self._looked = float("-inf")  # steady s
        self._problem = ""
        self._nameless: dict[str, float] = {}  # topic: steady s since when one is without a name

    def problem(self, now: float) -> str:
        """Which nodes share a topic, in words, at ``now`` (steady s); empty when none do."""
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._problem = "; ".join(filter(None, (self._shared(topic, now) for topic in self._topics)))
        return self._problem

    def _shared(self, topic: str, now: float) -> str:
        found = self._node.get_publishers_info_by_topic(topic)
        if not any(UNKNOWN in info.node_name for info in found):
            self._nameless.pop(topic, None)
        elif now - self._nameless.setdefault(topic, now) < NAMING:
            return ""
        if len(found) < 2:
            return ""
        names = " and ".join(sorted(f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in found))
        return f"{len(found)} nodes publish on {topic}: {names}; one that was killed is still seen for a few seconds"
