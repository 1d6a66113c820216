"""The processes of a launch: each in a session of its own, and a guard that ends them should the runner be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from outlap.errors import OutlapError
from outlap.launching import guard as guard_program
from outlap.launching.plan import Process


class Guard:
    """A small process beside the runner that outlives it when it is killed; see ``guard.py``."""

    def __enter__(self) -> Guard:
        program = str(Path(guard_program.__file__))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", program], stdin=subprocess.PIPE, start_new_session=True, bufsize=0
        )
        return self

    def add(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it was killed: the graph still runs, only unguarded
            self._process.stdin.write(line.encode())


class Child:
    """One running process. ``ended`` becomes readable when it has ended, ``output`` when it has said something."""

    def __init__(self, process: Process, guard: Guard) -> None:
        self.name = process.name
        self.required = process.required
        self._node = process.node
        self.closed = False  # whether its output has come to an end
        try:
            self._popen = subprocess.Popen(
                process.command,
                env=process.environment,
                cwd=process.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # its own group: a Ctrl-C in the terminal reaches it through the runner only
            )
        except OSError as error:
            raise OutlapError(f"cannot start {process.name} ({process.command[0]}): {error.strerror}.") from error
        guard.add(self.pid)
        assert self._popen.stdout is not None
        self.output = self._popen.stdout.fileno()
        os.set_blocking(self.output, False)
        self.ended = os.pidfd_open(self.pid)

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self._popen.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and whatever it started in its group.

        ROS nodes treat SIGINT and SIGTERM alike, but one written in Python that is still importing answers the first
        with a page of traceback and the second with silence: so they get the second for both.
        """
        if self._node and number == signal.SIGINT:
            number = signal.SIGTERM
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def reap(self, guard: Guard) -> int:
        """The return code of a process that has ended, or is ended now; what it left running in its group is killed.

        The group is killed before the process is waited for: until then its id cannot belong to anybody else.
        """
        self.signal(signal.SIGKILL)
        code = self._popen.wait()
        guard.remove(self.pid)
        os.close(self.ended)
        return code

    def close(self) -> None:
        """Close the reading end of its output."""
        assert self._popen.stdout is not None
        self._popen.stdout.close()


def exit_text(code: int) -> str:
    """What a return code means, to follow the name of a process."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was ended by signal {-code}"
