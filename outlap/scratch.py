"""A temporary folder that goes with its process: what a killed one leaves behind, the next that makes one removes."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from pathlib import Path


class Scratch:
    """A new folder below the system's temporary one, its name beginning with ``prefix``.

    While its process lives it holds a lock on the folder; those of the same prefix that nobody holds are removed.
    """

    def __init__(self, prefix: str) -> None:
        for old in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            _remove_unheld(old)
        # Locked before it has the name by which others would look whether it is.
        new = Path(tempfile.mkdtemp(prefix=".outlap-"))
        handle = _open(new)
        fcntl.flock(handle, fcntl.LOCK_EX)
        self.path = new.rename(new.with_name(prefix + new.name.removeprefix(".outlap-")))
        self._finalizer = weakref.finalize(self, _end, self.path, handle)

    def close(self) -> None:
        """Remove the folder with all that is in it; the end of the process does the same."""
        self._finalizer()


def _end(folder: Path, handle: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(handle)


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _remove_unheld(folder: Path) -> None:
    try:
        handle = _open(folder)
    except OSError:  # a file, a link, another user's, or gone by now
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        pass
    finally:
        os.close(handle)
