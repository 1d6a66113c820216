"""Row 12: with ROS security enforced, nothing that a participant without a key says is acted on.

Fast DDS in PyPI's wheels is built without its security plugins, so that this runs only with ROS from apt, and with
ros-jazzy-sros2, which makes the keys. The motor's policy is config/security/policy.xml; docs/security.md explains it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fault_figures import FULL, Measured
from rig import Background, Commander, Recorder
from std_srvs.srv import SetBool

from outlap.files import share_directory
from outlap.launching.domain import Domain

PLUGIN = b"PKI-DH"  # the name of DDS Security's authentication, which a library that has it holds
TIMES = 20 if FULL else 3


def security_libraries() -> list[Path]:
    """Fast DDS's libraries in this process that hold the security plugins."""
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}
    found = [Path(name) for name in mapped if Path(name).name.startswith(("libfastrtps.so", "libfastdds.so"))]
    return [path for path in found if PLUGIN in path.read_bytes()]


@pytest.fixture
def keystore(domain: Domain, tmp_path: Path) -> Path:
    """Keys for the motor and the policy, of an authority of the test's own."""
    ros2 = shutil.which("ros2")
    assert ros2 is not None
    path = tmp_path / "keys"
    policy = share_directory() / "config" / "security" / "policy.xml"
    environment = os.environ | {"ROS_DOMAIN_ID": str(domain.id)}
    for words in (["create_keystore", str(path)], ["generate_artifacts", "-k", str(path), "-p", str(policy)]):
        subprocess.run([ros2, "security", *words], env=environment, check=True, timeout=60)
    return path


@pytest.mark.live
@pytest.mark.fault(12)
def test_a_stranger_is_not_heard(
    domain: Domain,
    start: Callable[..., Any],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    measured: Measured,
) -> None:
    # A participant is what loads the library.
    stranger = Commander(domain.id, name="policy")
    arming = Background("arming", domain.id)
    recorder = Recorder(domain.id)
    client = arming.node.create_client(SetBool, "/motor/arm")
    arming.begin()
    try:
        if not security_libraries():
            pytest.skip("Fast DDS is built without DDS security (PyPI's wheels are); it needs ROS from apt")
        if shutil.which("ros2") is None:
            pytest.skip("there is no ros2 security to make keys with (ros-jazzy-sros2)")
        monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
        monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Enforce")
        monkeypatch.setenv("ROS_SECURITY_KEYSTORE", str(request.getfixturevalue("keystore")))
        motor = start("motor")  # the only one with a key: nobody can drive it
        time.sleep(5.0)
        assert motor.process.poll() is None, motor.said
        answered = 0
        for _ in range(TIMES):
            if client.service_is_ready():
                answer = client.call_async(SetBool.Request(data=True))
                time.sleep(0.5)
                answered += answer.done()
            time.sleep(0.2)
        assert "armed" not in motor.said.replace("disarmed", "")
        assert not recorder.history(), "a stranger hears what the motor sends"
        assert not recorder.motor, "a stranger hears its diagnostics"
        measured("requests answered", answered, limit=0, unit="", injections=TIMES)
    finally:
        for part in (stranger, arming, recorder):
            part.close()
