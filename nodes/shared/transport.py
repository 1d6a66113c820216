"""Keeps a car's nodes off shared memory, where nothing they send needs it."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

from rclpy.utilities import get_rmw_implementation_identifier

TRANSPORT = "OUTLAP_TRANSPORT"  # set by the launch files of cars
LOOPBACK = "loopback"
RANGE, PROFILES = "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTRTPS_DEFAULT_PROFILES_FILE"


def choose_transport(environment: MutableMapping[str, str] = os.environ) -> None:
    """Where ``OUTLAP_TRANSPORT`` is ``loopback``, have Fast DDS use UDP on the loopback only; before ``rclpy.init``.

    In shared memory a process that starts holds up those that run: Fast DDS 2.14 (open_port_internal) locks a port
    that another left behind for a third of a second, and whoever sends to it waits with its participant's lock held. A
    motor did so, and stopped its car, when another node was started. Only pictures of more than 64 KiB need it.

    A discovery range or a profile of the user's own stands, and so does another middleware.
    """
    given = Path(environment.get(PROFILES, ""))
    loopback = given.with_name("fastdds_loopback.xml") if given.name == "fastdds.xml" else given
    ours = environment.get(RANGE) == "LOCALHOST" and loopback != given and loopback.is_file()
    if environment.get(TRANSPORT) != LOOPBACK or not ours or get_rmw_implementation_identifier() != "rmw_fastrtps_cpp":
        return
    environment[PROFILES] = str(loopback)
    # To LOCALHOST rmw_fastrtps adds shared memory, whatever a profile says; this one keeps to the loopback by itself.
    environment[RANGE] = "SYSTEM_DEFAULT"
