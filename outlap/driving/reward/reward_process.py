"""The process in which a user's reward file runs: ``python -m outlap.driving.reward.reward_process SOCKET``.

It has nothing to lose, so that the trainer can end it when the file never returns, and what the file prints goes where
it is told to. Requests and replies are raw bytes: a header of one letter and a length, then the content.
"""

from __future__ import annotations

import faulthandler
import io
import json
import linecache
import random
import re
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from outlap.cage.inside import room_for_last_words
from outlap.driving.reward.copies import Copies
from outlap.driving.reward.reward import Moment

LARGEST = 1e5  # of a reward, to either side; DeepRacer's own bound, and far from what float32 holds
LOG_LIMIT = 1 << 20  # characters of what the file prints that are kept
LONGEST = 4000  # bytes of a mistake that is told

STDERR = 2  # the file descriptor, since sys.stderr is replaced
HEADER = struct.Struct("<cq")
SETUP, STEP, REWARDS, MISTAKE = b"s", b"m", b"r", b"e"


_memory = ""  # how much of it the cage allows, in words


class RefusedError(Exception):
    """The reward file did something that it may not; the message is for the user."""


def send(connection: socket.socket, kind: bytes, content: bytes) -> None:
    """Send one message."""
    connection.sendall(HEADER.pack(kind, len(content)))
    connection.sendall(content)


def receive(connection: socket.socket, largest: int = 1 << 40, until: float | None = None) -> tuple[bytes, bytes]:
    """The next message: its kind and its content.

    Args:
        connection: to the other side.
        largest: bytes of content that are taken.
        until: when to give up, s on the steady clock; by default the connection's own timeout counts for each part.

    Raises:
        EOFError: the other side is gone.
        TimeoutError: the message was not complete in time.
        ValueError: the message is longer.
    """
    kind, length = HEADER.unpack(_exactly(connection, HEADER.size, until))
    if not 0 <= length <= largest:
        raise ValueError(f"a message of {length} bytes")
    return kind, _exactly(connection, length, until)


def _exactly(connection: socket.socket, length: int, until: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        if until is not None:
            left = until - time.monotonic()
            if left <= 0:  # whoever sends a byte now and then is late, too
                raise TimeoutError
            connection.settimeout(left)
        part = connection.recv(length - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def pack(moment: Moment) -> bytes:
    """A moment's fields as rows of float64, one after the other."""
    return np.stack([getattr(moment, field.name) for field in fields(Moment)]).astype("<f8").tobytes()


def unpack(content: bytes, n: int) -> Moment:
    """The inverse of :func:`pack` for n cars."""
    rows = np.frombuffer(content, "<f8").reshape(-1, n).copy()
    # Annotations are strings here: Floats, Integers or Booleans.
    kinds = {"Integers": np.int64, "Booleans": np.bool_}
    named = zip(fields(Moment), rows, strict=True)
    return Moment(**{field.name: row.astype(kinds.get(str(field.type), np.float64)) for field, row in named})


def main(descriptor: int) -> None:
    """Serve one trainer until it goes away."""
    global _memory
    with socket.socket(fileno=descriptor) as connection:
        try:
            setup = json.loads(receive(connection)[1])
            if setup["memory_bytes"] is not None:
                _memory = f"the cage allows {setup['memory_bytes'] / 2**30:.3g} GiB of memory"
            sys.stdout = sys.stderr = _Log(setup["log"])
            faulthandler.enable(file=STDERR)
            faulthandler.dump_traceback_later(setup["loading_limit"], exit=True, file=STDERR)
            reward = _prepared(Path(setup["path"]), setup)
            faulthandler.cancel_dump_traceback_later()
            send(connection, REWARDS, b"")
            while True:
                moment = unpack(receive(connection)[1], setup["n"])
                # A thread of its own that needs nothing of Python: it also ends a sleep, or a file that catches all.
                faulthandler.dump_traceback_later(setup["limit"], exit=True, file=STDERR)
                rewards = reward(moment)
                faulthandler.cancel_dump_traceback_later()
                send(connection, REWARDS, rewards.astype("<f8").tobytes())
        except (EOFError, ConnectionError):
            return
        except RefusedError as mistake:
            send(connection, MISTAKE, str(mistake).encode(errors="replace")[:LONGEST])


def _prepared(path: Path, setup: dict[str, Any]) -> Callable[[Moment], np.ndarray]:
    """What makes the rewards of a moment with the user's file."""
    random.seed(setup["seed"])
    np.random.seed(setup["seed"] & 0xFFFFFFFF)  # noqa: NPY002 - the file may use it, and same seed is to be same result
    try:
        # Each car's first call, which may work out something of the track, has the limit for itself.
        again = partial(faulthandler.dump_traceback_later, setup["limit"], exit=True, file=STDERR)
        copies = Copies(path, setup["n"], again)
    except SyntaxError as error:
        text = f" in `{error.text.strip()}`" if error.text else ""
        raise RefusedError(f"{error.filename}, line {error.lineno}: SyntaxError: {error.msg}{text}.") from error
    except BaseException as error:  # a file may also leave by sys.exit
        raise RefusedError(_told(path, error)) from error
    batch = getattr(copies.first, "reward", None)
    if callable(getattr(copies.first, "reward_function", None)):
        return _for_deepracer(path, copies, setup)
    if callable(batch):
        return lambda moment: _many(path, batch, moment)
    raise RefusedError(f"{path} has neither a function reward_function(params) nor a function reward(moment): add one.")


def _for_deepracer(path: Path, copies: Copies, setup: dict[str, Any]) -> Callable[[Moment], np.ndarray]:
    """What makes the rewards of a moment with each car's own ``reward_function(params)``."""
    from outlap.driving.reward import deepracer  # and Shapely, which the other form does without

    roads = deepracer.Roads(
        [
            deepracer.Road(np.array(road["center"]), np.array(road["left"]), np.array(road["right"]), road["backwards"])
            for road in setup["roads"]
        ]
    )

    def rewards(moment: Moment) -> np.ndarray:
        given = zip(moment.track.tolist(), deepracer.parameters(moment, setup["wheelbase"], roads), strict=True)
        return np.array([_one(path, copies, car, track, params) for car, (track, params) in enumerate(given)])

    return rewards


def _one(path: Path, copies: Copies, car: int, track: int, params: dict[str, Any]) -> float:
    """The reward of one car."""
    given = {name: params[name] for name in ("progress", "steps", "speed", "steering_angle", "distance_from_center")}
    try:
        value = copies.function(car, track)(params)
    except BaseException as error:
        raise RefusedError(_told(path, error)) from error
    if type(value) is not float:
        value = _number(path, value)
    if not -LARGEST <= value <= LARGEST:  # false for NaN, too
        brief = ", ".join(f"{name} {number:.4g}" for name, number in given.items())
        raise RefusedError(
            f"{path}: reward_function returned {value:g} for {brief}: return a number from {-LARGEST:g} to {LARGEST:g}."
        )
    return value


def _number(path: Path, value: Any) -> float:
    try:
        item = value.item() if hasattr(value, "item") else value
        if isinstance(item, int | float):
            return float(item)
    except (OverflowError, ValueError, RuntimeError):
        pass  # too large an integer, or an array of several numbers
    raise RefusedError(
        f"{path}: reward_function returned {_brief(value)}, which is not one number: return a float on every way out."
    )


def _many(path: Path, function: Callable[[Moment], Any], moment: Moment) -> np.ndarray:
    """The rewards of all cars."""
    n = len(moment.x)
    try:
        value = function(moment)
    except BaseException as error:
        raise RefusedError(_told(path, error)) from error
    try:
        rewards = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        rewards = np.empty(0)
    if rewards.shape != (n,):
        raise RefusedError(f"{path}: reward returned {_brief(value)}: return an array of shape ({n},), a number a car.")
    bad = np.flatnonzero(~(np.abs(rewards) <= LARGEST))
    if len(bad):
        names = ("travelled", "steps", "wanted_speed", "curvature", "offset")
        brief = ", ".join(f"{name} {getattr(moment, name)[bad[0]]:.4g}" for name in names)
        raise RefusedError(
            f"{path}: reward returned {rewards[bad[0]]:g} for {brief}: return numbers from {-LARGEST:g} to {LARGEST:g}."
        )
    return rewards


def _told(path: Path, error: BaseException) -> str:
    """An exception in one sentence that names the user's line."""
    if isinstance(error, MemoryError):
        room_for_last_words()
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename) == path]
    place, source = str(path), ""
    if own:
        place = f"{path}, line {own[-1].lineno}"
        source = f" in `{own[-1].line}`" if own[-1].line else ""
    what = " ".join(str(error).split())[:300]
    limit = f" ({_memory})" if isinstance(error, MemoryError) and _memory else ""
    return f"{place}: {type(error).__name__}{': ' if what else ''}{what}{source}{limit}."


def where(path: Path, trace: str) -> tuple[str, str]:
    """Line and source at which a file was, from faulthandler's report: ``, line N`` and the line; both may be empty."""
    # The file may have written there itself.
    found = re.search(rf'^ *File "{re.escape(str(path))}", line (\d{{1,7}})\b', trace, re.MULTILINE | re.ASCII)
    if found is None:
        return "", ""
    return f", line {int(found[1])}", linecache.getline(str(path), int(found[1])).strip()


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:40] + '…'}" if value is not None else "None"


class _Log(io.TextIOBase):
    """Keeps the first part of what is printed, in a file or nowhere, and never fails."""

    def __init__(self, descriptor: int | None) -> None:
        self._left = LOG_LIMIT
        # By descriptor, which pathlib does not open, and for as long as the log is there.
        self._file = None if descriptor is None else open(descriptor, "a", encoding="utf-8", buffering=1)  # noqa: PTH123, SIM115

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        try:
            if self._file is not None and self._left > 0:
                self._file.write(text[: self._left])
                self._left -= len(text)
        except OSError:
            self._left = 0
        return len(text)


if __name__ == "__main__":
    main(int(sys.argv[1]))
