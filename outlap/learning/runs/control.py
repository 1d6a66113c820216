"""What somebody who watches a training run may ask of it, from another thread: pause, proceed, save, stop."""

from __future__ import annotations

import threading
from collections.abc import Callable


class StoppedError(Exception):
    """A run ended because it was asked to; its last finished iteration is saved and the run can be resumed."""


class Control:
    """Thread safe. The watcher calls ``pause``, ``proceed``, ``save``, ``stop``; the run calls ``check``.

    A request takes effect between two of the run's steps, within a fraction of a second; a pause changes nothing about
    what is learned.
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
        """How many times the run has carried out a request to save."""
        return self._saved

    def pause(self) -> None:
        """Stand still."""
        self._set(paused=True)

    def proceed(self) -> None:
        """Go on after a pause."""
        self._set(paused=False)

    def save(self) -> None:
        """Keep the policy as it is now in a file of its own, also while paused."""
        self._set(saving=True)

    def stop(self) -> None:
        """End now, to be resumed from the last finished iteration; nothing takes this back."""
        self._set(stopping=True)

    def check(self, save: Callable[[], object] | None) -> None:
        """For the run, between two steps: calls ``save`` where that was asked for, and waits while it is to pause.

        While there is nothing to keep yet, ``save`` is None and a request to save waits for the first check with one.

        Raises:
            StoppedError: the run is to end.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or (self._saving and save) or not self._paused)
                if self._stopping:
                    raise StoppedError
                if not self._saving or save is None:
                    return
                self._saving = False
            save()
            with self._changed:
                self._saved += 1

    def _set(self, *, paused: bool | None = None, saving: bool = False, stopping: bool = False) -> None:
        with self._changed:
            self._paused = self._paused if paused is None else paused
            self._saving |= saving
            self._stopping |= stopping
            self._changed.notify_all()
