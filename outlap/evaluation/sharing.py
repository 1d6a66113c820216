"""Laps shared among processes: the same results however many there are."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from outlap.driving.choice import Driver
from outlap.driving.pilots import Pilot
from outlap.errors import OutlapError
from outlap.evaluation.laps import BATCH, Start, Trace, Trial, batches, drive
from outlap.simulation.randomization import Randomization
from outlap.track.track import Track
from outlap.vehicle.car import Car

WORTH = 24  # laps; a process of its own for fewer takes longer to start than to drive them
TOLD = 0.2  # s, between two looks at how many laps are done


class Task(NamedTuple):
    """Laps to be driven under one randomization."""

    driver: Driver
    randomization: Randomization
    laps: Sequence[Start]
    traced: bool = False
    reward: Path | None = None  # a user's file, for the traces; the built-in one without it


@dataclass
class Driven:
    """What became of a task, in the order of its laps."""

    trials: list[Trial] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def drive_all(
    tasks: Sequence[Task], tracks: Sequence[Track], car: Car, jobs: int, report: Callable[[int], None] | None = None
) -> list[Driven]:
    """Drive the laps of all tasks.

    Args:
        tasks: what to drive.
        tracks: the tracks that the laps' indices mean.
        car: the car.
        jobs: processes that share the laps; results do not depend on it.
        report: called now and then with the number of laps that have ended since its last call.

    Raises:
        OutlapError: a policy file is refused, or a process died.
    """
    total = sum(len(task.laps) for task in tasks)
    asked, jobs = jobs, min(jobs, -(-total // WORTH))
    rounds = -(-total // (BATCH * jobs))
    size = max(-(-total // (rounds * jobs)), 1)
    parts = [(k, laps) for k, task in enumerate(tasks) for laps in batches(tracks, task.laps, size)]
    if jobs == 1:
        pilots = {task.driver: task.driver.pilot(car) for task in tasks}
        results = [_drive(tasks[k], pilots, tracks, laps, car, report, threads=asked > 1) for k, laps in parts]
    else:
        results = _shared(tasks, parts, tracks, car, jobs, report or (lambda ended: None))
    return [
        _in_order(task.laps, [(laps, found) for (i, laps), found in zip(parts, results, strict=True) if i == k])
        for k, task in enumerate(tasks)
    ]


def _in_order(laps: Sequence[Start], parts: list[tuple[list[Start], tuple[list[Trial], list[Trace]]]]) -> Driven:
    trials = {lap: trial for part, (found, _) in parts for lap, trial in zip(part, found, strict=True)}
    traces = {lap: trace for part, (_, found) in parts if found for lap, trace in zip(part, found, strict=True)}
    return Driven([trials[lap] for lap in laps], [traces[lap] for lap in laps if lap in traces])


def _shared(
    tasks: Sequence[Task],
    parts: Sequence[tuple[int, list[Start]]],
    tracks: Sequence[Track],
    car: Car,
    jobs: int,
    report: Callable[[int], None],
) -> list[tuple[list[Trial], list[Trace]]]:
    # Not forked: threads of the renderer and of onnxruntime would be missing in a copy of this process.
    context = multiprocessing.get_context("spawn")
    ended = context.Value("q", 0)
    pool = ProcessPoolExecutor(jobs, context, _begin, (list(tasks), list(tracks), car, ended))
    try:
        with _deaf():
            futures = [pool.submit(_work, k, laps) for k, laps in parts]
        waiting: set[Future[Any]] = set(futures)
        told = 0
        while waiting:
            done, waiting = wait(waiting, TOLD, FIRST_COMPLETED)
            for one in done:
                one.result()
            now = ended.value
            if now > told:
                report(now - told)
                told = now
        return [one.result() for one in futures]
    except BrokenProcessPool as error:
        raise OutlapError(
            "a process of the evaluation died, perhaps for want of memory: try again with fewer --jobs."
        ) from error
    except BaseException:
        for process in list((pool._processes or {}).values()):  # it may be in the middle of a minute of laps
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """While processes are started: an interrupt then would leave them with half of what they need, and a traceback.

    It is heard afterwards. The processes inherit that they do not hear any: that is this one's to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # which alone hears interrupts, and may change that
        return
    heard: list[int] = []
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
    if heard and callable(before):
        before(signal.SIGINT, None)


_here: dict[str, Any] = {}  # what all laps of this process share


def _begin(tasks: list[Task], tracks: list[Track], car: Car, ended: Any) -> None:
    """Prepare a worker process."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _here.update(tasks=tasks, tracks=tracks, car=car, ended=ended, pilots={})


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(k: int, laps: list[Start]) -> tuple[list[Trial], list[Trace]]:
    task: Task = _here["tasks"][k]
    if task.driver not in _here["pilots"]:
        _here["pilots"][task.driver] = task.driver.pilot(_here["car"])

    def count(ended: int) -> None:
        with _here["ended"].get_lock():
            _here["ended"].value += ended

    return _drive(task, _here["pilots"], _here["tracks"], laps, _here["car"], count, threads=False)


def _drive(
    task: Task,
    pilots: dict[Driver, Pilot],
    tracks: Sequence[Track],
    laps: Sequence[Start],
    car: Car,
    report: Callable[[int], None] | None,
    threads: bool,
) -> tuple[list[Trial], list[Trace]]:
    pilot = pilots[task.driver]
    return drive(pilot, tracks, laps, car, task.randomization, report, task.traced, task.reward, threads)
