"""Tells of a publisher that a subscription cannot hear, because it offers less than the subscription asks for."""

from __future__ import annotations

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

UNKNOWN = "_UNKNOWN_"  # in what ROS has in the place of a node's name that discovery has not brought yet


def tell_of_unheard(node: Node, topic: str, wanted: QoSProfile) -> SubscriptionEventCallbacks:
    """Event callbacks that log one sentence for each node that publishes on ``topic`` but cannot be heard.

    Nothing else changes: the reader goes on as if that publisher were not there.
    """
    told: set[str] = set()

    def tell(event: object) -> None:
        for publisher in node.get_publishers_info_by_topic(topic):
            compatibility, _ = qos_check_compatible(publisher.qos_profile, wanted)
            if compatibility is not QoSCompatibility.ERROR:
                continue
            known = UNKNOWN not in publisher.node_name
            name = f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}" if known else "a node"
            if name in told:
                continue
            told.add(name)
            node.get_logger().warning(
                f"{name} publishes on {node.resolve_topic_name(topic)} with a quality of service that "
                f"{node.get_fully_qualified_name()} cannot take: it offers {_words(publisher.qos_profile)}, "
                f"{_words(wanted)} is needed; nothing of it is heard"
            )

    return SubscriptionEventCallbacks(incompatible_qos=tell)


def _words(qos: QoSProfile) -> str:
    """Reliability and durability, as ROS's documentation calls them."""
    return " and ".join(policy.name.lower().replace("_", " ") for policy in (qos.reliability, qos.durability))
