"""Keeps two simulators off one namespace of one ROS domain: every node would get two clocks and two worlds."""

from __future__ import annotations

import os
import time

from rclpy.node import Node

from outlap.errors import OutlapError

from . import topics
from .sole_publisher import Publishers

DISCOVERY = 1.0  # s, after which another simulator on this machine has been seen
NEWCOMER = 3.0  # s of simulated time, during which it is this simulator that leaves when there are two


def refuse_company(node: Node) -> None:
    """Wait until another simulator would have been seen; call it before the node offers its own clock.

    Raises:
        OutlapError: there is one.
    """
    end = time.monotonic() + DISCOVERY
    while time.monotonic() < end:
        time.sleep(0.05)
        check_company(node)


def refuse_namespace(node: Node) -> None:
    """Refuse to run Gazebo for a graph in a namespace: its world, services and partition have one name a ROS domain.

    Raises:
        OutlapError: the node is in one.
    """
    if (namespace := node.get_namespace()) != "/":
        raise OutlapError(
            f"Gazebo runs only for a graph without a namespace, not in {namespace}: give it a ROS_DOMAIN_ID of its own "
            f"instead, or take the built-in simulator."
        )


def check_company(node: Node, own: int = 0, beside: str = "") -> None:
    """See that nobody offers the clock beyond the ``own`` publishers of this simulator and the node ``beside`` it.

    Raises:
        OutlapError: somebody does.
    """
    now = time.monotonic()
    if Publishers(node, topics.CLOCK, now).others(now, beside) > own:
        namespace = node.get_namespace()
        where = f" in the namespace {namespace}" if namespace != "/" else ""
        domain = os.environ.get("ROS_DOMAIN_ID", "0")
        raise OutlapError(
            f"another simulator is already running on ROS_DOMAIN_ID {domain}{where}: stop it, "
            f"or choose another domain with ROS_DOMAIN_ID=…"
        )
