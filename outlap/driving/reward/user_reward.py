"""A reward from a user's own Python file, which may be wrong in any way: it runs in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
from numpy.typing import NDArray

from outlap.driving.reward.reward import BUILT_IN, Moment, Reward, Scaled, progress
from outlap.driving.reward.reward_process import (
    MISTAKE,
    SETUP,
    STEP,
    pack,
    receive,
    send,
    where,
)
from outlap.driving.task_config import TaskConfig
from outlap.errors import OutlapError
from outlap.files import read_bytes, write_atomic
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import Car

LIMIT = 4.0  # s that a step's rewards may take, all cars together; usual are some thousandths
LOADING_LIMIT = 20.0  # s that importing the file may take: scipy from a cold disk needs several
GRACE = 0.6  # s after a limit in which the process ends itself, and says where it was, before it is ended
START = 60.0  # s for Python itself to start, on a machine however busy


@contextlib.contextmanager
def opened_reward(
    reward: str,
    config: TaskConfig,
    tracks: TrackSet,
    car: Car,
    n: int,
    seed: int,
    discount: float,
    log: Path | None = None,
) -> Iterator[Reward]:
    """The reward that a training file names, for n cars on ``tracks``, for as long as the context lasts.

    Args:
        reward: ``progress``, or the path of a Python file.
        config: the task, whose numbers the built-in reward uses.
        tracks: where the cars drive.
        car: what they are.
        n: how many there are.
        seed: of Python's and NumPy's own random numbers in the user's file.
        discount: PPO's; the user's rewards are scaled to what it learns from best.
        log: file that what the user's file prints is added to, up to a megabyte; by default it goes nowhere.

    Raises:
        OutlapError: the file is missing, fails as it is imported, or has no reward function; the sentence names the
            line. Calling the reward raises it, too, when the file raises, returns what is not a finite number, or does
            not return within a few seconds.
    """
    if reward == BUILT_IN:
        yield partial(progress, config=config)
        return
    with contextlib.closing(UserReward(Path(reward), tracks, car, n, seed, log)) as user:
        yield Scaled(user, n, discount)


def keep_copy(reward: str, copy: Path, resuming: bool) -> None:
    """Keep a copy of the user's reward file as ``copy``; when resuming, see that the file is still the same.

    Raises:
        OutlapError: the file cannot be read, or was changed since the run began, or the folder cannot be written.
    """
    if reward == BUILT_IN:
        return
    content = read_bytes(Path(reward), "reward file")
    if not resuming:
        write_atomic(copy, content)
    elif content != read_bytes(copy, "reward file"):
        raise OutlapError(
            f"{reward} was changed since the run in {copy.parent} began: put back what {copy} holds, or start a run in "
            "another folder."
        )


class UserReward:
    """Rewards of n cars by the functions of a Python file, see :func:`opened_reward`."""

    def __init__(self, path: Path, tracks: TrackSet, car: Car, n: int, seed: int, log: Path | None = None) -> None:
        self.path = path.resolve()
        self._n = n
        if not self.path.is_file():
            raise OutlapError(f"{path}: there is no such reward file.")
        # Where the process says its last words; a file, since nobody reads along.
        self._words: IO[str] = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  the finalizer closes it
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "outlap.driving.reward.reward_process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C is for the trainer
                env={**os.environ, "PYTHONHASHSEED": "0"},  # the order of sets is part of "same seed, same result"
            )
        self._finalizer = weakref.finalize(self, _end, self._process, self._connection, self._words)
        setup = {
            "path": str(self.path),
            "centers": [track.center.tolist() for track in tracks.tracks],
            "distances": [row_distances(tracks, index).tolist() for index in range(len(tracks.tracks))],
            "wheelbase": car.axles.wheelbase,
            "n": n,
            "seed": seed,
            "limit": LIMIT,
            "loading_limit": LOADING_LIMIT,
            "log": None if log is None else str(log),
        }
        self._exchange(SETUP, json.dumps(setup).encode(), START + LOADING_LIMIT, "importing it", LOADING_LIMIT)

    def __call__(self, moment: Moment) -> NDArray[np.float64]:
        """The rewards (n,) of a moment.

        Raises:
            OutlapError: the user's file is at fault; the process has ended.
        """
        if not self._finalizer.alive:
            raise OutlapError(f"{self.path}: the reward function's process has ended.")
        content = self._exchange(STEP, pack(moment), LIMIT + GRACE, f"rewarding {self._n} cars", LIMIT)
        return np.frombuffer(content, "<f8").copy()

    def close(self) -> None:
        """End the process."""
        self._finalizer()

    def _exchange(self, kind: bytes, content: bytes, patience: float, what: str, limit: float) -> bytes:
        self._connection.settimeout(patience)
        try:
            send(self._connection, kind, content)
            kind, content = receive(self._connection)
        except (OSError, EOFError):
            self._fail(what, limit)
        if kind == MISTAKE:
            self.close()
            raise OutlapError(content.decode())
        return content

    def _fail(self, what: str, limit: float) -> NoReturn:
        """Say why there was no answer."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)  # the connection is closed a little before the process has ended
        code = self._process.poll()
        self._words.seek(0)
        words = self._words.read()
        self.close()
        line, source = where(self.path, words)
        at = f" at `{source}`" if source else ""
        if code is None or "Timeout (" in words:
            raise OutlapError(f"{self.path}{line}: {what} took over {limit:g} s and was ended{at}.")
        last = next((text.strip() for text in reversed(words.splitlines()) if text.strip()), "")
        why = f"signal {-code}" if code < 0 else f"code {code}{f', {last}' if last and not source else ''}"
        raise OutlapError(f"{self.path}{line}: {what} ended the reward function's process ({why}){at}.")


def row_distances(tracks: TrackSet, index: int) -> NDArray[np.float64]:
    """How far along the lap each row of a track's centre line lies, (N,) m, never decreasing."""
    along = tracks.locate(index, tracks.tracks[index].center).s
    along[0] = 0.0  # not the end of the lap
    return np.maximum.accumulate(along)


def _end(process: subprocess.Popen, connection: socket.socket, words: IO[str]) -> None:
    connection.close()
    process.kill()
    process.wait()
    words.close()
