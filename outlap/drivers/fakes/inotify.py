"""Linux's inotify: tells of files that were written, from libc by way of ctypes (inotify(7))."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

CLOSE_WRITE = 0x0008  # IN_CLOSE_WRITE: a file that was open for writing was closed
OPEN = 0x0020  # IN_OPEN; of no interest, but without it one of two equal events in a row is lost
EVENT = struct.Struct("iIII")  # struct inotify_event: watch, mask, cookie, length of the name that follows


class Inotify:
    """A queue of what happens to the files and folders that are watched."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        return self._handle

    def watch(self, path: Path | str) -> int:
        """The number of a new watch on the files in a folder, or on one file; links are followed.

        Raises:
            OSError: it cannot be watched.
        """
        return self._checked(self._libc.inotify_add_watch(self._handle, os.fsencode(path), CLOSE_WRITE | OPEN))

    def ignore(self, watch: int) -> None:
        """End a watch."""
        self._libc.inotify_rm_watch(self._handle, watch)

    def read(self) -> list[tuple[int, str]]:
        """What was written since the last call, oldest first: the watch, and the file's name in its folder."""
        events: list[tuple[int, str]] = []
        while True:
            try:
                packed = os.read(self._handle, 64 * 1024)
            except BlockingIOError:
                return events
            at = 0
            while at < len(packed):
                watch, mask, _, length = EVENT.unpack_from(packed, at)
                at += EVENT.size
                if mask & CLOSE_WRITE:
                    events.append((watch, packed[at : at + length].rstrip(b"\0").decode()))
                at += length

    def close(self) -> None:
        os.close(self._handle)

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result
