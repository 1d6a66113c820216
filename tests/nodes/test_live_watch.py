"""A car that drives while its policy is replaced again and again: never without command, never beyond its limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from outlap_nodes.shared.messages import LATEST, RECORD, STREAM, to_seconds
from sensor_msgs.msg import Image, JointState

from outlap.files import write_atomic
from outlap.policy.contract import Contract
from outlap.policy.file import load_policy, write_policy
from outlap.vehicle.car import Car

pytestmark = pytest.mark.live

RING_CURVATURE = 1 / 1.2  # 1/m
EXCHANGES = 24  # of good policies; half as many bad files come between them
PATIENCE = 150.0  # s; the first start on a machine compiles the renderer


class Watched:
    """The live graph on the ring, whose policy node takes what appears at ``path``, and all that it says."""

    def __init__(self, probe: Any, start: Callable[..., Any], track: Path, path: Path) -> None:
        self.probe, self.path = probe, path
        self.images: list[Image] = probe.listen(Image, "/camera/image", STREAM)
        self.commands: list[TwistStamped] = probe.listen(TwistStamped, "/cmd_vel", LATEST)
        self.states: list[JointState] = probe.listen(JointState, "/motor/state", RECORD)
        self.odometry: list[Odometry] = probe.listen(Odometry, "/sim/odom", LATEST)
        self._diagnostics: list[DiagnosticArray] = probe.listen(DiagnosticArray, "/diagnostics", RECORD)
        simulated = {"use_sim_time": True}
        self.simulator = start("simulator", track=track)
        self.camera = start("camera", **simulated)
        self.policy = start("policy", **simulated, policy=path, exchange="now")
        self.motor = start("motor", **simulated)
        self.referee = start("referee", track=track, policy=path, laps=0)

    def tells(self, node: str, key: str) -> str:
        """The newest value under ``key`` in a node's diagnostics."""
        for array in reversed(self._diagnostics):
            for status in array.status:
                if status.name == node:
                    return next((value.value for value in status.values if value.key == key), "")
        return ""

    def drive_on(self) -> None:
        """See the car get ahead."""
        begin = self.odometry[-1].pose.pose.position

        def moved() -> bool:
            here = self.odometry[-1].pose.pose.position
            return math.hypot(here.x - begin.x, here.y - begin.y) > 0.1

        self.probe.until(moved, "the car getting ahead")


def bad_files(good: bytes, other: bytes) -> list[tuple[bytes, str]]:
    """What is not to be taken, with the words that say so."""
    middle = len(good) // 2
    flipped = bytearray(good)
    flipped[middle] ^= 1
    return [
        (good[:middle], "cut short"),
        (bytes(flipped), "damaged"),
        (b"", "cut short"),
        (other, "its envelope is not that of the policy that drives"),
    ]


@pytest.mark.timeout(300)
def test_policies_are_exchanged_under_way(
    probe: Any,
    start: Callable[..., Any],
    ring_path: Path,
    constant_policy: Callable[[float, float], Path],
    car: Car,
    tmp_path: Path,
) -> None:
    path = tmp_path / "run" / "policy.onnx"
    graph = Watched(probe, start, ring_path, path)
    probe.until(lambda: len(graph.images) > 10 and graph.tells("policy", "rate_hz"), "pictures", PATIENCE)
    assert graph.commands == []
    assert all(state.velocity[1] == 0 for state in graph.states)

    first = constant_policy(RING_CURVATURE, 1.2)
    write_atomic(path, first.read_bytes())
    probe.until(lambda: "go" in graph.referee.said, "the referee arming")
    graph.drive_on()

    old = load_policy(first).contract
    envelope = old.envelope.model_copy(update={"latency": (0.0, 0.2)})
    write_policy(
        tmp_path / "other.onnx", first.read_bytes(), Contract.model_validate(dict(old) | {"envelope": envelope})
    )
    bad = bad_files(first.read_bytes(), (tmp_path / "other.onnx").read_bytes())
    for count in range(EXCHANGES):
        good = constant_policy(RING_CURVATURE * (1.0 + 0.02 * (count % 3)), 1.0 + 0.1 * (count % 4))
        if count % 2:
            content, words = bad[count // 2 % len(bad)]
            path.write_bytes(content)  # in place, as a careless copy does it
            probe.until(lambda words=words: words in graph.tells("policy", "refused"), f"refused: {words}")
            graph.drive_on()
        digest = load_policy(good).digest
        write_atomic(path, good.read_bytes())
        probe.until(lambda digest=digest: graph.tells("policy", "digest") == digest, "the exchange")
        assert graph.tells("policy", "refused") == ""
    graph.drive_on()

    assert graph.tells("policy", "taken") == str(EXCHANGES + 1)
    probe.until(lambda: "lap 1: " in graph.referee.said, "a lap")
    stamps = [to_seconds(command.header.stamp) for command in graph.commands]
    assert stamps == sorted(set(stamps)), "each image is answered once"
    assert all(abs(stamp * 30 - round(stamp * 30)) < 1e-6 for stamp in stamps), "its stamp is a picture's"
    assert all(0 < command.twist.linear.x <= 1.31 for command in graph.commands)
    for state in graph.states:
        assert abs(state.position[0]) <= car.steering.max_angle
        assert 0 <= state.velocity[1] <= car.wheel_speed(1.31)
    for program in (graph.policy, graph.motor, graph.referee):
        assert program.process.poll() is None
        assert "Traceback" not in program.said
