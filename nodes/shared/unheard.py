"""Tells of a publisher that a subscription cannot hear, because it offers less than the subscription asks for."""

from __future__ import annotations

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.timer import Timer
from rclpy.topic_endpoint_info import TopicEndpointInfo

UNKNOWN = "_UNKNOWN_"  # in what ROS has in the place of a node's name that discovery has not brought yet
LOOK = 0.1  # s between two looks for that name
LOOKS = 20  # after which it is told without
WATCH = 1.0  # s between two looks for publishers of which no event tells


def tell_of_unheard(node: Node, topic: str, wanted: QoSProfile) -> SubscriptionEventCallbacks:
    """Event callbacks that log one sentence for each node that publishes on ``topic`` but cannot be heard,
    and again when it comes back.

    Nothing else changes: the reader goes on as if that publisher were not there.
    """
    return SubscriptionEventCallbacks(incompatible_qos=_Unheard(node, topic, wanted).begin)


def watch_unheard(node: Node, topic: str, wanted: QoSProfile) -> None:
    """The same for a subscription whose events no executor attends to: looks now and then."""
    unheard = _Unheard(node, topic, wanted)
    node.create_timer(WATCH, unheard.look, clock=Clock(clock_type=ClockType.STEADY_TIME))


class _Unheard:
    """Looks for the publisher's name, which comes a little later than the event, and tells of it."""

    def __init__(self, node: Node, topic: str, wanted: QoSProfile) -> None:
        self._node, self._topic, self._wanted = node, topic, wanted
        self._told: set[tuple[int, ...]] = set()  # ids of publishers: one that goes and comes back has another
        self._timer: Timer | None = None
        self._looks = 0

    def begin(self, event: object) -> None:
        """There is one more."""
        self._looks = 0
        if self._timer is None:
            self._timer = self._node.create_timer(LOOK, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _look(self) -> None:
        found = self._found()
        self._looks += 1
        if self._looks < LOOKS and any(UNKNOWN in info.node_name for info in found):
            return
        assert self._timer is not None
        self._node.destroy_timer(self._timer)
        self._timer = None
        self._tell_new(found)

    def look(self) -> None:
        """Tell of those that are new and have a name by now."""
        self._tell_new([info for info in self._found() if UNKNOWN not in info.node_name])

    def _found(self) -> list[TopicEndpointInfo]:
        return [info for info in self._node.get_publishers_info_by_topic(self._topic) if self._is_unheard(info)]

    def _tell_new(self, found: list[TopicEndpointInfo]) -> None:
        new = [info for info in found if tuple(info.endpoint_gid) not in self._told]
        self._told = {tuple(info.endpoint_gid) for info in found}
        for name, offered in {_name(info): info.qos_profile for info in new}.items():
            self._tell(name, offered)

    def _is_unheard(self, info: TopicEndpointInfo) -> bool:
        return qos_check_compatible(info.qos_profile, self._wanted)[0] == QoSCompatibility.ERROR

    def _tell(self, name: str, offered: QoSProfile) -> None:
        self._node.get_logger().warning(
            f"{name} publishes on {self._node.resolve_topic_name(self._topic)} with a quality of service that "
            f"{self._node.get_fully_qualified_name()} cannot take: it offers {_words(offered)}, "
            f"{_words(self._wanted)} is needed; nothing of it is heard"
        )


def _name(info: TopicEndpointInfo) -> str:
    return "a node" if UNKNOWN in info.node_name else f"{info.node_namespace.rstrip('/')}/{info.node_name}"


def _words(qos: QoSProfile) -> str:
    """Reliability and durability, as ROS's documentation calls them."""
    return " and ".join(policy.name.lower().replace("_", " ") for policy in (qos.reliability, qos.durability))
