"""The student's data: the newest pictures with what the teacher said, in a ring; and on disk as append-only shards.

A shard holds the steps of one iteration: records of all cars, one a step, of the numpy type :attr:`Shards.record`. A
thread writes each step as it comes, so that at the end of an iteration little is left to wait for.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outlap.errors import OutlapError
from outlap.files import read_bytes
from outlap.learning.networks.student import AUXILIARY
from outlap.learning.runs.checkpoint import inside
from outlap.learning.runs.folder import SHARD_SUFFIX
from outlap.policy.contract import Observation
from outlap.states import State, StateError, check_keys, under

Rows = NDArray[np.int64]


class Shard(NamedTuple):
    """A finished shard file."""

    name: str
    first: int  # its first step, counted from the run's beginning
    steps: int
    sha256: str


class Shards:
    """Rows are (steps of the ring) × cars; the newest step takes the place of the oldest when the ring is full.

    Args:
        window: pictures kept at most, rounded up to whole steps.
        steps: steps that will ever be appended.
        cars: rows a step.
        observation: what the student is given.
        known: how many numbers the teacher knows.
        folder: where the shards are written; nowhere when None.
    """

    def __init__(
        self, window: int, steps: int, cars: int, observation: Observation, known: int, folder: Path | None
    ) -> None:
        view = observation.view
        self.cars = cars
        self.ring = min(steps, -(-window // cars))  # steps that fit
        self.offsets = np.array(observation.frame_offsets)
        self.record = np.dtype(
            [
                ("frames", np.uint8, (cars, view.height, view.width)),
                ("commands", np.float32, (cars, observation.commands, 2)),
                ("known", np.float32, (cars, known)),
                ("action", np.float32, (cars, 2)),
                ("auxiliary", np.float32, (cars, len(AUXILIARY))),
                ("back", np.uint8, (cars,)),
            ]
        )
        self._fields = {
            name: np.empty((self.ring * cars, *kind.shape[1:]), kind.base)
            for name, (kind, *_) in (self.record.fields or {}).items()
        }
        self.frames, self.commands = self._fields["frames"], self._fields["commands"]
        self.known = self._fields["known"]
        self.action, self.auxiliary = self._fields["action"], self._fields["auxiliary"]
        self.back = self._fields["back"]  # earlier pictures of the same episode, as far as any are asked for
        self.steps = 0  # appended so far
        self._folder = folder
        self._kept: list[Shard] = []
        self._writer: _Writer | None = None

    @property
    def size(self) -> int:
        """Rows that hold data: 0 … size - 1."""
        return min(self.steps, self.ring) * self.cars

    @property
    def newest(self) -> Rows:
        """(cars,) rows of the step appended last."""
        return (self.steps - 1) % self.ring * self.cars + np.arange(self.cars)

    def append(
        self,
        frames: NDArray[np.uint8],
        commands: NDArray[np.float32],
        known: NDArray[np.float32],
        action: NDArray[np.float64],
        auxiliary: NDArray[np.float64],
        age: NDArray[np.int64],
    ) -> None:
        """One step of all cars; ``known`` is what the teacher saw, ``age`` (n,) the steps since each episode began.

        Raises:
            OutlapError: the shards' folder cannot be written.
        """
        self.steps += 1
        rows = slice(self.newest[0], self.newest[0] + self.cars)
        self.frames[rows], self.commands[rows] = frames, commands
        self.known[rows], self.action[rows], self.auxiliary[rows] = known, action, auxiliary
        self.back[rows] = np.minimum(age, self.offsets.max())
        if self._folder is not None:
            if self._writer is None:
                name = f"{self.steps - 1:08d}{SHARD_SUFFIX}"
                self._writer = _Writer(self._folder / name, self.steps - 1)
            # Views, not copies: the ring turns round only long after the iteration, at whose end the writer is done.
            self._writer.write([self._fields[name][rows] for name in self._fields])

    def label(self, act: Callable[[NDArray[np.float32]], NDArray[np.float64]]) -> None:
        """Take all actions anew from what the teacher saw, step by step as they were first taken: bit for bit alike."""
        for start in range(0, self.size, self.cars):
            rows = slice(start, start + self.cars)
            self.action[rows] = act(self.known[rows])

    def pictures(self, rows: Rows) -> NDArray[np.uint8]:
        """(k, T, H, W): each row's picture and earlier ones; an episode's first stands in for those before it."""
        return self.frames[self.earlier(rows)]

    def earlier(self, rows: Rows) -> Rows:
        """(k, T) rows of the pictures that the student sees at each of ``rows``."""
        place, car = np.divmod(rows, self.cars)
        newest = self.steps - 1
        held = min(self.steps, self.ring) - 1 - (newest - place) % self.ring  # steps before it that the ring holds
        back = np.minimum(self.offsets, np.minimum(self.back[rows], held)[:, None])
        return (place[:, None] - back) % self.ring * self.cars + car[:, None]

    def state(self) -> State:
        """Ends the shard in hand; what :meth:`load` needs to read all of them again.

        Raises:
            OutlapError: the shards' folder cannot be written.
        """
        if self._writer is not None:
            self._kept.append(self._writer.finish(self.steps))
            self._writer = None
        oldest = max(self.steps - self.ring, 0)
        self._kept = [shard for shard in self._kept if shard.first + shard.steps > oldest]
        return {"steps": self.steps, "shards": [list(shard) for shard in self._kept]}

    def load(self, state: State) -> None:
        """Read the shards that ``state`` names.

        Raises:
            OutlapError: one is missing or damaged, or the state is not of such shards.
        """
        assert self._folder is not None
        self.abandon()
        check_keys(state, ("steps", "shards"))
        with under("shards"):
            self._kept = [
                Shard(str(name), int(first), int(steps), str(sha)) for name, first, steps, sha in state["shards"]
            ]
        with under("steps"):
            self.steps = int(state["steps"])
        ends = [max(self.steps - self.ring, 0), *(shard.first + shard.steps for shard in self._kept)]
        firsts = [shard.first for shard in self._kept] + [self.steps]
        if firsts[0] > ends[0] or firsts[1:] != ends[1:]:
            raise StateError("do not hold the newest steps, one after the other", "shards")
        for shard in self._kept:
            path = inside(self._folder, shard.name)
            content = read_bytes(path, "run's data", shard.steps * self.record.itemsize, follow=False)
            if hashlib.sha256(content).hexdigest() != shard.sha256:
                raise OutlapError(f"{path}: the run's data are damaged, so it cannot go on: start it anew.")
            if len(content) != shard.steps * self.record.itemsize:
                raise StateError(f"name {path.name}, which is of another size", "shards")
            records = np.frombuffer(content, self.record)
            for index, record in enumerate(records, shard.first):
                if index >= self.steps - self.ring:
                    start = index % self.ring * self.cars
                    for name, field in self._fields.items():
                        field[start : start + self.cars] = record[name]

    def abandon(self) -> None:
        """Drop the shard in hand, when the iteration does not come to its end."""
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None


class _Writer:
    """Writes one shard in a thread of its own: to disk step by step, so that the end needs no long fsync."""

    def __init__(self, path: Path, first: int) -> None:
        self.path, self.first = path, first
        self._digest = hashlib.sha256()
        self._queue: queue.SimpleQueue[list[NDArray] | None] = queue.SimpleQueue()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="shards", daemon=True)
        self._thread.start()

    def write(self, parts: list[NDArray]) -> None:
        self._raise()
        self._queue.put(parts)

    def finish(self, steps: int) -> Shard:
        """Wait until everything lies on the disk; ``steps``: the run's, now."""
        self._queue.put(None)
        self._thread.join()
        self._raise()
        return Shard(self.path.name, self.first, steps - self.first, self._digest.hexdigest())

    def abandon(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self.path.unlink(missing_ok=True)

    def _raise(self) -> None:
        if self._error is not None:
            self._thread.join()
            self.path.unlink(missing_ok=True)  # a part of a shard is of no use and the room may be needed
            raise OutlapError(f"cannot write {self.path}: {self._error.strerror or self._error}.") from self._error

    def _run(self) -> None:
        try:
            self.path.unlink(missing_ok=True)  # left by a run that was killed; and no link is written through
            with self.path.open("xb", buffering=0) as file:
                while (parts := self._queue.get()) is not None:
                    for part in parts:
                        data = part.view(np.uint8).reshape(-1).data
                        self._digest.update(data)
                        while data:
                            data = data[file.write(data) :]
                    os.fdatasync(file.fileno())
                os.fsync(file.fileno())
        except OSError as error:
            self._error = error
