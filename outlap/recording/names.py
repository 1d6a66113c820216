"""What a recording calls its topics: a name in the graph, such as ``cmd_vel``, behind the namespace that it ran under.

A graph without a namespace records ``/cmd_vel``, one in ``/car1`` records ``/car1/cmd_vel``.
"""

from __future__ import annotations

from collections.abc import Iterable

from outlap.errors import OutlapError

VIEW = "camera/image"  # the canonical view, mono8
CAMERA_INFO = "camera/camera_info"
RAW = "camera/image_raw/compressed"  # the camera's own frames, JPEG
COMMAND = "cmd_vel"
HAND_COMMAND = "cmd_vel/hand"
MOTOR_STATE = "motor/state"
DIAGNOSTICS = "diagnostics"
JOY = "joy"
GAMEPAD = "gamepad"
ODOMETRY = "sim/odom"


def is_named(topic: str, name: str) -> bool:
    """Whether ``topic`` is ``name`` under some namespace, or under none."""
    return topic.endswith(f"/{name}")


def find_topic(topics: Iterable[str], name: str) -> str:
    """The one of ``topics`` that is called ``name``: the one without a namespace, else the only one with; "" if none.

    Raises:
        OutlapError: several graphs have one, and each is in a namespace.
    """
    found = sorted(topic for topic in topics if is_named(topic, name))
    if f"/{name}" in found:
        return f"/{name}"
    if len(found) > 1:
        raise OutlapError(
            f"{', '.join(found)} are recorded, of several cars: record one of them with outlap record --namespace."
        )
    return found[0] if found else ""
