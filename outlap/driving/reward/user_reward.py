"""A reward from a user's own Python file, which may be wrong in any way: it runs in a process of its own.

Where the file is a stranger's, that process runs in the cage (docs/security.md), and what it answers is hostile, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import time
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from outlap.cage.bubblewrap import why_unavailable
from outlap.cage.cage import Cage, Program, python_beside
from outlap.cage.draining import Drain, First
from outlap.driving.reward.reward import BUILT_IN, Moment, Reward, Scaled, progress
from outlap.driving.reward.reward_process import (
    LARGEST,
    LOG_LIMIT,
    LONGEST,
    MISTAKE,
    REWARDS,
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
FIRST_LIMIT = 60.0  # s that all of the first step may take: the file is loaded for each car, whose call has LIMIT then
LOADING_LIMIT = 20.0  # s that importing the file may take: scipy from a cold disk needs several
GRACE = 0.6  # s after a limit in which the process ends itself, and says where it was, before it is ended
MODULE = "outlap.driving.reward.reward_process"
OWN = Cage(trust=True)  # for a reward file of the user's own: an ordinary process
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
    cage: Cage = OWN,
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
        cage: where the file runs: by default an ordinary process, with all rights of the user's.

    Raises:
        OutlapError: the cage cannot start here. The file is missing, fails as it is imported, or has no reward
            function; the sentence names the line. Calling the reward raises it, too, when the file raises, returns what
            is not a finite number, or does not return within a few seconds.
    """
    if reward == BUILT_IN:
        yield partial(progress, config=config)
        return
    with contextlib.closing(UserReward(Path(reward), tracks, car, n, seed, log, cage)) as user:
        yield Scaled(user, n, discount)


def check_cage(reward: str, caged: bool, resuming: bool = False) -> None:
    """See, before a run's folder is touched, that the reward file can run where the training file wants it.

    Raises:
        OutlapError: it is to run in the cage, and the cage cannot start here, or there is no such file.
    """
    if not caged:
        return
    if reward == BUILT_IN:
        if resuming:  # begun when this was still allowed
            return
        raise OutlapError(
            f"the reward {BUILT_IN} is Outlap's own and does not run in the cage: leave out --cage (in the training "
            "file: caged), or name a reward file in the training file."
        )
    why = why_unavailable()
    if why is not None:
        way = "start the run anew without --cage" if resuming else "leave out --cage"
        raise OutlapError(
            f"{reward} is to run in the cage, but {why} To run it unprotected, if you trust whoever wrote it, {way} "
            "(in the training file: caged)."
        )


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

    def __init__(
        self,
        path: Path,
        tracks: TrackSet,
        car: Car,
        n: int,
        seed: int,
        log: Path | None = None,
        cage: Cage = OWN,
    ) -> None:
        self.path = path.resolve()
        self._n = n
        self._patience = FIRST_LIMIT  # s
        if not self.path.is_file():
            raise OutlapError(f"{path}: there is no such reward file.")
        copies = [] if cage.trust else python_beside(self.path)
        self._connection, theirs = socket.socketpair()
        # A pipe for what it prints, never the file itself, which the program could empty, or give other rights.
        log_descriptor = _opened_log(log)
        printed = Drain(First(log_descriptor, LOG_LIMIT))
        passed_log = printed.writing
        with theirs:
            try:
                self._program = cage.popen(MODULE, [str(theirs.fileno())], (theirs.fileno(), passed_log), copies)
            except BaseException:
                _end(None, self._connection, printed, log_descriptor)
                raise
            printed.started()
            self._finalizer = weakref.finalize(self, _end, self._program, self._connection, printed, log_descriptor)
        setup = {
            "path": str(self.path),
            "roads": [
                {
                    "center": track.center.tolist(),
                    "left": track.left.tolist(),
                    "right": track.right.tolist(),
                    "backwards": track.backwards,
                }
                for track in tracks.tracks
            ],
            "wheelbase": car.axles.wheelbase,
            "n": n,
            "seed": seed,
            "limit": LIMIT,
            "loading_limit": LOADING_LIMIT,
            "log": passed_log,
            "memory_bytes": None if cage.trust else cage.limits.memory_bytes,
        }
        content = json.dumps(setup).encode()
        self._exchange(SETUP, content, START + LOADING_LIMIT, 0, "importing it", LOADING_LIMIT)

    def __call__(self, moment: Moment) -> NDArray[np.float64]:
        """The rewards (n,) of a moment.

        Raises:
            OutlapError: the user's file is at fault; the process has ended.
        """
        if not self._finalizer.alive:
            raise OutlapError(f"{self.path}: the reward function's process has ended.")
        what, size, patience = f"rewarding {self._n} cars", 8 * self._n, self._patience + GRACE
        self._patience = LIMIT
        rewards = np.frombuffer(self._exchange(STEP, pack(moment), patience, size, what, LIMIT), "<f8").copy()
        if not (np.abs(rewards) <= LARGEST).all():  # the process has seen to it, unless the file took hold of it
            self._refuse("it gave rewards past the reward function")
        return rewards

    def close(self) -> None:
        """End the process."""
        self._finalizer()

    def _exchange(self, kind: bytes, content: bytes, patience: float, size: int, what: str, limit: float) -> bytes:
        """Send a request and give back its answer, of ``size`` bytes, within ``patience`` s."""
        until = time.monotonic() + patience
        self._connection.settimeout(patience)
        try:
            send(self._connection, kind, content)
            kind, content = receive(self._connection, max(size, LONGEST), until)
        except ValueError:
            self._refuse("it gave an answer that is none")
        except (OSError, EOFError):
            self._fail(what, limit)
        if kind == MISTAKE:
            self.close()
            raise OutlapError(_printable(content.decode(errors="replace")))
        if kind != REWARDS or len(content) != size:
            self._refuse("it gave an answer that is none")
        return content

    def _refuse(self, why: str) -> NoReturn:
        self.close()
        raise OutlapError(f"{self.path}: {why}: the file must not touch the process that it runs in.")

    def _fail(self, what: str, limit: float) -> NoReturn:
        """Say why there was no answer."""
        with contextlib.suppress(TimeoutError):
            self._program.wait(GRACE)  # the connection is closed a little before the process has ended
        code, why, words = self._program.returncode, self._program.ended_by(), self._program.words()
        self.close()
        line, source = where(self.path, words)
        at = f" at `{_printable(source)}`" if source else ""
        if code is None or "Timeout (" in words:
            raise OutlapError(f"{self.path}{line}: {what} took over {limit:g} s and was ended{at}.")
        last = next((text.strip() for text in reversed(words.splitlines()) if text.strip()), "")
        if code > 0 and last and not line:
            why += f", {_printable(last[:300])}"
        raise OutlapError(f"{self.path}{line}: {what} ended the reward function's process ({why}){at}.")


def _opened_log(path: Path | None) -> int | None:
    """A descriptor by which to add to the log; None where there is none, or none can be written."""
    if path is None:
        return None
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with contextlib.suppress(OSError):
        descriptor = os.open(path, flags | os.O_NONBLOCK, 0o644)  # a pipe there would be waited for
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    return None


def _printable(text: str) -> str:
    """The text without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _end(program: Program | None, connection: socket.socket, printed: Drain, log: int | None) -> None:
    connection.close()
    if program is not None:
        program.close()
    printed.stop()  # after the program's end: the log is whole
    if log is not None:
        os.close(log)
