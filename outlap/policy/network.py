"""Looks through a network before anything runs it: plain operators, known shapes, bounded work, one file.

Used by :mod:`outlap.policy.file` on the bytes of a file whose digest has already been checked. A digest is no
authenticity, so a network is not trusted for having one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx
from google.protobuf.message import DecodeError
from onnx import shape_inference

from outlap.errors import OutlapError
from outlap.policy.contract import Contract

OPSETS = range(13, 27)  # versions of the standard operator set that have been tried or only add operators
MAX_NODES = 2000
MAX_ELEMENTS = 1 << 24  # of a tensor, and of all that operators make at the golden batch: 64 MB of float32
MAX_OPERATIONS = 4e8  # multiply-adds at the golden batch: 0.1 s on a slow core, far slower than any frame rate

# Feed-forward image networks and what PyTorch's exporter puts around them. No control flow (it may never end), nothing
# that makes tensors of a size given by data, nothing random, no strings.
OPERATORS = frozenset(
    (
        "Abs",
        "Add",
        "ArgMax",
        "AveragePool",
        "BatchNormalization",
        "Cast",
        "Celu",
        "Clip",
        "Concat",
        "Constant",
        "Conv",
        "Div",
        "Elu",
        "Exp",
        "Flatten",
        "Gather",
        "Gelu",
        "Gemm",
        "GlobalAveragePool",
        "GroupNormalization",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "InstanceNormalization",
        "LayerNormalization",
        "LeakyRelu",
        "MatMul",
        "Max",
        "MaxPool",
        "Min",
        "Mish",
        "Mul",
        "Neg",
        "Pow",
        "PRelu",
        "Reciprocal",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Selu",
        "Shape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Softplus",
        "Softsign",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Tanh",
        "Transpose",
        "Unsqueeze",
    )
)
FLOAT = onnx.TensorProto.FLOAT


def parse_network(content: bytes, where: str) -> onnx.ModelProto:
    """Parse an ONNX model held in memory.

    Raises:
        OutlapError: it is not one.
    """
    try:
        return onnx.load_model_from_string(content)
    except (DecodeError, ValueError, RecursionError) as error:
        raise OutlapError(f"{where} is not an ONNX network: {_first_line(error)}.") from error


def check_network(model: onnx.ModelProto, contract: Contract, batch: int, where: str) -> None:
    """See that a network does what its contract says and nothing else; ``batch`` is what the work is counted for.

    Raises:
        OutlapError: custom or forbidden operators, external data, another signature, or more work or memory than any
            driving network needs; the message says which.
    """
    _check_operators(model, where)
    _check_tensors(model, where)
    _check_signature(model, contract, where)
    _check_work(model, contract, batch, where)


def _check_operators(model: onnx.ModelProto, where: str) -> None:
    for opset in model.opset_import:
        if opset.domain not in ("", "ai.onnx"):
            raise OutlapError(f"{where} uses the custom operator domain {opset.domain[:64]!r}: only ONNX's own is run.")
        if opset.version not in OPSETS:
            raise OutlapError(
                f"{where} uses version {opset.version} of ONNX's operators: {OPSETS[0]} to {OPSETS[-1]} are run."
            )
    if model.functions or model.training_info or model.graph.sparse_initializer:
        raise OutlapError(f"{where} holds functions, training information or sparse tensors: export the plain network.")
    if len(model.graph.node) > MAX_NODES:
        raise OutlapError(f"{where} has {len(model.graph.node)} operators: at most {MAX_NODES} are run.")
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            name = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
            raise OutlapError(f"{where} uses the operator {name[:80]!r}, which a policy may not.")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs or attribute.HasField("sparse_tensor"):
                raise OutlapError(f"{where}: the operator {node.op_type} holds a graph or a sparse tensor.")


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_tensors(model: onnx.ModelProto, where: str) -> None:
    for tensor in _tensors(model):
        if tensor.external_data or tensor.data_location != onnx.TensorProto.DEFAULT:
            raise OutlapError(f"{where} keeps tensor {tensor.name[:64]!r} in another file: a policy is one file.")
        if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > MAX_ELEMENTS:
            raise OutlapError(f"{where}: tensor {tensor.name[:64]!r} has the absurd shape {list(tensor.dims)[:8]}.")


def _check_signature(model: onnx.ModelProto, contract: Contract, where: str) -> None:
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = {value.name: _shape(value) for value in model.graph.input if value.name not in weights}
    outputs = {value.name: _shape(value) for value in model.graph.output}
    wanted_inputs = {"frames": contract.frames_shape, "commands": contract.commands_shape}
    for kind, found, wanted in (("inputs", inputs, wanted_inputs), ("outputs", outputs, {"action": (2,)})):
        if set(found) != set(wanted) or len(getattr(model.graph, kind[:-1])) != len(found):
            raise OutlapError(
                f"{where} must have the {kind} {sorted(wanted)} and no other, not {sorted(map(str, found))[:8]}."
            )
        for name, shape in wanted.items():
            if found[name] != (None, *shape):
                raise OutlapError(
                    f"{where}: {kind[:-1]} {name!r} must be float32 of shape (N, {', '.join(map(str, shape))}) with N "
                    f"left open, as its contract says, not {found[name]}."
                )


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...] | str:
    """Shape of a float tensor with None for an open size, or a word for anything else."""
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type != FLOAT or not kind.HasField("shape"):
        return "something else"
    return tuple(size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim)


def _check_work(model: onnx.ModelProto, contract: Contract, batch: int, where: str) -> None:
    """Infer every shape at a fixed batch, and bound memory and multiply-adds by them."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]  # what the file claims about its inner shapes does not count
    for value in (*fixed.graph.input, *fixed.graph.output):
        if value.name in ("frames", "commands", "action"):
            value.type.tensor_type.shape.dim[0].dim_value = batch
    try:
        onnx.checker.check_model(fixed)
        fixed = shape_inference.infer_shapes(fixed, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:  # what onnx's C++ raises has no common base
        raise OutlapError(f"{where} holds a network that does not fit together: {_first_line(error)}.") from error
    shapes = {tensor.name: tuple(tensor.dims) for tensor in fixed.graph.initializer}
    for value in (*fixed.graph.input, *fixed.graph.output, *fixed.graph.value_info):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(size.HasField("dim_value") for size in dims):
            shapes[value.name] = tuple(size.dim_value for size in dims)
    elements, operations = 0, 0.0
    for node in fixed.graph.node:
        for name in filter(None, (*node.input, *node.output)):
            if name not in shapes:
                raise OutlapError(
                    f"{where}: the size of {name[:64]!r} ({node.op_type}) cannot be told before running it."
                )
            if min(shapes[name], default=1) < 0 or math.prod(shapes[name]) > MAX_ELEMENTS:
                raise OutlapError(f"{where}: {name[:64]!r} ({node.op_type}) has the absurd shape {shapes[name][:8]}.")
        made = sum(math.prod(shapes[name]) for name in node.output if name)
        elements += made
        operations += made * _operations_each(node, shapes)
    if elements > MAX_ELEMENTS:
        raise OutlapError(f"{where} makes {elements} numbers on its way to an action: at most {MAX_ELEMENTS} are made.")
    if operations > MAX_OPERATIONS:
        raise OutlapError(
            f"{where} needs {operations / batch:.2g} multiply-adds an inference: at most {MAX_OPERATIONS / batch:.2g} "
            "are run."
        )


def _operations_each(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> float:
    """Upper bound of the multiply-adds for one element that a node makes."""
    if node.op_type == "Conv":
        return math.prod(shapes[node.input[1]][1:])
    if node.op_type in ("MatMul", "Gemm"):
        return max(shapes[node.input[0]], default=1)
    return max((math.prod(a.ints) for a in node.attribute if a.name == "kernel_shape"), default=1)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(". ")
