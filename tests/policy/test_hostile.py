"""Files with a right digest but wrong or hostile content: a digest is no authenticity."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fault_figures import Measured
from onnx import TensorProto, helper, numpy_helper

from outlap.errors import OutlapError
from outlap.policy.contract import Contract
from outlap.policy.file import load_policy, write_policy

MARKER = b"outlap-sha256:"
Change = Callable[[onnx.ModelProto], Any]


def sign(content: bytes) -> bytes:
    """The same content with the digest that it should have."""
    start = content.index(MARKER) + len(MARKER)
    zeroed = content[:start] + b"0" * 64 + content[start + 64 :]
    return zeroed[:start] + hashlib.sha256(zeroed).hexdigest().encode() + zeroed[start + 64 :]


@pytest.fixture
def refused(policy_path: Path, tmp_path: Path) -> Callable[[Change, str], None]:
    """``refused(change, message)``: the good policy, changed and signed anew, is refused with that message."""

    def check(change: Change, message: str) -> None:
        model = onnx.load_model_from_string(policy_path.read_bytes())
        change(model)
        path = tmp_path / "spoiled.onnx"
        path.write_bytes(sign(model.SerializeToString()))
        with pytest.raises(OutlapError, match=message) as caught:
            load_policy(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)

    return check


def entry(model: onnx.ModelProto, key: str) -> Any:
    return next(item for item in model.metadata_props if item.key == key)


def edit(key: str, change: Callable[[dict[str, Any]], Any]) -> Change:
    def apply(model: onnx.ModelProto) -> None:
        content = json.loads(entry(model, key).value)
        change(content)
        entry(model, key).value = json.dumps(content)

    return apply


METADATA: dict[str, tuple[Change, str]] = {
    "no contract": (lambda m: m.metadata_props.remove(entry(m, "outlap_contract")), "must hold outlap_contract"),
    "no golden": (lambda m: m.metadata_props.remove(entry(m, "outlap_golden")), "must hold .*outlap_golden"),
    "twice": (lambda m: m.metadata_props.append(entry(m, "outlap_contract")), "once each"),
    "another": (lambda m: m.metadata_props.add(key="note", value="hi"), "once each"),
    "digest elsewhere": (
        lambda m: (
            setattr(m, "doc_string", entry(m, "outlap_digest").value),
            setattr(entry(m, "outlap_digest"), "value", ""),
        ),
        "does not stand in its metadata",
    ),
    "no JSON": (lambda m: setattr(entry(m, "outlap_contract"), "value", "{"), "contract is not valid JSON"),
    "deep JSON": (lambda m: setattr(entry(m, "outlap_contract"), "value", "[" * 100_000), "not valid JSON"),
    "a list": (lambda m: setattr(entry(m, "outlap_contract"), "value", "[]"), "contract is refused"),
    "unknown key": (edit("outlap_contract", lambda c: c.update(colour="red")), "colour: unknown key"),
    "missing key": (edit("outlap_contract", lambda c: c.pop("action")), "action: missing"),
    "another format": (edit("outlap_contract", lambda c: c.update(format=2)), "format"),
    "rate NaN": (edit("outlap_contract", lambda c: c.update(rate_hz=float("nan"))), "rate_hz"),
    "rate zero": (edit("outlap_contract", lambda c: c.update(rate_hz=0)), "rate_hz"),
    "negative speed": (edit("outlap_contract", lambda c: c["action"].update(speed_limit=-2)), "speed_limit"),
    "another view": (edit("outlap_contract", lambda c: c["observation"]["view"].update(width=40)), "'frames' must be"),
    "more frames": (edit("outlap_contract", lambda c: c["observation"].update(frame_offsets=[0, 1, 2])), "'frames'"),
    "more commands": (edit("outlap_contract", lambda c: c["observation"].update(commands=3)), "'commands' must be"),
    "narrower limits": (edit("outlap_contract", lambda c: c["action"].update(curvature_limit=1e-3)), "limits of its"),
    "golden without frames": (edit("outlap_golden", lambda c: c.pop("frames")), "frames: missing"),
    "golden cut": (edit("outlap_golden", lambda c: c.update(action=c["action"][:8])), "does not fit its contract"),
    "golden no base64": (edit("outlap_golden", lambda c: c.update(frames="ä" * 99)), "does not fit its contract"),
    "golden NaN": (edit("outlap_golden", lambda c: c.update(action="AADAfwAAwH8AAMB/AADAfw==")), "does not reproduce"),
    "golden zero": (edit("outlap_golden", lambda c: c.update(action="A" * 22 + "==")), "does not reproduce"),
}


@pytest.mark.fault(13)
@pytest.mark.parametrize(("change", "message"), METADATA.values(), ids=METADATA.keys())
def test_wrong_metadata(
    refused: Callable[[Change, str], None], change: Change, message: str, measured: Measured
) -> None:
    refused(change, message)
    measured("wrong metadata accepted", 0, limit=0, unit="")


def weights(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def replace_weights(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def apply(model: onnx.ModelProto) -> None:
        tensor = weights(model, name)
        tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), name))

    return apply


def insert(*nodes: onnx.NodeProto) -> Change:
    """Operators on the way to the output, reading ``action_`` and making ``action``."""

    def apply(model: onnx.ModelProto) -> None:
        model.graph.node[-1].output[0] = "action_"
        model.graph.node.extend(nodes)

    return apply


def dimension(value: int, place: int, which: str = "input", name: str = "frames") -> Change:
    def apply(model: onnx.ModelProto) -> None:
        info = next(info for info in getattr(model.graph, which) if info.name == name)
        info.type.tensor_type.shape.dim[place].dim_value = value

    return apply


def external(tensor: onnx.TensorProto, location: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def subgraph() -> onnx.GraphProto:
    output = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    return helper.make_graph([helper.make_node("Identity", ["action_"], ["x"])], "branch", [], [output])


def wide_multiplication(model: onnx.ModelProto) -> None:
    """Products of a large weight with itself: a file of a few megabytes, work for minutes."""
    square = np.zeros((1024, 1024), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(square, "square"))
    names = ["square", *(f"square{i}" for i in range(10))]
    for before, after in itertools.pairwise(names):
        model.graph.node.append(helper.make_node("MatMul", [before, "square"], [after]))


def many_sums(model: onnx.ModelProto) -> None:
    """Little work each, but every sum is a tensor that must be held."""
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((1000, 1000), np.float32), "big"))
    model.graph.node.extend(helper.make_node("Add", ["big", "big"], [f"sum{i}"]) for i in range(50))


NETWORK: dict[str, tuple[Change, str]] = {
    "other weights": (replace_weights("out.weight", lambda w: w * 1.1), "does not reproduce its golden output"),
    "weights NaN": (replace_weights("out.weight", lambda w: w * np.nan), "limits of its contract"),
    "wrong weight shape": (replace_weights("hidden.weight", lambda w: w[:-1]), "does not fit together"),
    "opset of the future": (lambda m: setattr(m.opset_import[0], "version", 99), "version 99 of ONNX's operators"),
    "custom domain": (lambda m: m.opset_import.add(domain="com.evil", version=1), "custom operator domain 'com.evil'"),
    "custom operator": (
        insert(helper.make_node("Shell", ["action_"], ["action"], domain="com.microsoft")),
        "'com.microsoft::Shell'",
    ),
    "unknown operator": (insert(helper.make_node("Shell", ["action_"], ["action"])), "operator 'Shell'"),
    "loop": (insert(helper.make_node("Loop", ["", "", "action_"], ["action"], body=subgraph())), "operator 'Loop'"),
    "branch": (
        insert(helper.make_node("If", ["action_"], ["action"], then_branch=subgraph(), else_branch=subgraph())),
        "'If'",
    ),
    "graph in a plain operator": (
        insert(helper.make_node("Identity", ["action_"], ["action"], body=subgraph())),
        "holds a graph",
    ),
    "random": (insert(helper.make_node("RandomNormalLike", ["action_"], ["action"])), "'RandomNormalLike'"),
    "function": (
        lambda m: m.functions.append(
            helper.make_function("com.evil", "F", ["x"], ["y"], [], [helper.make_opsetid("", 18)])
        ),
        "holds functions",
    ),
    "sparse": (lambda m: m.graph.sparse_initializer.add(), "sparse"),
    "too many": (lambda m: m.graph.node.extend([helper.make_node("Identity", ["c"], ["d"])] * 2000), "operators"),
    "huge weights": (lambda m: weights(m, "scale").dims.__setitem__(0, 1 << 40), "absurd shape"),
    "negative weights": (lambda m: weights(m, "scale").dims.__setitem__(0, -2), "absurd shape"),
    "weights cut": (lambda m: setattr(weights(m, "out.weight"), "raw_data", b"1234"), "spoiled.onnx"),
    "huge padding": (
        lambda m: m.graph.node[0].attribute.__getitem__(0).ints.__setitem__(slice(None), [1 << 30] * 4),
        "spoiled.onnx",
    ),
    "growing": (
        insert(
            helper.make_node("Identity", ["action_"], ["x0"]),
            *(helper.make_node("Concat", [f"x{i}"] * 64, [f"x{i + 1}"], axis=0) for i in range(6)),
            helper.make_node("Constant", [], ["rows"], value_ints=[0]),
            helper.make_node("ReduceMean", ["x6", "rows"], ["mean"]),
            helper.make_node("Add", ["action_", "mean"], ["action"]),
        ),
        "absurd shape",
    ),
    "huge pool": (
        insert(
            helper.make_node("Constant", [], ["axes"], value_ints=[1]),
            helper.make_node("Unsqueeze", ["action_", "axes"], ["u"]),
            helper.make_node("MaxPool", ["u"], ["v"], kernel_shape=[1 << 29], pads=[1 << 28, (1 << 28) - 1]),
            helper.make_node("Squeeze", ["v", "axes"], ["action"]),
        ),
        "multiply-adds",
    ),
    "much memory": (many_sums, "makes 50005184 numbers"),
    "much work": (wide_multiplication, "multiply-adds"),
    "another input": (
        lambda m: m.graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])),
        "must have the inputs",
    ),
    "input twice": (lambda m: m.graph.input.append(m.graph.input[0]), "must have the inputs"),
    "no output": (lambda m: m.graph.output.pop(), "must have the outputs"),
    "another output": (
        lambda m: m.graph.output.append(helper.make_tensor_value_info("m", TensorProto.FLOAT, None)),
        "must have the outputs",
    ),
    "fixed batch": (dimension(1, 0), "with N left open"),
    "other height": (dimension(21, 2), r"\(N, 2, 20, 32\)"),
    "three outputs": (dimension(3, 1, "output", "action"), "'action' must be"),
    "double input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.DOUBLE),
        "must be float32",
    ),
    "cycle": (lambda m: m.graph.node[1].input.__setitem__(0, "action"), "does not fit together"),
    "no nodes": (lambda m: m.graph.ClearField("node"), "does not fit together"),
    "integers out": (
        insert(helper.make_node("Cast", ["action_"], ["action"], to=TensorProto.INT64)),
        "does not fit together",
    ),
    "index beyond": (
        insert(
            helper.make_node("Constant", [], ["i"], value_ints=[0, 99]),
            helper.make_node("Gather", ["action_", "i"], ["action"], axis=1),
        ),
        "fails on its golden input",
    ),
}


@pytest.mark.fault(14)
@pytest.mark.seconds(2)
@pytest.mark.parametrize(("change", "message"), NETWORK.values(), ids=NETWORK.keys())
def test_hostile_network(refused: Callable[[Change, str], None], change: Change, message: str) -> None:
    refused(change, message)


@pytest.mark.fault(14)
@pytest.mark.seconds(2)
@pytest.mark.parametrize("where", ["initializer", "constant"])
@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin", "absolute"])
def test_no_other_file_is_opened(
    refused: Callable[[Change, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, place: str
) -> None:
    """The other file is a pipe that nobody writes to: opening it would wait for ever."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    location = str(tmp_path / "weights.bin") if place == "absolute" else place
    for pipe in (folder / "weights.bin", tmp_path / "weights.bin"):
        os.mkfifo(pipe)

    def change(model: onnx.ModelProto) -> None:
        if where == "initializer":
            external(weights(model, "hidden.weight"), location)
        else:
            tensor = numpy_helper.from_array(np.zeros(2, np.float32), "c")
            external(tensor, location)
            insert(
                helper.make_node("Constant", [], ["k2"], value=tensor),
                helper.make_node("Add", ["action_", "k2"], ["action"]),
            )(model)

    refused(change, "in another file")


def test_right_digest_over_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "p.onnx"
    rng = np.random.default_rng(0)
    for size in (10, 1000, 100_000):
        path.write_bytes(sign(rng.bytes(size) + MARKER + b"0" * 64))
        with pytest.raises(OutlapError, match=r"p\.onnx"):
            load_policy(path)


@pytest.mark.parametrize("name", [b"outlap_golden", b"commands", b"Tanh"])
def test_names_that_are_no_text(policy_path: Path, tmp_path: Path, name: bytes) -> None:
    """protobuf hands such a name over as bytes instead of a string."""
    path = tmp_path / "p.onnx"
    path.write_bytes(sign(policy_path.read_bytes().replace(name, b"\xff" + name[1:])))
    with pytest.raises(OutlapError, match=r"p\.onnx"):
        load_policy(path)


@pytest.mark.slow
def test_parts_of_a_good_file_with_a_right_digest(policy_path: Path, tmp_path: Path) -> None:
    """Signed mutants reach the parsers: each is refused in words, or still drives as its golden check says."""
    content = policy_path.read_bytes()
    path = tmp_path / "p.onnx"
    rng = np.random.default_rng(1)
    refusals = 0
    for _ in range(300):
        data = bytearray(content)
        data[int(rng.integers(0, len(data)))] ^= 1 << int(rng.integers(0, 8))
        if data.count(MARKER) != 1:
            continue
        path.write_bytes(sign(bytes(data)))
        try:
            load_policy(path)
        except OutlapError:
            refusals += 1
    assert refusals > 10


def test_hostile_networks_are_not_written_either(model: onnx.ModelProto, contract: Contract, tmp_path: Path) -> None:
    external(weights(model, "scale"), "scale.bin")
    with pytest.raises(OutlapError, match="in another file"):
        write_policy(tmp_path / "p.onnx", model.SerializeToString(), contract)
    with pytest.raises(OutlapError, match="not an ONNX network"):
        write_policy(tmp_path / "p.onnx", b"\xff" * 100, contract)
    assert not list(tmp_path.iterdir())
