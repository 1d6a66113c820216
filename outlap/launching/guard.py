"""Ends the processes of a launch whose runner was killed. Run by path, with nothing of Outlap imported.

The runner writes ``+PGID`` and ``-PGID`` lines to this program's standard input as process groups come and go. When
that input ends, the runner is gone: whatever groups are left get SIGTERM, and SIGKILL three seconds later. Nothing
short of SIGKILL stops this program, and it ends by itself as soon as no group is left.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

PATIENCE = 3.0  # s between SIGTERM and SIGKILL
STEP = 0.05  # s between looks


def main() -> None:
    """Keep the list until the input ends, then end what is on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    groups = {group for group in groups if _signal(group, signal.SIGTERM)}
    end = time.monotonic() + PATIENCE
    while groups and time.monotonic() < end:
        time.sleep(STEP)
        groups = {group for group in groups if _signal(group, 0)}
    for group in groups:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    with contextlib.suppress(OSError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    main()
