"""Temporary folders: one's own goes at the end, a killed process's with the next start, a living one's stays."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from outlap.scratch import Scratch

HOLDER = """
import sys
from outlap.scratch import Scratch
scratch = Scratch("outlap-test-")
(scratch.path / "deep").mkdir()
(scratch.path / "deep" / "file").write_text("x")
print(scratch.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # is looked up once a process
    return tmp_path


def test_what_a_killed_process_leaves_goes_with_the_next_start(below: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        held = Path(holder.stdout.readline().strip())
        assert held.parent == below
        first = Scratch("outlap-test-")
        assert (held / "deep" / "file").is_file(), "its process lives"
        holder.kill()
    (below / "outlap-test-link").symlink_to(below / "kept")
    (below / "kept").mkdir()
    second = Scratch("outlap-test-")
    assert not held.exists()
    assert first.path.is_dir() and (below / "kept").is_dir()
    for scratch in (first, second):
        scratch.close()
        assert not scratch.path.exists()
    assert sorted(path.name for path in below.iterdir()) == ["kept", "outlap-test-link"]
