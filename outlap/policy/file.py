"""The policy file: one ONNX file that carries all that is needed to trust it.

Three entries in the model's metadata make an ONNX file a policy:

- ``outlap_contract``: the contract as JSON;
- ``outlap_golden``: an input and the output that the network must give for it, on every machine;
- ``outlap_digest``: ``outlap-sha256:`` and the SHA-256 of the whole file with these 64 characters as zeros.

The digest says that the file is what was written, not who wrote it: see ``allowed_digests``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from outlap.errors import OutlapError
from outlap.files import Model, read_bytes, validate, write_atomic
from outlap.policy.contract import Contract
from outlap.policy.network import check_network, parse_network
from outlap.policy.observation import frames_to_tensor
from outlap.policy.runtime import Policy
from outlap.vehicle.car import Car

MAX_BYTES = 64 * 1024 * 1024
CONTRACT, GOLDEN, DIGEST = "outlap_contract", "outlap_golden", "outlap_digest"
MARKER = b"outlap-sha256:"
HEX = 64  # characters of a SHA-256
GOLDEN_BATCH = 2  # rows: more than one, so that a network that only fits one is found out
GOLDEN_SEED = 20  # any number; the input itself is in the file
GOLDEN_TOLERANCE = 1e-4  # 1/m and m/s, and of the value: processors differ by about 1e-6


class Golden(Model):
    """A stored input and output; arrays are base64 of their little-endian bytes, shapes follow from the contract."""

    frames: str  # uint8 (2, T, H, W), grey levels before standardisation
    commands: str  # float32 (2, K, 2)
    action: str  # float32 (2, 2)


def write_policy(path: Path, model: bytes, contract: Contract) -> str:
    """Make a policy file of an exported network, checked as it will be when loaded, and written whole or not at all.

    Args:
        path: where to write it.
        model: the ONNX model; its own metadata and the exporter's notes are dropped.
        contract: what it promises.

    Returns:
        The file's digest, 64 hexadecimal characters.

    Raises:
        OutlapError: the network does not fit the contract, or the file cannot be written.
    """
    where = f"the network for {path}"
    network = parse_network(model, where)
    _strip(network)
    check_network(network, contract, GOLDEN_BATCH, where)
    frames, commands = _golden_input(contract)
    action = _golden_action(Policy(network.SerializeToString(), contract, path=path), frames, commands)
    golden = Golden(frames=_encode(frames), commands=_encode(commands), action=_encode(action))
    onnx.helper.set_model_props(
        network,
        {
            CONTRACT: contract.model_dump_json(),
            GOLDEN: golden.model_dump_json(),
            DIGEST: MARKER.decode() + "0" * HEX,
        },
    )
    content = network.SerializeToString()
    start = _digest_start(content, str(path))
    digest = _sha256(content, start)
    content = content[:start] + digest.encode() + content[start + HEX :]
    _verified(content, path, None, None)
    write_atomic(path, content)
    return digest


def load_policy(path: Path, *, car: Car | None = None, allowed_digests: Collection[str] | None = None) -> Policy:
    """Read a policy file, refusing anything but an intact, plain and fitting one.

    Args:
        path: the file.
        car: when given, the car that must be able to do all that the policy may ask.
        allowed_digests: when given, the only digests that may pass.

    Raises:
        OutlapError: the file is refused; the message says why.
    """
    return _verified(read_bytes(path, "policy file", MAX_BYTES), path, car, allowed_digests)


def _verified(content: bytes, path: Path, car: Car | None, allowed: Collection[str] | None) -> Policy:
    """All checks, from the raw bytes to the golden output; none needs what a later one establishes."""
    start = _digest_start(content, str(path))
    digest = content[start : start + HEX].decode("ascii", "replace")
    if digest != _sha256(content, start):
        raise OutlapError(f"{path}: the policy file is damaged: its content does not match its digest.")
    if allowed is not None and digest not in allowed:
        raise OutlapError(f"{path}: the policy's digest {digest[:12]}… is not on the list of allowed ones.")
    network = parse_network(content, str(path))
    entries = {entry.key: entry.value for entry in network.metadata_props}
    if set(entries) != {CONTRACT, GOLDEN, DIGEST} or len(network.metadata_props) != len(entries):
        raise OutlapError(f"{path}: the policy's metadata must hold {CONTRACT}, {GOLDEN} and {DIGEST}, once each.")
    if entries[DIGEST] != MARKER.decode() + digest:
        raise OutlapError(f"{path}: the policy's digest does not stand in its metadata.")
    contract = validate(_json(entries[CONTRACT], path, "contract"), Contract, str(path), "policy's contract")
    golden = validate(_json(entries[GOLDEN], path, "golden check"), Golden, str(path), "policy's golden check")
    if car is not None:
        contract.check_car(car, str(path))
    check_network(network, contract, GOLDEN_BATCH, str(path))
    policy = Policy(content, contract, digest, path)
    _check_golden(policy, golden)
    return policy


def _digest_start(content: bytes, where: str) -> int:
    """Where the digest's characters begin."""
    found = [match.end() for match in re.finditer(re.escape(MARKER), content)]
    if not found:
        raise OutlapError(f"{where} is not a policy file, or is cut short: it carries no Outlap digest.")
    if len(found) > 1:
        raise OutlapError(f"{where}: the policy file carries {len(found)} digests instead of one.")
    return found[0]


def _sha256(content: bytes, start: int) -> str:
    """Digest of the content with the digest's own characters as zeros."""
    view = memoryview(content)
    total = hashlib.sha256(view[:start])
    total.update(b"0" * HEX)
    total.update(view[start + HEX :])
    return total.hexdigest()


def _json(text: str, path: Path, what: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OutlapError(f"{path}: the policy's {what} is not valid JSON.") from error


def _strip(network: onnx.ModelProto) -> None:
    """Drop the exporter's notes: they hold source lines and paths of the training machine."""
    graph = network.graph
    for noted in (network, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        noted.ClearField("metadata_props")
        noted.ClearField("doc_string")
    graph.ClearField("value_info")
    graph.ClearField("quantization_annotation")


def _encode(array: NDArray[np.generic]) -> str:
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()


def _decode(text: str, dtype: str, shape: tuple[int, ...], path: Path | None) -> NDArray[np.generic]:
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), np.dtype(dtype)).reshape(shape)
    except (binascii.Error, ValueError) as error:
        raise OutlapError(f"{path}: the policy's golden check does not fit its contract.") from error


def _golden_input(contract: Contract) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    rng = np.random.default_rng(GOLDEN_SEED)
    frames = rng.integers(0, 256, (GOLDEN_BATCH, *contract.frames_shape), dtype=np.uint8)
    return frames, rng.uniform(0, 1, (GOLDEN_BATCH, *contract.commands_shape)).astype(np.float32)


def _golden_action(policy: Policy, frames: NDArray[np.uint8], commands: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's output for the golden input, within its limits.

    Raises:
        OutlapError: the network fails, or leaves its limits.
    """
    limits = policy.contract.action
    try:
        action = policy.infer(frames_to_tensor(frames), commands)
    except Exception as error:  # onnxruntime's errors have no common base
        raise OutlapError(f"{policy.path}: the policy's network fails on its golden input.") from error
    least = (-limits.curvature_limit - GOLDEN_TOLERANCE, limits.speed_min - GOLDEN_TOLERANCE)
    most = (limits.curvature_limit + GOLDEN_TOLERANCE, limits.speed_limit + GOLDEN_TOLERANCE)
    if not ((action >= least) & (action <= most)).all():
        raise OutlapError(
            f"{policy.path}: the policy's network gives {action.tolist()} on its golden input: not curvature and "
            f"speed within the limits of its contract."
        )
    return action


def _check_golden(policy: Policy, golden: Golden) -> None:
    contract = policy.contract
    frames = _decode(golden.frames, "u1", (GOLDEN_BATCH, *contract.frames_shape), policy.path)
    commands = _decode(golden.commands, "<f4", (GOLDEN_BATCH, *contract.commands_shape), policy.path)
    wanted = _decode(golden.action, "<f4", (GOLDEN_BATCH, 2), policy.path)
    action = _golden_action(policy, frames.astype(np.uint8), commands.astype(np.float32))
    if not np.allclose(action, wanted.astype(np.float32), rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE):
        raise OutlapError(
            f"{policy.path}: the policy's network does not reproduce its golden output on this machine: "
            f"{action.tolist()} instead of {wanted.tolist()}."
        )
