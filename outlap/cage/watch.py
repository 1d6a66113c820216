"""Starts bubblewrap, watches what a cage's processes use up all together, and ends them all."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from outlap.cage.limits import GIB, Limits

PAUSE = 0.05  # s between two looks; a core fills about 0.1 GB in it
SETTING_UP = 30.0  # s for bubblewrap to make the cage, on a machine however busy
ENDING = 10.0  # s for the kernel to end the cage's processes and give back their memory
TICKS = os.sysconf("SC_CLK_TCK")  # 1/s
COUNTED = ("RssAnon:", "RssShmem:", "VmSwap:")  # in /proc/PID/status, kB: what is not the same as in a file
SHARED_OUT = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")  # in smaps_rollup, kB: the same, each page counted once


class Watch:
    """One cage's processes.

    bubblewrap is started by a thread of its own: the kernel ends it with the *thread* that started it
    (PR_SET_PDEATHSIG), and this one lives as long as the process does, killed by SIGKILL or not.
    """

    def __init__(self, command: Sequence[str], status: int, limits: Limits, options: dict[str, Any]) -> None:
        self.process: subprocess.Popen | None = None
        self.error: OSError | None = None
        self.why: str | None = None  # it was ended by a limit
        self._command, self._status, self._limits, self._options = command, status, limits, options
        self._first: int | None = None  # the cage's process number 1, whose end is that of all others
        self._handle: int | None = None  # pidfd of it
        self._lock = threading.Lock()  # of the pidfd, whose number is another's once it is closed
        self._started, self._ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="cage", daemon=True)

    def launch(self) -> None:
        """Start the thread that starts bubblewrap; it closes both ends of the pipe for the status."""
        self._thread.start()

    def begun(self) -> subprocess.Popen:
        """Wait until bubblewrap has been started.

        Raises:
            OSError: it cannot be started.
        """
        self._started.wait()
        if self.process is None:
            raise self.error or OSError("bubblewrap was not started")
        return self.process

    def end(self) -> None:
        """End all of the cage's processes; when this returns, none is left."""
        if self.process is None:
            return
        self._ready.wait(SETTING_UP)
        self._kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(ENDING)
        self.process.kill()
        self.process.wait()
        self._thread.join(ENDING)

    def _run(self) -> None:
        """Start bubblewrap and look after it until it has ended."""
        try:
            self.process = subprocess.Popen(self._command, **self._options)
        except OSError as error:
            self.error = error
        finally:
            os.close(self._options["pass_fds"][-1])  # the writing end of the status
            self._started.set()
        try:
            if self.process is not None:
                self._follow(self.process)
        finally:
            os.close(self._status)  # not before: bubblewrap also writes at its end

    def _follow(self, process: subprocess.Popen) -> None:
        try:
            self._meet(process)
        finally:
            self._ready.set()
        if self._handle is not None:
            try:
                self._look_after(self._handle)
            finally:
                with self._lock:
                    os.close(self._handle)
                    self._handle = None
        # It says how the program ended, which takes it a moment; it would end with this thread.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDING)
        process.kill()

    def _look_after(self, handle: int) -> None:
        ended = select.poll()
        ended.register(handle, select.POLLIN)
        while not ended.poll(PAUSE * 1000):
            self.why = self.why or self._exceeded()
            if self.why is not None:
                self._kill()

    def _meet(self, process: subprocess.Popen) -> None:
        """Learn which is the cage's first process; none, where bubblewrap fails before."""
        said = select.poll()
        said.register(self._status, select.POLLIN)
        if not said.poll(SETTING_UP * 1000):
            process.kill()
            return
        with contextlib.suppress(ValueError, KeyError, OSError):
            first = int(json.loads(self._line())["child-pid"])
            handle = os.pidfd_open(first)
            # Whatever bears this number now is meant only if it is bubblewrap's child.
            if first in _children(process.pid):
                self._first, self._handle = first, handle
            else:
                os.close(handle)

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            part = os.read(self._status, 1)
            if not part:
                break
            line += part
        return line

    def _kill(self) -> None:
        with self._lock:
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            elif self.process is not None:
                self.process.kill()

    def _exceeded(self) -> str | None:
        """Which of the limits on all processes together is exceeded."""
        assert self._first is not None
        limits, memory, cpu = self._limits, 0, 0.0
        processes = list(_family(self._first))
        for number in processes:
            with contextlib.suppress(OSError, ValueError, IndexError):
                memory += _kilobytes(Path(f"/proc/{number}/status"), COUNTED)
                cpu += sum(_stat(number)[11:15]) / TICKS
        if memory > limits.memory_bytes and len(processes) > 2:  # pages that several share were counted several times
            memory = 0
            for number in processes:
                with contextlib.suppress(OSError, ValueError, IndexError):
                    memory += _kilobytes(Path(f"/proc/{number}/smaps_rollup"), SHARED_OUT)
        if memory > limits.memory_bytes:
            return f"its processes used over {limits.memory_bytes / GIB:.3g} GiB of memory"
        if limits.cpu_s is not None and cpu > limits.cpu_s:
            return f"it used over {limits.cpu_s:g} s of CPU time"
        for place in ("tmp", "dev/shm"):
            with contextlib.suppress(OSError):
                room = os.statvfs(f"/proc/{processes[-1]}/root/{place}")
                ours = room.f_blocks * room.f_frsize <= limits.scratch_bytes + 2**16  # not yet, as the cage is made
                if ours and room.f_files - room.f_ffree > limits.scratch_files:
                    return f"it made over {limits.scratch_files} files in /{place}"
        return None


def _family(number: int) -> Iterator[int]:
    """A process and all that descend from it; orphans go to the cage's first process, which is ``number``."""
    waiting = [number]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += _children(one)


def _children(number: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{number}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def _stat(number: int) -> list[int]:
    """Fields of /proc/PID/stat from ``state`` on (as 0), ``ppid`` (1) … ``utime`` to ``cstime`` (11 to 14), proc(5)."""
    fields = Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return [0, *(int(field) for field in fields[1:])]


def _kilobytes(path: Path, names: tuple[str, ...]) -> int:
    """The sum of a file's lines of these names, in bytes."""
    lines = path.read_text(errors="replace").splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(names))
