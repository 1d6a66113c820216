"""What worker processes do in tests: functions of an importable module, as the executor asks for."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from outlap.errors import OutlapError
from outlap.launching.jobs.executor import Worker


class UnpicklableError(Exception):
    """Cannot be rebuilt from its arguments."""

    def __init__(self, *, place: str) -> None:
        super().__init__(f"at {place}")


def square(worker: Worker, n: int, delay_s: float = 0.0) -> int:
    time.sleep(delay_s)
    worker.report(1)
    return n * n


def process_id(worker: Worker, delay_s: float = 0.0) -> int:
    time.sleep(delay_s)
    return os.getpid()


def prepare(text: str) -> tuple[str, int]:
    return text, os.getpid()


def prepared(worker: Worker) -> tuple[tuple[str, int], int]:
    return worker.prepared, os.getpid()


def refuse(worker: Worker | None = None) -> NoReturn:
    raise OutlapError("meadow.yaml, line 3: mend it.")


def refuse_to_prepare() -> NoReturn:
    refuse()


def divide(worker: Worker, n: int) -> float:
    return 1 / n


def exit_program(worker: Worker | None, code: Any) -> NoReturn:
    sys.exit(code)


def exit_preparing(code: Any) -> NoReturn:
    sys.exit(code)


def interrupt(worker: Worker) -> NoReturn:
    raise KeyboardInterrupt


def fail_oddly(worker: Worker) -> NoReturn:
    raise UnpicklableError(place="the hairpin")


def lose_connection(worker: Worker) -> NoReturn:
    raise ConnectionResetError("the robot hung up")


def lock(worker: Worker) -> object:
    return threading.Lock()


def report_then_die_once(worker: Worker, mark: Path, total: int, before: int) -> int:
    """Reports ``total`` units one by one; the first time, its process dies after ``before`` of them."""
    for k in range(total):
        if k == before and not mark.exists():
            mark.touch()
            time.sleep(0.3)  # so that a later message would be sent at once
            worker.report(0)
            die(worker)
        worker.report(1)
        time.sleep(0.02)
    return total


def die(worker: Worker | None = None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_preparing() -> None:
    die()


def leave(worker: Worker, code: int) -> NoReturn:
    os._exit(code)


def die_with_a_child_left(worker: Worker, mark: Path) -> str:
    """The first time it dies, and a child of it keeps its end of the connection open for a while."""
    if mark.exists():
        return "done"
    mark.touch()
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
    die(worker)
    raise AssertionError


def hold_the_lock(worker: Worker, folder: Path) -> int:
    """Never returns from compiled code that keeps the interpreter's lock."""
    (folder / str(os.getpid())).touch()
    return sum(itertools.repeat(1, 10**15))


def wait_for_ever(worker: Worker, folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    worker.report(1)
    print("started", file=sys.stderr, flush=True)
    time.sleep(600)
