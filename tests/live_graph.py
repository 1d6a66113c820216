"""Live graphs: node programs in processes of their own, on a ROS domain of their own, watched by a probe.

Its fixtures are there in every room's tests: tests/conftest.py names this module among its plugins.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from outlap.launching.domain import Domain, claim_domain
from outlap.launching.environment import ros_environment
from outlap.launching.namespace import full_namespace, namespace_rules

PATIENCE = 30.0  # s, for anything that must happen; a busy machine needs some of it


class Program:
    """A running node program; what it says is collected in a file."""

    def __init__(
        self,
        name: str,
        domain: int,
        folder: Path,
        parameters: dict[str, Any],
        command: list[str] | None = None,
        namespace: str = "",
    ) -> None:
        words = [*(command or [str(Path(sys.executable).with_name(f"outlap_{name}"))]), "--ros-args"]
        for key, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            words += ["-p", f"{key}:={text}"]
        words += namespace_rules(full_namespace(namespace))
        self.name = name
        self._log = folder / f"{name}.{time.monotonic_ns()}.log"
        environment = ros_environment(domain) | {"ROS_LOG_DIR": str(folder)}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(words, env=environment, stdout=log, stderr=subprocess.STDOUT)

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait(self) -> int:
        """The exit code, once it has ended by itself."""
        return self.process.wait(2 * PATIENCE)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.wait()


class Probe:
    """A node in the test's own process that publishes and listens."""

    def __init__(self, domain: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node("probe", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def listen(self, kind: type, topic: str, qos: QoSProfile) -> list[Any]:
        """A list that fills with the topic's messages."""
        heard: list[Any] = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def until(self, happened: Callable[[], Any], what: str, patience: float = PATIENCE) -> None:
        """Spin until something is so; fail when it does not come."""
        end = time.monotonic() + patience
        while not happened():
            assert time.monotonic() < end, f"{what} did not happen within {patience:g} s"
            self._executor.spin_once(timeout_sec=0.02)

    def call(self, kind: Any, service: str, request: Any) -> Any:
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready, f"{service} appearing")
        answer = client.call_async(request)
        self.until(answer.done, f"{service} answering")
        return answer.result()

    def close(self) -> None:
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)


@pytest.fixture
def as_nodes_talk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe lives in this process and must talk like the nodes do; no domain is set."""
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    for key in ("ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTRTPS_DEFAULT_PROFILES_FILE", "RMW_FASTRTPS_USE_QOS_FROM_XML"):
        monkeypatch.setenv(key, ros_environment(0)[key])


@pytest.fixture
def domain(as_nodes_talk: None) -> Iterator[Domain]:
    """A ROS domain that no other graph on this machine uses."""
    with claim_domain() as claimed:
        yield claimed


@pytest.fixture
def start(domain: Domain, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """``start("motor", car="deepracer")``: a running node program, which the end of the test ends.

    ``command`` takes the place of the installed program; ``namespace`` is what it runs under.
    """
    running: list[Program] = []

    def begin(name: str, *, command: list[str] | None = None, namespace: str = "", **parameters: Any) -> Program:
        running.append(Program(name, domain.id, tmp_path, parameters, command, namespace))
        return running[-1]

    yield begin
    for program in running:
        if program.process.poll() is None:
            program.process.send_signal(signal.SIGINT)
    for program in running:
        try:
            program.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.kill(program.process.pid, signal.SIGKILL)
            program.process.wait()
        print(f"--- {program.name}\n{program.said}")  # pytest shows it when the test failed


@pytest.fixture
def probe(domain: Domain) -> Iterator[Probe]:
    created = Probe(domain.id)
    yield created
    created.close()
