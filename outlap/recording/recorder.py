"""Keeps a recording within its limits: new files by size and time, a budget for all, and room left on the disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from outlap.errors import OutlapError
from outlap.files import Model
from outlap.recording.bag import write_metadata
from outlap.recording.read import SUFFIX
from outlap.recording.repair import repair
from outlap.recording.tape import Entry, Facts, Kind, Tape

MIB = 1024 * 1024
SHARE = 4  # files that a budget holds, at least: so much of it goes when the oldest is removed
RESUME = 1.05  # of the room that must be left: so much is there before recording goes on
RETRY = 5.0  # s, after a file could not be written
ANY_TIME = float("-inf")  # s


class Limits(Model):
    """How much a recording may take."""

    file_mib: Annotated[float, Field(gt=0, le=1e6)] = 256.0  # MiB, then a new file begins
    file_minutes: Annotated[float, Field(gt=0, le=1e6)] = 10.0  # min, likewise
    total_mib: Annotated[float, Field(ge=0, le=1e9)] = 8192.0  # MiB of one recording, then its oldest file is removed
    free_mib: Annotated[float, Field(ge=0, le=1e9)] = 1024.0  # MiB that stay free on the disk

    @property
    def file_bytes(self) -> float:
        """The size at which a file ends: with a budget, at most a quarter of that."""
        mib = min(self.file_mib, self.total_mib / SHARE) if self.total_mib else self.file_mib
        return mib * MIB


def free_bytes(folder: Path) -> int:
    """Bytes that anybody may still write to the disk of ``folder``."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


class Recorder:
    """Writes messages to the files of one folder. Slow disks make it slow: call it from a thread of its own.

    Attributes:
        paused: why nothing is written at present, in a sentence; empty while recording.
        written, lost: messages, those lost because nothing could be written.
        removed: files that were removed to keep the budget.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        kinds: Mapping[str, Kind],
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        """Record the topics ``kinds`` to the existing ``folder``."""
        self.folder = folder
        self.paused = ""
        self.written = self.lost = self.removed = 0
        self._limits, self._kinds, self._free = limits, kinds, free
        self._metadata: dict[str, str] = {}
        self._tape: Tape | None = None
        self._began = 0.0  # s, of the file in hand
        self._until = ANY_TIME  # s, when writing is tried again after it failed
        self._number = 0  # of the next file
        self._torn = False  # whether a file could not be finished
        self._files: list[Facts] = []  # that are closed
        self._sizes: dict[Path, int] = {}  # of these, bytes

    @property
    def held(self) -> int:
        """Bytes of the recording that lie on the disk."""
        return sum(self._sizes.values()) + (self._tape.size if self._tape else 0)

    def describe(self, metadata: Mapping[str, str], now: float) -> None:
        """Facts that every file from now on carries, in a metadata record named ``outlap``; later ones add."""
        self._metadata |= metadata
        if self._tape is not None:
            self._guarded(lambda tape: tape.describe(metadata), now)

    def write(self, entries: Sequence[Entry], now: float) -> None:
        """Take some messages at ``now`` (s, never decreasing); :meth:`flush` puts them on the disk."""
        for entry in entries:
            if self._tape is None:
                self._open(now)
            if self._tape is None or not self._guarded(lambda tape, e=entry: tape.add(e, self._kinds[e.topic]), now):
                self.lost += 1
            else:
                self.written += 1

    def flush(self, now: float) -> None:
        """Put what was taken on the disk, and see to the limits; to be called twice a second or more often."""
        if self._tape is not None and self._guarded(Tape.flush, now):
            full = self._tape.size >= self._limits.file_bytes
            if full or now - self._began >= self._limits.file_minutes * 60:
                self._close(now)
        self._keep_budget()
        self._keep_room(now)

    def finish(self, now: float) -> None:
        """End the recording; a folder in which nothing was recorded is removed."""
        self._close(now)
        if self._torn:
            with contextlib.suppress(OutlapError):  # it can be read as it is
                repair(self.folder)
        if not self._files and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _open(self, now: float) -> None:
        if now < self._until:
            return
        path = self.folder / f"{self.folder.name}_{self._number}{SUFFIX}"
        try:
            if not self._has_room():
                return
            self._tape = Tape(path, self._metadata)
        except OSError as error:
            self._fail(error, now)
            with contextlib.suppress(OSError):
                path.unlink()
            return
        self._number += 1
        self._began, self._until, self.paused = now, ANY_TIME, ""

    def _guarded(self, action: Callable[[Tape], None], now: float) -> bool:
        """Do something with the file in hand; whether it went well."""
        assert self._tape is not None
        try:
            action(self._tape)
        except OSError as error:
            self._torn = True
            self._shelve()
            self._fail(error, now)
            return False
        return True

    def _fail(self, error: OSError, now: float) -> None:
        self.paused = f"cannot write to {self.folder}: {error.strerror or error}"
        self._until = now + RETRY

    def _close(self, now: float) -> None:
        """Finish the file in hand."""
        if self._tape is not None and self._guarded(Tape.finish, now):
            self._shelve()

    def _shelve(self) -> None:
        """Put the file in hand, which is closed, to the others."""
        assert self._tape is not None
        facts, self._tape = self._tape.facts, None
        try:
            self._sizes[facts.path] = facts.path.stat().st_size
        except OSError:
            return  # somebody removed it
        self._files.append(facts)
        self._tell()

    def _tell(self) -> None:
        try:
            write_metadata(self.folder, self._files)
        except OutlapError as error:
            self.paused = self.paused or str(error).rstrip(".")

    def _keep_budget(self) -> None:
        budget = self._limits.total_mib * MIB
        while budget and self.held > budget and self._files:
            oldest = self._files.pop(0)
            del self._sizes[oldest.path]
            oldest.path.unlink(missing_ok=True)
            self.removed += 1
            self._tell()

    def _keep_room(self, now: float) -> None:
        """Stop while the disk is nearly full, and go on when it no longer is."""
        try:
            if self._tape is not None:
                if self._free(self.folder) < self._limits.free_mib * MIB:
                    self._close(now)
                    self._has_room()
            elif self._until == ANY_TIME and self._has_room():
                self.paused = ""
        except OSError as error:  # the folder has gone
            self._fail(error, now)

    def _has_room(self) -> bool:
        """Whether a file may begin; else ``paused`` says why."""
        free, least = self._free(self.folder), self._limits.free_mib * MIB
        if free >= least * (RESUME if self.paused else 1):
            return True
        self.paused = f"the disk of {self.folder} has only {free / MIB:.0f} MiB left, {least / MIB:.0f} are kept free"
        return False
