"""The newest message of a topic, taken when somebody wants it: until then it costs nothing.

A subscription with a callback wakes the executor for each message, which takes rclpy most of a millisecond. This one
belongs to a callback group that no executor attends to, and is read like a letter box. Nor may one attend to its
events: the middleware wakes whoever waits for an event of a subscription as long as a message lies there, so that the
executor would never rest.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from .topics import Topic
from .unheard import watch_unheard

MessageT = TypeVar("MessageT")


class Unattended(CallbackGroup):
    """Of entities that no executor waits for."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        pass


class Latest(Generic[MessageT]):
    """A letter box for one message, in which a newer one takes the older one's place."""

    def __init__(self, node: Node, topic: Topic[MessageT]) -> None:
        self._kind = topic.type
        self._subscription = topic.subscription(node, lambda message: None, "newest", callback_group=Unattended())
        watch_unheard(node, topic.name, topic.reads("newest"))

    def take(self) -> MessageT | None:
        """The newest message, if one has come since the last call; from any thread."""
        handle = self._subscription.handle
        with handle:
            taken = handle.take_message(self._kind, False)  # as rclpy's executors do
        return taken[0] if taken else None
