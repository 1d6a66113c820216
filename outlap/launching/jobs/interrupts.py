"""Ctrl-C while processes are started or ended."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Hear an interrupt (SIGINT) only afterwards, and let processes that are started meanwhile never hear one.

    An interrupt in between would leave a process with half of what it needs, and a traceback from it on the terminal.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which processes inherit
    heard: list[int] = []
    before = None
    # Another thread may still take the signal, but Python answers it in the main thread.
    main = threading.current_thread() is threading.main_thread()
    if main:
        before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if main:
            signal.signal(signal.SIGINT, before)
    if heard and callable(before):
        before(signal.SIGINT, None)
