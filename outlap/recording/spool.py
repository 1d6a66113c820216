"""Between the messages that come and the disk that may be slow: a bounded queue and a thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from outlap.recording.recorder import Recorder
from outlap.recording.tape import Entry

PERIOD = 0.1  # s from one look into the queue to the next
FLUSH = 0.35  # s from one flush to the next; with PERIOD less than the 0.5 s that may lie only in memory
PATIENCE = 10.0  # s that the end waits for the disk


class Status(NamedTuple):
    """How a recording stands."""

    messages: int  # written
    bytes: int  # of the recording that lie on the disk
    dropped: int  # messages that found the queue full
    lost: int  # messages that came while nothing could be written
    waiting: int  # bytes in the queue
    removed: int  # files removed to keep the budget
    paused: str  # why nothing is written; empty while recording


class Spool:
    """Takes messages without ever waiting, and hands them to a recorder in a thread."""

    def __init__(self, recorder: Recorder, limit: int) -> None:
        """Hold at most ``limit`` bytes of messages that the disk has not taken yet."""
        self._recorder, self._limit = recorder, limit
        self._lock = threading.Lock()  # held for moments only, never while a file is touched
        self._queue: deque[Entry] = deque()
        self._facts: dict[str, str] = {}
        self._waiting = self._dropped = 0
        self._broken = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._status = Status(0, 0, 0, 0, 0, 0, "")
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Take a message; where the queue is full it is dropped and counted."""
        size = len(entry.data)
        with self._lock:
            if self._waiting + size > self._limit:
                self._dropped += 1
                return
            self._queue.append(entry)
            self._waiting += size

    def describe(self, metadata: Mapping[str, str]) -> None:
        """Facts for the recording, see :meth:`Recorder.describe`."""
        with self._lock:
            self._facts |= metadata

    def status(self) -> Status:
        """How the recording stood at the thread's last look, with what waits and was dropped now."""
        with self._lock:
            return self._status._replace(
                dropped=self._dropped, waiting=self._waiting, paused=self._broken or self._status.paused
            )

    def close(self) -> bool:
        """Write what waits and end; whether the disk took it within ten seconds."""
        self._ending.set()
        self._thread.join(PATIENCE)
        return not self._thread.is_alive() and not self._broken

    def _run(self) -> None:
        try:
            flushed = time.monotonic()
            while True:
                ending = self._ending.wait(PERIOD)
                now = time.monotonic()
                self._empty(now)
                if ending:
                    self._recorder.finish(now)
                    self._look()
                    return
                if now - flushed >= FLUSH - PERIOD / 2:
                    self._recorder.flush(now)
                    flushed = now
                self._look()
        except Exception as error:  # nothing may end the thread unseen
            self._broken = f"recording broke off: {type(error).__name__}: {error}"

    def _empty(self, now: float) -> None:
        """Hand over what waits. It counts as waiting until the recorder has it, or a slow disk would hide it."""
        with self._lock:
            batch, self._queue = self._queue, deque()
            facts, self._facts = self._facts, {}
        if facts:
            self._recorder.describe(facts, now)
        self._recorder.write(batch, now)
        with self._lock:
            self._waiting -= sum(len(entry.data) for entry in batch)

    def _look(self) -> None:
        recorder = self._recorder
        with self._lock:
            self._status = Status(
                recorder.written, recorder.held, 0, recorder.lost, 0, recorder.removed, recorder.paused
            )
