"""Runs one node program as if it were this one: its terminal, its signals, its end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

from outlap.errors import OutlapError
from outlap.launching.children import Guard


def run_foreground(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run ``command`` until it ends; SIGINT, SIGTERM and SIGHUP end it, and it does not outlive this process.

    Returns:
        Its exit code; 128 and the signal's number when a signal ended it.

    Raises:
        OutlapError: it cannot be started.
    """
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        # A node in Python that still imports answers SIGINT with a page of traceback, SIGTERM with silence.
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)

    process: subprocess.Popen[bytes] | None = None
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, stop) for number in signals]
    try:
        with Guard() as guard:
            try:
                # A session of its own: a Ctrl-C in the terminal reaches it through `stop` only.
                process = subprocess.Popen(command, env=dict(environment), start_new_session=True)
            except OSError as error:
                raise OutlapError(f"cannot start {command[0]}: {error.strerror or error}.") from error
            guard.add(process.pid)
            if stopping:
                stop(signal.SIGTERM, None)
            code = process.wait()
            guard.remove(process.pid)
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
    # Ended by our own word before it could hear it: that is no failure.
    return 0 if stopping and code == -signal.SIGTERM else 128 - code if code < 0 else code
