"""What a stranger's program writes: read from a pipe to its end, so that it never waits, and kept only in part."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from typing import Protocol

PART = 1 << 16  # bytes; a pipe holds as many
LOOK = 0.1  # s until a drain sees that it is to stop, where somebody holds on to the pipe
GATHERING = 5.0  # s in which what was written before the end has been read, on a machine however busy


class Keeper(Protocol):
    """Takes what was written, part by part, and never fails."""

    def add(self, part: bytes) -> None:
        """The next part."""
        ...


class Last:
    """The last ``most`` bytes: how a program ended stands there."""

    def __init__(self, most: int) -> None:
        self._most, self._kept, self._lock = most, bytearray(), threading.Lock()

    def add(self, part: bytes) -> None:
        """The next part."""
        with self._lock:
            self._kept += part
            if len(self._kept) > 2 * self._most:
                del self._kept[: -self._most]

    def content(self) -> bytes:
        """What is kept so far."""
        with self._lock:
            return bytes(self._kept[-self._most :])


class First:
    """The first ``most`` bytes, into an open file; the rest is dropped, and so is all after an error in writing."""

    def __init__(self, descriptor: int | None, most: int) -> None:
        self._descriptor, self._left = descriptor, most

    def add(self, part: bytes) -> None:
        """The next part."""
        part = part[: self._left]
        self._left -= len(part)
        while part and self._descriptor is not None:
            try:
                part = part[os.write(self._descriptor, part) :]
            except OSError:
                self._descriptor = None


class Drain:
    """Reads a new pipe on a thread of its own until nobody can write to it any more, or it is stopped.

    Attributes:
        writing: the pipe's other end, for the program; to be closed here (``started``) once the program has it.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._reading, self.writing = os.pipe()
        self._keeper, self._stopping = keeper, False
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._thread.start()

    def started(self) -> None:
        """The program has inherited ``writing``, or never will: from now on the pipe ends with those who hold it."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def gather(self) -> None:
        """After the program's end: wait until all that it wrote has been read."""
        self._thread.join(GATHERING)

    def stop(self) -> None:
        """Read what is there and no more, although a trusted program's child may still write."""
        self.started()
        self._stopping = True
        self._thread.join()

    def _run(self) -> None:
        ready, after = select.poll(), 0
        ready.register(self._reading, select.POLLIN)
        with contextlib.closing(os.fdopen(self._reading, "rb", buffering=0)) as pipe:
            while after < 2 * PART:  # a pipe's worth, of what may come without end
                if not ready.poll(LOOK * 1000):
                    if self._stopping:
                        return
                    continue
                part = pipe.read(PART)
                if not part:
                    return
                after += len(part) if self._stopping else 0
                self._keeper.add(part)
