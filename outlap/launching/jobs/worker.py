"""A worker process: makes the calls that come through its connection, and sends back what they return.

Messages to it are pickled calls, ``(function, arguments)``: first the set-up, empty where there is none, then the jobs,
each when the one before has ended. Messages from it are one of the kinds below with what belongs to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import select
import signal
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from outlap.launching.jobs.executor import Worker, harmless

READY = "ready"  # None: it waits for the set-up
PROGRESS = "progress"  # units since the last such message
RESULT = "result"  # what the job returned, pickled
FAILED = "failed"  # (exception, text of its traceback); the worker ends
REPORT_INTERVAL = 0.1  # s, between two messages of progress


def serve(connection: Connection, lifeline: Connection) -> None:
    """Make calls until the connection is closed.

    Args:
        connection: to the parent.
        lifeline: the reading end of a pipe whose other end only the parent holds; nothing is ever written there.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent answers it
    end_with_parent(lifeline)
    with contextlib.suppress(EOFError, ConnectionError):  # nobody wants any more
        connection.send((READY, None))
        setup = connection.recv_bytes()
        try:
            prepared = _call(setup) if setup else None
        except BaseException as error:
            connection.send((FAILED, _portable(error)))
            return
        progress = _Progress(connection)
        while True:
            job = connection.recv_bytes()
            try:
                result = pickle.dumps(_call(job, Worker(prepared, progress.add)), pickle.HIGHEST_PROTOCOL)
            except BaseException as error:
                connection.send((FAILED, _portable(error)))
                return
            progress.flush()
            connection.send((RESULT, result))


def end_with_parent(lifeline: Connection) -> None:
    """Have the kernel kill this process when the parent ends, however that happens.

    A thread that waits for the parent would be held up by compiled code that keeps the interpreter's lock, and Linux's
    "parent death signal" comes when the thread ends that started this process.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it ended before
        os._exit(1)


class _Progress:
    """Adds up what a job reports, so that messages are few."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._count = 0
        self._due = 0.0  # s, monotonic

    def add(self, count: int) -> None:
        self._count += count
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        if self._count:
            self._connection.send((PROGRESS, self._count))
        self._count = 0
        self._due = time.monotonic() + REPORT_INTERVAL


def _call(pickled: bytes, *first: Any) -> Any:
    function, arguments = pickle.loads(pickled)
    return function(*first, *arguments)


def _portable(raised: BaseException) -> tuple[Exception, str]:
    """The exception, or one that says the same where it cannot be pickled or would end the caller; its traceback."""
    text = "".join(traceback.format_exception(raised))
    error = harmless(raised)
    try:
        if isinstance(pickle.loads(pickle.dumps(error)), Exception):
            return error, text
    except Exception:  # whatever its own pickling raises
        pass
    return RuntimeError(f"{type(error).__name__}: {error}"), text
