"""Small policies, built with ONNX alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from outlap.camera.view import View
from outlap.policy.contract import Action, Contract, Envelope, Observation
from outlap.policy.file import write_policy

VIEW = View(width=32, height=20)


def make_contract(**changes: Any) -> Contract:
    """A contract that the DeepRacer-like car fulfils; ``changes`` replace its top-level keys."""
    content: dict[str, Any] = {
        "observation": Observation(view=VIEW, frame_offsets=(0, 2), commands=2),
        "action": Action(curvature_limit=3.0, speed_min=0.5, speed_limit=2.0),
        "rate_hz": 30.0,
        "envelope": Envelope(max_curvature=3.0, max_speed=2.0, latency=(0.0, 0.1), camera_height=(0.08, 0.2)),
        "car": "deepracer",
        "recipe": "test",
        "seed": 0,
    }
    return Contract.model_validate(content | changes)


def make_model(contract: Contract, hidden: int = 8, seed: int = 1) -> onnx.ModelProto:
    """A convolution, a hidden layer, and outputs bounded by tanh, with the signature of ``contract``."""
    rng = np.random.default_rng(seed)
    frames, height, width = contract.frames_shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    action = contract.action
    middle, half = (action.speed_limit + action.speed_min) / 2, (action.speed_limit - action.speed_min) / 2
    weights = {
        "conv.weight": rng.normal(0, 0.3, (4, frames, 3, 3)),
        "hidden.weight": rng.normal(0, 0.05, (4 * rows * columns + 2 * contract.observation.commands, hidden)),
        "out.weight": rng.normal(0, 0.5, (hidden, 2)),
        "scale": np.array([action.curvature_limit, half]),
        "shift": np.array([0, middle]),
    }
    nodes = [
        helper.make_node("Conv", ["frames", "conv.weight"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Elu", ["c"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Flatten", ["commands"], ["k"]),
        helper.make_node("Concat", ["f", "k"], ["all"], axis=1),
        helper.make_node("Gemm", ["all", "hidden.weight"], ["h"]),
        helper.make_node("Tanh", ["h"], ["ht"]),
        helper.make_node("MatMul", ["ht", "out.weight"], ["o"]),
        helper.make_node("Tanh", ["o"], ["ot"]),
        helper.make_node("Mul", ["ot", "scale"], ["m"]),
        helper.make_node("Add", ["m", "shift"], ["action"]),
    ]
    graph = helper.make_graph(
        nodes,
        "policy",
        [
            helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["N", *contract.frames_shape]),
            helper.make_tensor_value_info("commands", TensorProto.FLOAT, ["N", *contract.commands_shape]),
        ],
        [helper.make_tensor_value_info("action", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture(scope="session")
def contract() -> Contract:
    return make_contract()


@pytest.fixture(scope="session")
def contract_with() -> Callable[..., Contract]:
    """``contract_with(rate_hz=20)``: the usual contract with other keys."""
    return make_contract


@pytest.fixture
def model(contract: Contract) -> onnx.ModelProto:
    """A fresh network that a test may spoil."""
    return make_model(contract)


@pytest.fixture(scope="session")
def policy_path(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good policy file; not to be changed."""
    path = tmp_path_factory.mktemp("policy") / "policy.onnx"
    write_policy(path, make_model(contract).SerializeToString(), contract)
    return path
