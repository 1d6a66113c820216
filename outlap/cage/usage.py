"""What a cage's processes use up all together, as /proc and the places to write tell (proc(5))."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from outlap.cage.limits import GIB, Limits

PLACES = ("tmp", "dev/shm")
REACHED = 30.0  # s until the cage's places to write can be looked at, on a machine however busy
TICKS = os.sysconf("SC_CLK_TCK")  # 1/s
COUNTED = ("RssAnon:", "RssShmem:", "VmSwap:")  # in /proc/PID/status, kB: what is not the same as in a file
SHARED_OUT = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")  # in smaps_rollup, kB: the same, each page counted once

Process = tuple[int, int]  # number, and ticks from the machine's start to its own: numbers are used again


class CpuTime:
    """The CPU time of processes that come and go.

    A process's own time goes to its parent's "time of children" when it is waited for; when the parent ignores SIGCHLD
    it goes nowhere. So what was last seen of a process stays counted, and what a parent got is counted only as far as
    it is more than that.
    """

    def __init__(self) -> None:
        self._seen: dict[Process, tuple[int, int]] = {}
        self._vanished = 0  # ticks, already counted, that may still turn up as some parent's time of children
        self.ticks = 0

    def look(self, now: dict[Process, tuple[int, int]]) -> int:
        """All ticks so far, given each process's own and its children's, as they are now."""
        own = handed = 0
        for process, (mine, children) in now.items():
            before = self._seen.get(process, (0, 0))
            own += max(0, mine - before[0])
            handed += max(0, children - before[1])
        vanished = sum(sum(times) for process, times in self._seen.items() if process not in now)
        self.ticks += own + max(0, handed - vanished - self._vanished)
        # Until the next look only: a process may vanish between the looks at its parent and at itself.
        self._vanished = max(0, vanished - handed) if vanished else 0
        self._seen = dict(now)
        return self.ticks


class Usage:
    """What is used up by a cage's process number 1 and all that descend from it.

    Args:
        first: bubblewrap's process number 1. Where root started it, that is of an outer numbering, around the cage's.
        limits: of all processes together.
    """

    def __init__(self, first: int, limits: Limits) -> None:
        self._first, self._limits, self._cpu = first, limits, CpuTime()
        self._began = time.monotonic()
        self._numberings = len(_numbers(first)) + (1 if os.geteuid() == 0 else 0)
        self._places: dict[str, int] = {}  # descriptors: once held, nothing that the program does hides them

    def close(self) -> None:
        """Let go of the places to write."""
        while self._places:
            os.close(self._places.popitem()[1])

    def exceeded(self) -> str | None:
        """Which of the limits on all processes together is exceeded, in words to stand in a sentence."""
        limits, memory = self._limits, 0
        processes = list(_family(self._first))
        times: dict[Process, tuple[int, int]] = {}
        for number in processes:
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = _stat(number)
                times[number, fields[19]] = (sum(fields[11:13]), sum(fields[13:15]))
                memory += _kilobytes(Path(f"/proc/{number}/status"), COUNTED)
        if memory > limits.memory_bytes and len(processes) > 2:  # pages that several share were counted several times
            memory = 0
            for number in processes:
                with contextlib.suppress(OSError, ValueError, IndexError):
                    memory += _kilobytes(Path(f"/proc/{number}/smaps_rollup"), SHARED_OUT)
        if memory > limits.memory_bytes:
            return f"its processes used over {limits.memory_bytes / GIB:.3g} GiB of memory"
        if self._cpu.look(times) > (limits.cpu_s or float("inf")) * TICKS:
            return f"it used over {limits.cpu_s:g} s of CPU time"
        if limits.wall_s is not None and time.monotonic() - self._began > limits.wall_s:
            return f"it ran for over {limits.wall_s:g} s"
        return self._too_many_files(processes)

    def _too_many_files(self, processes: list[int]) -> str | None:
        for place in PLACES:
            if place not in self._places:
                self._reach(place, processes)
            if place in self._places:
                room = os.fstatvfs(self._places[place])
                if room.f_files - room.f_ffree > self._limits.scratch_files:
                    return f"it made over {self._limits.scratch_files} files in /{place}"
            elif time.monotonic() - self._began > REACHED:
                return f"its files in /{place} could not be counted"
        return None

    def _reach(self, place: str, processes: list[int]) -> None:
        """Look through the cage's own process number 1, which is bubblewrap's: the program cannot make it a zombie."""
        for number in processes:
            with contextlib.suppress(OSError, ValueError, IndexError):
                numbers = _numbers(number)
                if len(numbers) < self._numberings or numbers[-1] != 1:
                    continue
                descriptor = os.open(f"/proc/{number}/root/{place}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                room = os.fstatvfs(descriptor)
                if room.f_blocks * room.f_frsize <= self._limits.scratch_bytes + 2**16:
                    self._places[place] = descriptor
                else:  # not yet, as the cage is made
                    os.close(descriptor)
                return


def children(number: int) -> list[int]:
    """The numbers of a process's children."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{number}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def _family(number: int) -> Iterator[int]:
    """A process and all that descend from it; orphans go to the cage's first process, which is ``number``."""
    waiting = [number]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += children(one)


def _numbers(number: int) -> list[int]:
    """A process's numbers, from our numbering to its innermost; none where it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{number}/status").read_text(errors="replace").splitlines():
            if line.startswith("NSpid:"):
                return [int(word) for word in line.split()[1:]]
    return []


def _stat(number: int) -> list[int]:
    """Fields of /proc/PID/stat from ``state`` (as 0) on: ``utime`` to ``cstime`` (11 to 14), ``starttime`` (19)."""
    fields = Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return [0, *(int(field) for field in fields[1:])]


def _kilobytes(path: Path, names: tuple[str, ...]) -> int:
    """The sum of a file's lines of these names, in bytes."""
    lines = path.read_text(errors="replace").splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(names))
