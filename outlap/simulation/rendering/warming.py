"""Compiles what draws pictures, in a process of its own, while a run's teacher learns without any.

On a machine that never ran this Outlap that takes many seconds, in which a thread could not help: the compiler holds
the interpreter's lock. The compiled functions are kept on disk, where the run then finds them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

CARS = 8  # arrays of a single car lie in memory in a way of their own, for which functions are compiled apart
LONGEST = 180.0  # s to wait for the process: many times what it takes; without it the run compiles for itself


class Warming:
    """The process, where there is anything to compile; it ends with this one, whatever ends that."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        if not compiled():
            self._child = subprocess.Popen(
                [sys.executable, "-m", "outlap.simulation.rendering.warming"],
                stdin=subprocess.PIPE,  # whose closing tells the process that this one is no more
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what goes wrong there goes wrong here again, where it is told
            )

    def wait(self) -> None:
        """Until everything is compiled, as a rule; to be called before the first picture is drawn."""
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(LONGEST)
            self.close()

    def close(self) -> None:
        """End the process, if it still runs."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            assert self._child.stdin is not None
            self._child.stdin.close()
            self._child = None


def compiled() -> bool:
    """Whether the disk seems to hold the compiled functions: they are younger than what they were made from."""
    from outlap.simulation.rendering import kernel

    sources = Path(kernel.__file__).parent.glob("*.py")
    made = Path(kernel.KERNELS[1].stats.cache_path).glob("kernel.*.nbi")
    newest = max((path.stat().st_mtime for path in made), default=0.0)
    return newest > max(path.stat().st_mtime for path in sources)


def main() -> None:
    """Draw pictures as training does, unless the process that asked for it ends before."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    from outlap.camera.view import View
    from outlap.simulation.cameras import Eyes
    from outlap.simulation.fleet import Fleet
    from outlap.simulation.randomization import load_randomization
    from outlap.track.formats import load_track, track_names
    from outlap.track.geometry import TrackSet
    from outlap.vehicle.car import load_car

    fleet = Fleet(TrackSet([load_track(track_names()[0])]), load_car(), CARS)
    Eyes(fleet, View(), 0, load_randomization("full")).look()


if __name__ == "__main__":
    main()
