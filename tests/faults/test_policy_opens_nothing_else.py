"""Row 14: what a hostile policy file points to is not opened, by Python or any library: the kernel would tell."""

from __future__ import annotations

import ctypes
import hashlib
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from fault_figures import FULL, Measured
from onnx import TensorProto, external_data_helper

from outlap.errors import OutlapError
from outlap.policy.file import load_policy

IN_ACCESS, IN_OPEN = 0x1, 0x20  # inotify(7)
HEADER = struct.Struct("iIII")


@contextmanager
def opened(folder: Path) -> Iterator[list[str]]:
    """The names of what is opened or read in a folder meanwhile, by whatever code."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    if watch < 0 or libc.inotify_add_watch(watch, bytes(folder), IN_OPEN | IN_ACCESS) < 0:
        pytest.skip("this machine does not tell which files are opened")
    names: list[str] = []
    try:
        yield names
        try:
            content = os.read(watch, 65536)
        except BlockingIOError:
            return
        while content:
            length = HEADER.unpack_from(content)[3]
            names.append(content[HEADER.size : HEADER.size + length].rstrip(b"\0").decode())
            content = content[HEADER.size + length :]
    finally:
        os.close(watch)


@pytest.mark.fault(14)
@pytest.mark.parametrize("place", ["beside it", "by a link", "absolute"])
def test_weights_in_another_file_are_not_opened(
    place: str, constant_policy: Callable[..., Path], tmp_path: Path, measured: Measured
) -> None:
    """They are there, and would fit: onnx itself reads them."""
    other, own = tmp_path / "other", tmp_path / "own"
    other.mkdir(), own.mkdir()
    model = onnx.load(constant_policy(0.5, 1.0))
    (tensor,) = [one for one in model.graph.initializer if one.name == "wish"]
    weights = other / "weights.bin"
    weights.write_bytes(tensor.raw_data)
    location = {"beside it": "../other/weights.bin", "by a link": "link.bin", "absolute": str(weights)}[place]
    (own / "link.bin").symlink_to(weights)
    if place == "beside it":
        location, own = "weights.bin", other
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path = own / "policy.onnx"
    path.write_bytes(signed(model.SerializeToString()))
    with opened(other) as names:
        assert weights.read_bytes()
    assert "weights.bin" in names  # so it would be seen
    if place == "beside it":
        external_data_helper.load_external_data_for_model(model, str(own))
        assert np.frombuffer(model.graph.initializer[0].raw_data, np.uint8).size
    slowest = 0.0
    for _ in range(20 if FULL else 1):
        begun = time.monotonic()
        with opened(other) as names, pytest.raises(OutlapError, match="in another file"):
            load_policy(path)
        slowest = max(slowest, time.monotonic() - begun)
        assert "weights.bin" not in names
    measured("time", slowest, limit=2.0, injections=20 if FULL else 1)
    measured("other files opened", 0, limit=0, unit="", injections=20 if FULL else 1)


def signed(content: bytes) -> bytes:
    """With the right digest, so that it comes as far as it can."""
    start = content.index(b"outlap-sha256:") + len(b"outlap-sha256:")
    zeroed = content[:start] + b"0" * 64 + content[start + 64 :]
    return zeroed[:start] + hashlib.sha256(zeroed).hexdigest().encode() + zeroed[start + 64 :]
