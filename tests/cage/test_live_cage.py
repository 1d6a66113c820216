"""A program in the cage tries to arm a car by ROS: nobody outside hears it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from live_graph import Probe
from prisoner import attempt
from std_srvs.srv import SetBool

from outlap.launching.domain import Domain

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("bars")]

# Asks for the service by whatever way there is, as a node of any other program does. FASTDDS_BUILTIN_TRANSPORTS names
# the ways: UDP on the loopback interface, or shared memory.
ARM = """
os.environ |= {"ROS_DOMAIN_ID": str(DOMAIN), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_LOG_DIR": "/tmp"}
for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "RMW_FASTRTPS_USE_QOS_FROM_XML"):
    os.environ.pop(name, None)
os.environ["FASTDDS_BUILTIN_TRANSPORTS"] = TRANSPORT
import rclpy
from std_srvs.srv import SetBool
rclpy.init()
node = rclpy.create_node("thief")
client = node.create_client(SetBool, "/motor/arm")
print("found", client.wait_for_service(PATIENCE), file=sys.stderr, flush=True)
future = client.call_async(SetBool.Request(data=True))
rclpy.spin_until_future_complete(node, future, timeout_sec=PATIENCE)
if not future.done():
    raise TimeoutError("nobody answers")
got = future.result().message
"""


@pytest.mark.parametrize("transport", ["UDPv4", "DEFAULT"])
def test_nobody_hears_it(tmp_path: Path, domain: Domain, probe: Probe, transport: str) -> None:
    import threading

    calls: list[bool] = []

    def arm(request: Any, response: Any) -> Any:
        calls.append(request.data)
        response.success, response.message = True, "armed"
        return response

    probe.node.create_service(SetBool, "/motor/arm", arm)
    came: dict[str, Any] = {}

    def try_it(name: str, trust: bool, patience: float) -> None:
        folder = tmp_path / name
        folder.mkdir()
        came[name] = attempt(folder, ARM, trust=trust, DOMAIN=domain.id, PATIENCE=patience, TRANSPORT=transport)

    for name, trust, patience in (("caged", False, 4.0), ("outside", True, 20.0)):
        thread = threading.Thread(target=try_it, args=(name, trust, patience))
        thread.start()
        while thread.is_alive():
            probe.spin(0.1)
        thread.join()
    assert came["outside"].told == "got: armed", came
    assert came["caged"].told == "held: TimeoutError nobody answers", came  # it did talk, in a room of its own
    assert "found False" in came["caged"].words
    assert calls == [True]
