"""Starts bubblewrap, watches what a cage's processes use up all together, and ends them all."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import Any

from outlap.cage.limits import Limits
from outlap.cage.usage import Usage, children

PAUSE = 0.05  # s between two looks; a core fills about 0.1 GB in it
SETTING_UP = 30.0  # s for bubblewrap to make the cage, on a machine however busy
ENDING = 10.0  # s for the kernel to end the cage's processes and give back their memory


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
        assert self._first is not None
        ended = select.poll()
        ended.register(handle, select.POLLIN)
        with contextlib.closing(Usage(self._first, self._limits)) as usage:
            while not ended.poll(PAUSE * 1000):
                self.why = self.why or usage.exceeded()
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
            if first in children(process.pid):
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
