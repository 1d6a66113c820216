"""What somebody who watches a training run may ask of it, from another thread: pause, proceed, save, stop."""

from __future__ import annotations

import threading
from enum import Enum, auto


class StoppedError(Exception):
    """A run ended because it was asked to; what it had learned is saved and the run can be resumed."""


class Request(Enum):
    """What the run is to do next; see :meth:`Control.next`."""

    GO = auto()  # make the next iteration
    SAVE = auto()  # write a checkpoint, then ask again
    STOP = auto()  # write a checkpoint and raise StoppedError


class Control:
    """Thread safe. The watcher calls ``pause``, ``proceed``, ``save``, ``stop``; the run calls ``next``.

    A pause takes effect between two iterations, so that it changes nothing about what is learned.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._paused = self._stopping = self._saving = False
        self._saved = 0

    @property
    def paused(self) -> bool:
        """Whether the run was asked to pause, and not to proceed since."""
        return self._paused

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop."""
        return self._stopping

    @property
    def saved(self) -> int:
        """How many requests to save the run has carried out."""
        return self._saved

    def pause(self) -> None:
        """Stand still after the iteration in hand."""
        self._set(paused=True)

    def proceed(self) -> None:
        """Go on after a pause."""
        self._set(paused=False)

    def save(self) -> None:
        """Write a checkpoint after the iteration in hand, also while paused."""
        self._set(saving=True)

    def stop(self) -> None:
        """Write a checkpoint after the iteration in hand and end; nothing takes this back."""
        self._set(stopping=True)

    def next(self) -> Request:
        """For the run, between two iterations: what to do next; waits as long as it is to pause.

        Whoever is told to SAVE does so before asking again.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._saving or not self._paused)
            if self._saving:
                self._saving = False
                return Request.SAVE
            return Request.STOP if self._stopping else Request.GO

    def done_saving(self) -> None:
        """For the run: a checkpoint that was asked for is written."""
        with self._changed:
            self._saved += 1

    def _set(self, *, paused: bool | None = None, saving: bool = False, stopping: bool = False) -> None:
        with self._changed:
            self._paused = self._paused if paused is None else paused
            self._saving |= saving
            self._stopping |= stopping
            self._changed.notify_all()
