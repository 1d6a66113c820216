"""Runs a piece of Python in the real cage, or trusted, and says what came of it."""

from __future__ import annotations

import contextlib
import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outlap.cage.cage import Cage
from outlap.cage.draining import Drain, Last
from outlap.cage.limits import MIB, Limits

PATIENCE = 60.0  # s, on a machine however busy

# What every attempt may use; an attempt leaves what it got in ``got``.
PRELUDE = """
import ctypes, fcntl, json, mmap, os, resource, signal, socket, stat, struct, subprocess, sys, time
from pathlib import Path
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    "A system call by its name; libseccomp knows the numbers."
    number = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name(name.encode())
    assert number >= 0
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
"""


@dataclass(frozen=True)
class Came:
    """What came of an attempt."""

    told: str  # ``got: …`` or ``held: KindOfError …``; empty where it never got so far
    ended_by: str
    words: str


def attempt(
    folder: Path,
    code: str,
    *,
    trust: bool = False,
    limits: Limits | None = None,
    readable: tuple[Path, ...] = (),
    pass_fds: tuple[int, ...] = (),
    patience: float = PATIENCE,
    **facts: Any,
) -> Came:
    """Run ``code`` with ``facts`` as its variables; TimeoutError where it does not end."""
    program = folder / "attempt.py"
    lines = [PRELUDE, *(f"{name} = {value!r}" for name, value in facts.items()), "try:"]
    lines.append(textwrap.indent(textwrap.dedent(code).strip("\n"), "    "))
    lines.append("except BaseException as error:\n    print('held:', type(error).__name__, error, flush=True)")
    lines.append("else:\n    print('got:', got, flush=True)")
    program.write_text("\n".join(lines) + "\n")
    cage = Cage(limits or Limits(), readable, trust)
    kept = Last(MIB)
    printed = Drain(kept)
    with contextlib.ExitStack() as until_ended:
        until_ended.callback(printed.stop)
        with cage.popen(program, pass_fds=pass_fds, stdout=printed.writing) as running:
            printed.started()
            running.wait(patience)
            came = running.ended_by(), running.words()
    return Came(kept.content().decode(errors="replace").strip(), *came)


def attempts(folder: Path, codes: Sequence[str], **facts: Any) -> dict[str, str]:
    """What came of each, one after the other in one program, since starting it takes the longest."""
    code = """
        told = []
        for one in CODES:
            try:
                exec(one)
                told.append(f"got: {got}")
            except BaseException as error:
                told.append(f"held: {type(error).__name__} {error}")
        got = json.dumps(told)
        """
    return dict(zip(codes, value(attempt(folder, code, CODES=list(codes), **facts)), strict=True))


def value(came: Came) -> Any:
    """What it got, where that is JSON."""
    assert came.told.startswith("got: "), came
    return json.loads(came.told.removeprefix("got: "))
