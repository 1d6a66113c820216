"""A policy file is taken whole and unchanged, or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from fault_figures import Measured

from outlap.errors import OutlapError
from outlap.policy.contract import Contract
from outlap.policy.file import load_policy, write_policy
from outlap.vehicle.car import load_car

MUTANTS = 400  # of each of the five kinds; of the three in the fault table 1,200


def mutants(content: bytes, kind: str) -> list[bytes]:
    """Damaged copies; those that happen to equal the original are left out."""
    rng = np.random.default_rng(len(kind))
    found: list[bytes] = []
    while len(found) < MUTANTS:
        data = bytearray(content)
        size = int(rng.integers(1, 512))
        a, b = sorted(int(i) for i in rng.integers(0, len(data) - size, 2))
        if kind == "cut":
            del data[int(rng.integers(0, len(data))) :]
        elif kind == "bit flipped":
            data[a] ^= 1 << int(rng.integers(0, 8))
        elif kind == "block zeroed":
            data[a : a + size] = bytes(size)
        elif kind == "blocks swapped":
            data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
        else:
            data += rng.bytes(size)
        if data != content:
            found.append(bytes(data))
    return found


@pytest.mark.fault(13)
@pytest.mark.parametrize("kind", ["cut", "bit flipped", "block zeroed", "blocks swapped", "appended"])
def test_every_damaged_file_is_refused_before_it_is_parsed(
    policy_path: Path, tmp_path: Path, kind: str, measured: Measured
) -> None:
    path = tmp_path / "mutant.onnx"
    for mutant in mutants(policy_path.read_bytes(), kind):
        path.write_bytes(mutant)
        with pytest.raises(OutlapError, match=r"carries no Outlap digest|does not match its digest|digests instead"):
            load_policy(path)
    measured("mutants accepted", 0, limit=0, unit="", injections=MUTANTS)


def test_every_bit_of_the_digest_counts(policy_path: Path, tmp_path: Path) -> None:
    content = policy_path.read_bytes()
    start = content.index(b"outlap-sha256:")
    path = tmp_path / "mutant.onnx"
    for place in range(start, start + len("outlap-sha256:") + 64):
        for bit in range(8):
            data = bytearray(content)
            data[place] ^= 1 << bit  # 0x20 turns a hexadecimal letter into its capital: refused as well
            path.write_bytes(data)
            with pytest.raises(OutlapError, match="digest"):
                load_policy(path)


def test_the_digest_is_what_it_is_said_to_be(policy_path: Path) -> None:
    content = policy_path.read_bytes()
    digest = re.findall(rb"outlap-sha256:([0-9a-f]{64})", content)
    assert len(digest) == 1
    assert hashlib.sha256(content.replace(digest[0], b"0" * 64)).hexdigest() == digest[0].decode()
    assert load_policy(policy_path).digest == digest[0].decode()


def test_copying_renaming_and_linking_lose_nothing(policy_path: Path, contract: Contract, tmp_path: Path) -> None:
    copy = tmp_path / "the other name.bin"
    shutil.copy(policy_path, copy)
    link = tmp_path / "link.onnx"
    link.symlink_to(copy)
    for path in (copy, link):
        policy = load_policy(path, car=load_car())
        assert policy.contract == contract and policy.path == path


def test_writing_is_repeatable_and_leaves_one_file(model: onnx.ModelProto, contract: Contract, tmp_path: Path) -> None:
    digests = {write_policy(tmp_path / name, model.SerializeToString(), contract) for name in ("a.onnx", "b.onnx")}
    assert len(digests) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.onnx"]


def test_the_exporters_notes_are_dropped(model: onnx.ModelProto, contract: Contract, tmp_path: Path) -> None:
    model.doc_string = model.graph.node[0].doc_string = "/home/somebody/train.py, line 7"
    for noted in (model, model.graph.node[0], model.graph.input[0]):
        noted.metadata_props.add(key="source", value="/home/somebody/train.py, line 7")
    write_policy(tmp_path / "p.onnx", model.SerializeToString(), contract)
    assert b"somebody" not in (tmp_path / "p.onnx").read_bytes()


def test_a_written_policy_can_be_written_anew(policy_path: Path, contract: Contract, tmp_path: Path) -> None:
    digest = write_policy(tmp_path / "again.onnx", policy_path.read_bytes(), contract)
    assert digest == load_policy(policy_path).digest


def test_a_network_that_leaves_its_limits_is_not_written(
    model: onnx.ModelProto, contract: Contract, tmp_path: Path
) -> None:
    scale = next(tensor for tensor in model.graph.initializer if tensor.name == "scale")
    scale.CopyFrom(onnx.numpy_helper.from_array(np.array([50, 50], np.float32), "scale"))
    path = tmp_path / "p.onnx"
    path.write_bytes(b"what stood there")
    with pytest.raises(OutlapError, match="limits of its contract"):
        write_policy(path, model.SerializeToString(), contract)
    assert path.read_bytes() == b"what stood there" and len(list(tmp_path.iterdir())) == 1


def test_only_allowed_digests(policy_path: Path) -> None:
    digest = load_policy(policy_path).digest
    assert load_policy(policy_path, allowed_digests=["0" * 64, digest]).digest == digest
    for allowed in ([], ["0" * 64], [digest[:12]]):
        with pytest.raises(OutlapError, match="not on the list of allowed"):
            load_policy(policy_path, allowed_digests=allowed)


def test_a_car_that_cannot_do_it_is_named(policy_path: Path) -> None:
    car = load_car()
    slow = car.model_copy(update={"drive": car.drive.model_copy(update={"max_speed": 1.2})})
    with pytest.raises(OutlapError, match=r"policy\.onnx cannot drive the car deepracer: its speed goes up to 2 m/s"):
        load_policy(policy_path, car=slow)


@pytest.mark.fault(14)
@pytest.mark.seconds(2)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # waits for ever when opened plainly
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for name in ("pipe", "loop", "zeros", "dangling", "missing", "."):
        with pytest.raises(OutlapError, match=re.escape(str(tmp_path / name))):
            load_policy(tmp_path / name)


@pytest.mark.fault(14)
@pytest.mark.seconds(2)
def test_oversize_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(OutlapError, match="64 MiB"):
        load_policy(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"outlap-sha256:", b"outlap-sha256:" + b"0" * 64])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.onnx").write_bytes(content)
    with pytest.raises(OutlapError, match="digest"):
        load_policy(tmp_path / "p.onnx")


def test_a_plain_network_is_refused(model: onnx.ModelProto, tmp_path: Path) -> None:
    (tmp_path / "p.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(OutlapError, match="not a policy file"):
        load_policy(tmp_path / "p.onnx")
