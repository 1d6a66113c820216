"""What tests of several rooms need: a ring to drive on, policies that drive round it without looking, a tiny recipe."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from outlap.camera.view import View
from outlap.files import share_directory
from outlap.policy.contract import Action, Contract, Envelope, Observation
from outlap.policy.file import write_policy
from outlap.track.check import checked_track
from outlap.track.formats import save_track
from outlap.track.track import Track
from outlap.vehicle.car import Car, load_car

# Fixtures and hooks of tests in several rooms; modules beside this file.
pytest_plugins = ("live_graph", "motor_bench", "hand_link", "fault_figures")

RING_RADIUS = 1.2  # m, of the centre line
RING_HALF_WIDTH = 0.4  # m
FINISHED_SEED = 3
# The quick recipe made tiny: every part of it, in seconds.
TINY: dict[str, Any] = {
    "tracks": 2,
    "teacher": {
        "cars": 8,
        "iterations": 3,
        "head_start": 1,
        "beside": 1,
        "steps": 6,
        "hidden": [8],
        "epochs": 1,
        "minibatches": 2,
    },
    "student": {"frame_offsets": [0, 2], "channels": [4, 4], "hidden": 8},
    "distill": {
        "cars": 4,
        "steps": 8,
        "teacher_steps": 1,
        "mixed_steps": 3,
        "batches": 1,
        "final_batches": 5,
        "batch": 8,
        "iteration_steps": 3,
    },
    "validation": {"cars": 2, "tracks": ["oval"], "every": 2, "until_clean": 2, "last_cars": 6},
}

# What most tests need of Numba's compiled code.
COMPILED = """
from outlap.simulation.rendering.render import warm
from outlap.simulation.yardstick import yardstick
from outlap.track.formats import load_track
from outlap.vehicle.car import load_car
warm(1)
warm(3)
yardstick(load_track("oval"), load_car(), 2.0)
"""


def pytest_configure(config: pytest.Config) -> None:
    """Compile once, where each of several workers would compile the same at the same time."""
    if getattr(config.option, "numprocesses", None) and not config.option.collectonly:
        subprocess.run([sys.executable, "-c", COMPILED], check=False)


@pytest.fixture(scope="session")
def ring() -> Track:
    """A circular track around the origin, driven anticlockwise from (RING_RADIUS, 0)."""
    angle = np.linspace(0, 2 * np.pi, 241)

    def circle(radius: float) -> np.ndarray:
        return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    inner, outer = RING_RADIUS - RING_HALF_WIDTH, RING_RADIUS + RING_HALF_WIDTH
    return checked_track("ring", circle(RING_RADIUS), circle(inner), circle(outer))


@pytest.fixture(scope="session")
def ring_path(ring: Track, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ring as a track file."""
    path = tmp_path_factory.mktemp("ring") / "ring.yaml"
    save_track(ring, path)
    return path


@pytest.fixture(scope="session")
def car() -> Car:
    return load_car()


@pytest.fixture(scope="session")
def constant_policy(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``constant_policy(curvature, speed)``: the path of a valid policy file that always wants the same.

    With a third number its curvature (1/m) differs from that by about so much, with every pixel that it sees.
    """
    folder = tmp_path_factory.mktemp("constant")

    def make(curvature: float, speed: float, seen: float = 0.0) -> Path:
        path = folder / f"{curvature:.4f}_{speed:.4f}_{seen:.4f}.onnx"
        if not path.exists():
            write_policy(path, _constant_network(curvature, speed, seen).SerializeToString(), _contract())
        return path

    return make


@pytest.fixture
def reward_file(tmp_path: Path) -> Callable[[str], Path]:
    """``reward_file(code)``: a reward file with that code."""

    def make(code: str) -> Path:
        path = tmp_path / "my_reward.py"
        path.write_text(textwrap.dedent(code).lstrip("\n"))
        return path

    return make


def _contract() -> Contract:
    return Contract(
        observation=Observation(view=View(), frame_offsets=(0, 2), commands=2),
        action=Action(curvature_limit=3.5, speed_min=0.0, speed_limit=4.0),
        rate_hz=30.0,
        envelope=Envelope(max_curvature=3.5, max_speed=4.0, latency=(0.0, 0.1), camera_height=(0.08, 0.2)),
        car="deepracer",
        recipe="constant",
        seed=0,
    )


def _constant_network(curvature: float, speed: float, seen: float) -> onnx.ModelProto:
    """Looks at everything, weighs it with zero or a little, and adds what it wants."""
    contract = _contract()
    inputs, shapes = ("frames", "commands"), (contract.frames_shape, contract.commands_shape)
    nodes, weights = [], {"wish": np.array([curvature, speed])}
    for name, shape in zip(inputs, shapes, strict=True):
        inputs_here = int(np.prod(shape))
        weights[f"{name}.weight"] = np.zeros((inputs_here, 2))
        weights[f"{name}.weight"][:, 0] = seen / inputs_here**0.5 * np.random.default_rng(0).normal(size=inputs_here)
        nodes.append(helper.make_node("Flatten", [name], [f"{name}.flat"]))
        nodes.append(helper.make_node("MatMul", [f"{name}.flat", f"{name}.weight"], [f"{name}.part"]))
    nodes.append(helper.make_node("Add", [f"{inputs[0]}.part", f"{inputs[1]}.part"], ["nothing"]))
    nodes.append(helper.make_node("Add", ["nothing", "wish"], ["action"]))
    graph = helper.make_graph(
        nodes,
        "constant",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
            for name, shape in zip(inputs, shapes, strict=True)
        ],
        [helper.make_tensor_value_info("action", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture(scope="session")
def tiny() -> Callable[..., dict[str, Any]]:
    """``tiny(task={...}, …)``: the content of config/training/quick.yaml with small numbers and these changes."""

    def make(**changes: Any) -> dict[str, Any]:
        content = yaml.safe_load((share_directory() / "config" / "training" / "quick.yaml").read_text())
        for change in (TINY, changes):
            for key, value in change.items():
                content[key] = {**content[key], **value} if isinstance(value, dict) else value
        return content

    return make


@pytest.fixture(scope="session")
def finished_run(tiny: Callable[..., dict[str, Any]], car: Car, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of it by FINISHED_SEED, for all to read; who writes there takes a copy."""
    # Here, since most tests do without PyTorch.
    from outlap.learning.config import TrainingConfig
    from outlap.learning.runs.run import train

    out = tmp_path_factory.mktemp("finished") / "run"
    train(TrainingConfig.model_validate(tiny()), car, out, FINISHED_SEED)
    return out


@pytest.fixture
def tiny_file(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[..., Path]:
    """``tiny_file(**changes)``: the same as a file."""

    def make(**changes: Any) -> Path:
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(tiny(**changes)))
        return path

    return make
