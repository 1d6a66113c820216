"""Sees to it that one node at most publishes on each topic by which the car is driven."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node

LOOK_EVERY = 0.2  # s between two looks at the graph


class Publishers:
    """Who publishes on ``topics``, as far as ``node`` has discovered."""

    def __init__(self, node: Node, topics: Sequence[str]) -> None:
        self._node, self._topics = node, topics
        self._looked = float("-inf")  # steady s
        self._problem = ""

    def problem(self, now: float) -> str:
        """Which nodes share a topic, in words, at ``now`` (steady s); empty when none do."""
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._problem = "; ".join(filter(None, map(self._shared, self._topics)))
        return self._problem

    def _shared(self, topic: str) -> str:
        found = self._node.get_publishers_info_by_topic(topic)
        if len(found) < 2:
            return ""
        names = " and ".join(sorted(f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in found))
        return f"{len(found)} nodes publish on {topic}: {names}; one that was killed is still seen for a few seconds"
