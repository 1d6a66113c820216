"""Runs jobs in processes on this machine: the first :class:`~outlap.launching.jobs.executor.Executor`.

Why not ``concurrent.futures``: its pool is broken as soon as one process dies, with whatever the others were doing, and
its processes outlive a parent that is killed until they have finished what they do.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from typing import Any

from outlap.errors import OutlapError
from outlap.launching.children import exit_text
from outlap.launching.jobs.executor import Job, ResultT, Setup, ignore, warn_on_stderr
from outlap.launching.jobs.interrupts import interrupts_deferred
from outlap.launching.jobs.worker import FAILED, PROGRESS, READY, serve

ATTEMPTS = 3  # times that a job is tried, where its process dies each time
PATIENCE = 5.0  # s for a process to end by itself after the last job
CLOSED = 1.0  # s for the same, after it has closed its end of the connection


class LocalProcesses:
    """Runs jobs in processes of their own, which end with this one, whatever ends that.

    They are started anew ("spawn"), not forked: a copy of this process would lack the threads of libraries in it. So a
    program's main module must guard what it does by ``if __name__ == "__main__":``.

    Args:
        count: how many jobs run at once.

    Raises:
        OutlapError: that is none.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise OutlapError(f"jobs cannot run in {count} processes: give at least 1.")
        self._count = count

    def run(
        self,
        jobs: Sequence[Job[ResultT]],
        setup: Setup | None = None,
        report: Callable[[int], None] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> list[ResultT]:
        """See :class:`Executor`."""
        calls = [_pickled(job.name, job.function, job.arguments) for job in jobs]
        prepare = b"" if setup is None else _pickled("the set-up", setup.function, setup.arguments)
        run = _Run([job.name for job in jobs], calls, prepare, report or ignore, warn or warn_on_stderr)
        try:
            return run.results(min(self._count, len(jobs)))
        finally:
            run.cancel()  # those that are left: one may be in the middle of a minute's work


def _pickled(name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    try:
        return pickle.dumps((function, arguments), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # whatever an object's own pickling raises
        raise OutlapError(
            f"{name} cannot be sent to another process ({error}): its function must be defined at the top of a module, "
            "and its arguments be plain data."
        ) from error


class _Process:
    """A worker process, and what it is doing.

    Raises:
        OutlapError: the system cannot start another process.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.ready = False
        self.job: int | None = None
        self.count = 0  # units of the job that it has reported
        try:
            self.connection, theirs = context.Pipe()
            lifeline, self._lifeline = context.Pipe(duplex=False)
            with theirs, lifeline:
                self._process = context.Process(target=serve, args=(theirs, lifeline))
                self._process.start()
            assert self._process.pid is not None
            self.ended = os.pidfd_open(self._process.pid)  # the other end of the connection may live on in a child
        except OSError as error:
            raise OutlapError(
                f"cannot start a worker process: {error.strerror or error}; try again with fewer processes."
            ) from error

    def receive(self) -> list[tuple[str, Any]]:
        """The messages that have come.

        Raises:
            EOFError, ConnectionError: the process has closed its end of the connection.
        """
        messages = []
        while self.connection.poll():
            try:
                messages.append(self.connection.recv())
            except (EOFError, ConnectionError):
                if not messages:
                    raise
                break  # the next call says so again
        return messages

    def kill(self) -> None:
        self._process.kill()

    def reap(self, patience: float) -> int:
        """The exit code of the process, which is killed unless it ends by itself within so many seconds."""
        self.connection.close()  # which tells it that there is no more to do
        self._process.join(patience)
        self._process.kill()
        self._process.join()
        code = self._process.exitcode
        assert code is not None
        os.close(self.ended)
        self._lifeline.close()
        self._process.close()
        return code


class _Run:
    """One set of jobs as it is done."""

    def __init__(
        self,
        names: Sequence[str],
        calls: Sequence[bytes],
        setup: bytes,
        report: Callable[[int], None],
        warn: Callable[[str], None],
    ) -> None:
        self._names, self._calls, self._setup, self._report, self._warn = names, calls, setup, report, warn
        self._waiting = deque(range(len(calls)))  # jobs
        self._results: dict[int, Any] = {}
        self._counts = [0] * len(calls)  # units of each job that were passed on
        self._unreported = 0  # units
        self._losses = [0] * len(calls)  # processes that each job has lost
        self._false_starts = 0  # processes that were lost before they were ready
        self._processes: list[_Process] = []

    def results(self, count: int) -> list[Any]:
        """Do all jobs in ``count`` processes."""
        for _ in range(count):
            self._start()
        while len(self._results) < len(self._calls):
            ready = set(wait([one for process in self._processes for one in (process.connection, process.ended)]))
            for process in list(self._processes):
                if ready & {process.connection, process.ended}:
                    self._attend(process, process.ended in ready)
            if self._unreported:
                count, self._unreported = self._unreported, 0
                self._report(count)
        with interrupts_deferred():
            for process in self._processes:
                process.connection.close()  # all at once
            while self._processes:
                self._processes.pop().reap(PATIENCE)
        return [self._results[job] for job in range(len(self._calls))]

    def cancel(self) -> None:
        """End the processes, whatever they are doing."""
        with interrupts_deferred():
            for process in self._processes:
                process.kill()
            while self._processes:
                self._processes.pop().reap(0.0)

    def _start(self) -> None:
        with interrupts_deferred():
            self._processes.append(_Process())

    def _attend(self, process: _Process, ended: bool) -> None:
        """Take the messages of a process that has some, or has ended, and see that all have something to do."""
        try:
            messages = process.receive()
        except (EOFError, ConnectionError):
            messages, ended = [], True
        for kind, content in messages:
            self._take(process, kind, content)
        if ended:
            self._lose(process)
        for idle in list(self._processes):
            if idle.ready and idle.job is None and self._waiting:
                self._give(idle)

    def _take(self, process: _Process, kind: str, content: Any) -> None:
        job = process.job
        if kind == FAILED:
            error, text = content
            if not isinstance(error, OutlapError):  # which says all that there is to say
                where = "the set-up" if job is None else self._names[job]
                error.add_note(f"It happened in a worker process, for {where}:\n{text}")
            raise error
        if kind == READY:
            process.ready = True
            with contextlib.suppress(ConnectionError):  # noticed as its end
                process.connection.send_bytes(self._setup)
            return
        assert job is not None
        if kind == PROGRESS:
            process.count += content
            new = max(process.count - self._counts[job], 0)  # none, while a job that is repeated catches up
            self._counts[job] += new
            self._unreported += new
        else:
            self._results[job] = pickle.loads(content)
            process.job = None

    def _give(self, process: _Process) -> None:
        job = self._waiting.popleft()
        process.job, process.count = job, 0
        with contextlib.suppress(ConnectionError):  # noticed as its end
            process.connection.send_bytes(self._calls[job])

    def _lose(self, process: _Process) -> None:
        """Say that a process was lost, and see that its job is done again.

        Raises:
            OutlapError: that has happened too often.
        """
        with interrupts_deferred():
            self._processes.remove(process)
            code = process.reap(CLOSED)
        how = exit_text(code) + (", perhaps for want of memory" if code == -signal.SIGKILL else "")
        if process.job is not None:
            name = self._names[process.job]
            self._losses[process.job] += 1
            if self._losses[process.job] == ATTEMPTS:
                raise OutlapError(
                    f"{name} lost its process {ATTEMPTS} times, and the last one {how}: try again with fewer processes."
                )
            self._warn(f"the process that worked on {name} {how}; that is done again in a new one.")
            self._waiting.appendleft(process.job)
        elif process.ready:
            self._warn(f"a worker process that had nothing to do {how}.")
        else:
            self._false_starts += 1
            if code >= 0 or self._false_starts == ATTEMPTS:
                raise OutlapError(f"a worker process {how} before it could begin: see what it wrote above.")
            self._warn(f"a worker process {how} before it could begin; another one takes its place.")
        if self._waiting:
            self._start()
