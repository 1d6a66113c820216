"""When this machine itself stood still: a process that only sleeps, and notes when it was woken too late.

An injection during which that happened says nothing about what was tested, since nobody could have run meanwhile.
``python tests/faults/stalls.py FILE`` writes a line for each: when it was due to be woken, and when it was (steady s).
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

NAP = 0.002  # s
LATE = 0.015  # s; three quarters of the motor's tick


class Stalls:
    """Watches until it is closed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "stalls"
        self._path.touch()
        self._process = subprocess.Popen([sys.executable, __file__, str(self._path)])

    def between(self, begin: float, end: float) -> bool:
        """Whether the machine stood still at some time from ``begin`` to ``end``, steady s that have passed."""
        stalls = (line.split() for line in self._path.read_text().splitlines())
        return any(float(due) < end and float(woken) > begin for due, woken in stalls)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def watch(path: Path) -> None:
    with path.open("a", buffering=1) as file:
        while True:
            due = time.monotonic() + NAP
            time.sleep(NAP)
            woken = time.monotonic()
            if woken - due > LATE:
                file.write(f"{due} {woken}\n")


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
