"""Fault 15: what hides in a checkpoint is never executed; what is damaged is refused in one sentence."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from fault_figures import Measured

from outlap.errors import OutlapError
from outlap.learning.runs.checkpoint import load_checkpoint, save_checkpoint
from outlap.learning.runs.folder import CHECKPOINT_INDEX as INDEX
from outlap.learning.runs.records import Reached


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole checkpoint."""
    folder = tmp_path / "checkpoint"
    state = {
        "numbers": np.arange(3),
        "weights": {"layer": np.ones((2, 2))},
        "iteration": 4,
        "rng": {"state": 1 << 100},
    }
    save_checkpoint(folder, "4", {"seed": 1}, Reached(stage="student", done=4, total=9), state, [])
    return folder


def put(folder: Path, content: bytes) -> None:
    """Put ``content`` in the place of the state's arrays, with its right digest."""
    index = json.loads((folder / INDEX).read_text())
    index["arrays"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / index["arrays"]["file"]).write_bytes(content)
    (folder / INDEX).write_text(json.dumps(index))


def refused(folder: Path) -> str:
    with pytest.raises(OutlapError) as caught:
        load_checkpoint(folder)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_whole_checkpoint_is_read_as_it_was_written(folder: Path) -> None:
    read = load_checkpoint(folder)
    assert read is not None
    assert read.about == {"seed": 1}
    assert read.state["iteration"] == 4
    assert read.state["rng"] == {"state": 1 << 100}
    np.testing.assert_array_equal(read.state["numbers"], np.arange(3))
    np.testing.assert_array_equal(read.state["weights"]["layer"], np.ones((2, 2)))
    assert load_checkpoint(folder.parent / "none") is None


@pytest.mark.fault(15)
@pytest.mark.parametrize("kind", ["npz", "npy", "pickle", "torch"])
def test_a_pickle_in_a_checkpoint_never_executes(folder: Path, tmp_path: Path, kind: str, measured: Measured) -> None:
    target = tmp_path / "executed"
    payload, stream = Payload(target), io.BytesIO()
    if kind == "npz":
        np.savez(stream, numbers=np.array([payload], dtype=object))
    elif kind == "npy":
        np.save(stream, np.array([payload], dtype=object))
    elif kind == "pickle":
        pickle.dump(payload, stream)
    else:
        torch.save(payload, stream)
    put(folder, stream.getvalue())
    refused(folder)
    assert not target.exists()
    pickle.loads(pickle.dumps(payload))  # it would have
    assert target.exists()
    measured("payloads executed", 0, limit=0, unit="")


def test_damage_is_told(folder: Path) -> None:
    (arrays,) = folder.glob("*.npz")
    content = arrays.read_bytes()
    arrays.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    assert "its digest differs" in refused(folder)
    arrays.unlink()
    assert "cannot read the checkpoint" in refused(folder)
    for damaged in (b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "arrays": 3}', b"\xff"):
        (folder / INDEX).write_bytes(damaged)
        refused(folder)
    (folder / INDEX).write_text('{"format": 99}')
    assert "of format 99" in refused(folder)


def test_a_name_that_leads_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    index = json.loads((folder / INDEX).read_text())
    name = index["arrays"]["file"]
    (folder / name).rename(tmp_path / name)
    index["arrays"]["file"] = f"../{name}"
    (folder / INDEX).write_text(json.dumps(index))
    assert "cannot be in its own folder" in refused(folder)
