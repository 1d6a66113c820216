"""The ``outlap`` command as a user types it, but in this process: starting Python and its libraries takes seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from outlap.cli.main import main


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def outlap(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """``outlap("train", "--seed", 1)``."""

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["outlap", *map(str, words)])
        monkeypatch.setenv("OMP_WAIT_POLICY", "passive")  # as `outlap train` sets it for its process
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def refused(outlap: Callable[..., Ended]) -> Callable[..., str]:
    """``refused(…)``: the one sentence with which a command is refused."""

    def run(*words: object) -> str:
        code, stdout, stderr = outlap(*words)
        assert code == 2, stderr
        assert stdout == ""
        assert stderr.startswith("error: ")
        assert stderr.endswith(".\n")
        assert stderr.count("\n") == 1
        return stderr.removeprefix("error: ").strip()

    return run
