"""The environment that ROS nodes started by Outlap run in."""

from __future__ import annotations

import os
import sys

from outlap.files import share_directory

# Set by the ROS wheels once they have started an interpreter anew; a child that inherits it does not do the same.
WHEELS_GUARD = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"


def ros_environment(domain_id: int) -> dict[str, str]:
    """This process's environment with what nodes need; a user's own choice of discovery range and profile stands.

    Raises:
        OutlapError: Outlap's data files are nowhere to be found.
    """
    environment = dict(os.environ)
    environment.pop(WHEELS_GUARD, None)
    environment["ROS_DOMAIN_ID"] = str(domain_id)
    prefixes = [path for path in environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if path]
    if sys.prefix not in prefixes:
        prefixes.insert(0, sys.prefix)
    environment["AMENT_PREFIX_PATH"] = os.pathsep.join(prefixes)
    environment["PYTHONUNBUFFERED"] = "1"  # so that lines reach the runner as they are written
    # A loop of many small messages between processes of one machine: nothing of it belongs on the network.
    environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    environment.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(share_directory() / "config" / "fastdds.xml"))
    environment.setdefault("RMW_FASTRTPS_USE_QOS_FROM_XML", "1")  # else that file's say on buffers counts for nothing
    environment.setdefault("OMP_NUM_THREADS", "1")  # each node is a process; threads on top only fight for cores
    return environment
