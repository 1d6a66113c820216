"""Graphs to inject faults into: in simulation, and with each of the car's actuators as a stand-in."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from outlap_nodes.shared.transport import LOOPBACK, TRANSPORT
from rig import Commander, Player, Recorder, Rig
from stalls import Stalls

from outlap.drivers.fakes.pca9685 import FakePca9685
from outlap.drivers.fakes.standin import StandIn
from outlap.drivers.fakes.vesc import FakeVesc
from outlap.files import share_directory
from outlap.launching.domain import Domain

RING_CURVATURE = 1 / 1.2  # 1/m
SPEED = 1.5  # m/s

# Stand-ins for each actuator, its maps, and from which signal on it drives forward.
PULSES = {
    "steering": {"centre": 1500.0, "left": [0.55, 1900.0], "right": [-0.6, 1080.0]},
    "speed": {
        "neutral": 1500.0,
        "forward": [[0.0, 1540.0], [2.0, 1640.0], [4.0, 1900.0]],
        "reverse": [[0.0, 1460.0], [2.0, 1200.0]],
    },
}
VESC = {
    "steering": {"centre": 0.53, "left": [0.55, 0.15], "right": [-0.6, 0.85]},
    "speed": {"neutral": 0.0, "forward": [[0.0, 0.0], [5.0, 23070.0]], "reverse": [[0.0, 0.0], [2.0, -9228.0]]},
}
ACTUATORS: dict[str, tuple[Callable[[Path], StandIn], dict[str, object], float]] = {
    "pca9685": (lambda folder: FakePca9685(folder / "i2c"), PULSES, 1520.0),
    "vesc": (lambda folder: FakeVesc(), VESC, 1.0),
}

MakeRig = Callable[..., Rig]


@pytest.fixture
def make_rig(
    domain: Domain,
    start: Callable[..., Any],
    constant_policy: Callable[..., Path],
    ring_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeRig]:
    """``make_rig(world, pictures="player")``: camera, policy and motor, and what surrounds them in that world.

    Pictures come from the ``simulator`` or a ``player``; a ``commander`` takes the place of camera and policy.
    ``policy`` is a command that takes the place of the policy node's program, ``battery`` what the car file says of it.
    """
    monkeypatch.setenv(TRANSPORT, LOOPBACK)  # as the car's launch files do
    made: list[Rig] = []
    held = contextlib.ExitStack()
    stalls = Stalls(tmp_path)

    def actuator(world: str, recorder: Recorder, battery: object) -> tuple[Rig, dict[str, object]]:
        """The rig around what the motor writes to, and the motor's parameters."""
        if world == "simulated":
            return Rig(domain.id, recorder, recorder.history, lambda wheel_speed: wheel_speed != 0, stalls), {}
        kind, maps, forward = ACTUATORS[world]
        # Not in tmp_path: a socket's path has 107 bytes at most.
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="outlap-"))
        standin = held.enter_context(kind(Path(folder)))
        content = yaml.safe_load((share_directory() / "config" / "cars" / "deepracer.yaml").read_text())
        content["actuator"] = maps | standin.hardware
        content["battery"] = battery
        path = tmp_path / "car.yaml"
        path.write_text(yaml.safe_dump(content))
        rig = Rig(domain.id, recorder, standin.history, lambda signal: signal >= forward, stalls, standin)
        return rig, {"actuator": "car", "car": path}

    def make(
        world: str,
        pictures: str = "player",
        clock: bool = False,
        policy: list[str] | None = None,
        battery: object = None,
        **motor: Any,
    ) -> Rig:
        recorder = Recorder(domain.id)
        rig, driven = actuator(world, recorder, battery)
        made.append(rig)
        common = {"use_sim_time": clock or pictures == "simulator"}
        if pictures == "commander":
            rig.commander = Commander(domain.id)
        else:
            if pictures == "player":
                rig.player = Player(domain.id, clock)
            else:
                rig.add("simulator", lambda: start("simulator", track=ring_path))
            rig.add("camera", lambda: start("camera", **common))
            path = constant_policy(RING_CURVATURE, SPEED)
            rig.add("policy", lambda: start("policy", command=policy, policy=path, **common))
        rig.add("motor", lambda: start("motor", **common, **driven, **motor))
        # The first start on a machine compiles the renderer.
        rig.until(lambda: len(recorder.commands) > 10 and rig.history(), "commands and a first neutral", 170)
        return rig

    yield make
    for rig in made:
        rig.close()
        for program in rig.programs.values():
            program.process.send_signal(signal.SIGCONT)
            program.process.send_signal(signal.SIGINT)
    for rig in made:
        for program in rig.programs.values():
            program.wait()
    held.close()
    stalls.close()
