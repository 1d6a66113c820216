"""Where the cage cannot start, it says why and what to do, and nothing runs unless it is trusted by name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outlap.cage import bubblewrap, syscalls
from outlap.cage.bubblewrap import why_unavailable
from outlap.cage.cage import Cage
from outlap.errors import OutlapError


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What was found out before, and what is found out here."""
    caches = (why_unavailable, bubblewrap._no_more_namespaces, syscalls.system_call_filter)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def refusing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """``refusing(words)``: what is said where bubblewrap says ``words`` and fails."""

    def of(words: str) -> str:
        fake = tmp_path / "bwrap"
        fake.write_text(f"#!/bin/sh\necho 'bwrap: {words}' >&2\nexit 1\n")
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        why = why_unavailable()
        assert why is not None
        assert why.endswith(".")
        assert f"bwrap: {words}" in why
        return why

    return of


Refusing = Callable[[str], str]


def _setting(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def test_bubblewrap_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_unavailable() == "the cage needs bubblewrap, which is not installed: sudo apt install bubblewrap."
    program = tmp_path / "program.py"
    program.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(OutlapError, match=r"^The cage needs bubblewrap.* Or run it unprotected, if you trust whoever"):
        Cage().popen(program)
    assert not (tmp_path / "ran").exists()
    with Cage(trust=True).popen(program) as running:
        assert running.wait(60.0) == 0
    assert (tmp_path / "ran").exists()


def test_libseccomp_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bwrap").write_text("")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(syscalls, "LIBRARY", "libseccomp.so.none")
    assert "sudo apt install libseccomp2" in str(why_unavailable())


def test_ubuntus_apparmor(refusing: Refusing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "APPARMOR", _setting(tmp_path / "restrict", "1\n"))
    assert "AppArmor" in refusing("setting up uid map: Permission denied")


def test_user_namespaces_switched_off(refusing: Refusing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "APPARMOR", tmp_path / "none")
    monkeypatch.setattr(bubblewrap, "NAMESPACES", _setting(tmp_path / "most", "0\n"))
    said = refusing("Creating new namespace failed: No space left on device")
    assert "sudo sysctl user.max_user_namespaces=" in said


def test_too_old_a_bubblewrap(refusing: Refusing) -> None:
    assert "too old" in refusing("Unknown option --json-status-fd")


def test_any_other_reason(refusing: Refusing) -> None:
    assert "docs/security.md" in refusing("something else")


def test_importing_it_starts_nothing_and_costs_little() -> None:
    code = "import sys, outlap.cage.inside; print(*sys.modules, sep='\\n')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pydantic", "numpy", "yaml", "subprocess"} & set(result.stdout.split())
