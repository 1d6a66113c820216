"""The cage: Python that a stranger wrote runs in it, and reaches nothing but what it is given.

::

    with Cage(Limits(memory_bytes=2**30)).popen(Path("theirs.py"), pass_fds=[theirs.fileno()]) as program:
        ...  # talk over the other end of a socketpair, with a timeout; all that comes back is hostile
    print(program.ended_by())  # when the block is left, no process of the program's lives on
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from outlap.cage.bubblewrap import Copy, command, environment, held, why_unavailable
from outlap.cage.draining import Drain, Last
from outlap.cage.limits import MIB, Limits
from outlap.cage.syscalls import system_call_filter
from outlap.cage.watch import Watch
from outlap.errors import OutlapError

FIRST = "outlap.cage.inside"
LARGEST_COPY = MIB  # bytes of a file that is put into the cage
MOST_COPIES = 200
KEPT_WORDS = MIB  # bytes of a program's standard error, the last ones


@dataclass(frozen=True)
class Cage:
    """How a program is kept: see the module for an example.

    Attributes:
        limits: what it may use up.
        readable: files and folders of the caller's that it may read, under the same paths. Links in them lead nowhere.
        trust: run it as an ordinary process instead, with all rights of the caller's and without limits.
    """

    limits: Limits = field(default_factory=lambda: Limits())
    readable: tuple[Path, ...] = ()
    trust: bool = False

    def popen(
        self,
        program: str | Path,
        arguments: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
        copies: Iterable[Path] = (),
        stdout: int = subprocess.DEVNULL,
        hash_seed: int = 0,
    ) -> Program:
        """Start ``python program arguments``, or ``python -m program arguments``.

        Args:
            program: the path of a Python file, which is put into the cage; or the name of a module of Outlap's or of
                an installed package, which lets the stranger's file in.
            arguments: for the program.
            pass_fds: descriptors that it inherits, under the same numbers: pipes and sockets, nothing else. By one of a
                file it could empty that, or make it a setuid program of the caller's.
            copies: files of the caller's whose content is put into the cage, under the same paths, as it is now.
            stdout: where what it prints goes: ``subprocess.DEVNULL``, or a descriptor of a pipe or socket.
            hash_seed: of Python's sets and dictionaries, part of "same seed, same result".

        Raises:
            OutlapError: the cage cannot start on this machine, and ``trust`` was not given; a file cannot be copied,
                what is to be readable is not there, or a descriptor is none of a pipe or socket.
        """
        target = [str(program.resolve())] if isinstance(program, Path) else ["-m", program]
        if isinstance(program, Path):
            copies = (program.resolve(), *copies)
        kept = Last(KEPT_WORDS)
        words = Drain(kept)  # the program's end stops it
        options: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": stdout,
            "stderr": words.writing,
            "process_group": 0,  # Ctrl-C is for the caller
        }
        try:
            if self.trust:
                options |= {"env": {**os.environ, "PYTHONHASHSEED": str(hash_seed)}, "pass_fds": tuple(pass_fds)}
                process = subprocess.Popen([sys.executable, *target, *arguments], **options)
                words.started()
                return Program(process, None, words, kept, self.limits)
            why = why_unavailable()
            if why is not None:
                raise OutlapError(f"{why[0].upper()}{why[1:]} Or run it unprotected, if you trust whoever wrote it.")
            for descriptor in pass_fds if stdout == subprocess.DEVNULL else (*pass_fds, stdout):
                _harmless(descriptor)
            first = [sys.executable, "-P", "-m", FIRST, self.limits.model_dump_json(), target[-1], *arguments]
            options["env"] = environment(hash_seed)
            watch = self._started(first, pass_fds, copies, options)
            words.started()
            assert watch.process is not None
            return Program(watch.process, watch, words, kept, self.limits)
        except OSError as error:
            words.stop()
            raise OutlapError(f"the program {program} cannot be started: {error.strerror or error}.") from error
        except BaseException:
            words.stop()
            raise

    def _started(
        self, first: Sequence[str], pass_fds: Sequence[int], copies: Iterable[Path], options: dict[str, Any]
    ) -> Watch:
        with contextlib.ExitStack() as until_started:

            def lent(content: bytes) -> int:
                descriptor = held(content)
                until_started.callback(os.close, descriptor)
                return descriptor

            put = [Copy(path.absolute(), lent(_content(path))) for path in _few(copies)]
            rules = lent(system_call_filter())
            reading, writing = os.pipe()
            with contextlib.ExitStack() as until_watched:
                until_watched.callback(os.close, reading)
                until_watched.callback(os.close, writing)
                words = command(self.limits, self.readable, put, rules, writing)
                passed = (*pass_fds, rules, *(copy.descriptor for copy in put), writing)
                watch = Watch([*words, *first], reading, self.limits, options | {"pass_fds": passed})
                watch.launch()
                until_watched.pop_all()  # from now on it is the watch that closes the pipe's two ends
            watch.begun()
            return watch


class Program:
    """A program that was started in the cage, or trusted; as a context, it ends with the block."""

    def __init__(
        self, process: subprocess.Popen, watch: Watch | None, words: Drain, kept: Last, limits: Limits
    ) -> None:
        self._process, self._watch, self._words, self._kept, self._limits = process, watch, words, kept, limits
        self._finalizer = weakref.finalize(self, _end, process, watch, words)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The number of the process, or of the bubblewrap around it."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How the program ended: its code, or a signal's number with a minus; None while it runs."""
        code = self._process.poll()
        # bubblewrap says it as a shell does.
        return 128 - code if self._watch is not None and code is not None and code > 128 else code

    def wait(self, timeout: float | None) -> int:
        """Wait for its end, at most ``timeout`` s; its ``returncode``.

        Raises:
            TimeoutError: it still runs.
        """
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"the program has not ended within {timeout:g} s") from error
        code = self.returncode
        assert code is not None
        return code

    def ended_by(self) -> str:
        """How it ended, in a few words to stand in a sentence: the limit that it met, the signal or the code."""
        code = self.returncode
        if code is None:
            return "it still runs"
        if self._watch is not None and self._watch.why is not None:
            return self._watch.why
        if self._watch is not None and code == -signal.SIGXCPU:
            return f"it used over {self._limits.cpu_s:g} s of CPU time"
        if self._watch is not None and code == -signal.SIGXFSZ:
            return f"it wrote a file of over {self._limits.file_bytes / MIB:.3g} MiB"
        return f"signal {-code}" if code < 0 else f"code {code}"

    def words(self) -> str:
        """What it has written to its standard error, the last megabyte of it."""
        if self.returncode is not None:
            self._words.gather()
        return self._kept.content().decode(errors="replace")

    def close(self) -> None:
        """End it: afterwards, none of its processes lives on."""
        self._finalizer()


def python_beside(path: Path) -> list[Path]:
    """A Python file and those beside it that it may import: no links, which could show any file of the caller's."""
    beside = sorted(other for other in path.parent.glob("*.py") if other.is_file() and not other.is_symlink())
    return list(dict.fromkeys((path, *beside)))


def _few(paths: Iterable[Path]) -> list[Path]:
    found = list(paths)
    if len(found) > MOST_COPIES:
        raise OutlapError(
            f"over {MOST_COPIES} Python files lie in {found[0].parent}, and each is put into the cage: move "
            f"{found[0].name} and what it imports into a folder of its own."
        )
    return found


def _harmless(descriptor: int) -> None:
    """See that a descriptor leads to nothing that lasts.

    Raises:
        OutlapError: it is of a file, a folder, a device or a pipe with a name.
    """
    place = str(Path(f"/proc/self/fd/{descriptor}").readlink())
    if not place.startswith(("pipe:[", "socket:[")):
        raise OutlapError(f"the descriptor {descriptor} ({place}) is none of a pipe or socket, as the cage takes them.")


def _content(path: Path) -> bytes:
    """The content of a plain file.

    Raises:
        OutlapError: it is none (any more), is too large, or cannot be read.
    """
    try:
        # Looked at through the descriptor: the name may lead elsewhere a moment later.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OutlapError(f"{path}: only a regular file can be put into the cage.")
            if status.st_size > LARGEST_COPY:
                raise OutlapError(f"{path}: a file of over {LARGEST_COPY / MIB:g} MiB is not put into the cage.")
            return file.read(LARGEST_COPY)
    except OSError as error:
        raise OutlapError(f"{path}: cannot be read: {error.strerror or error}.") from error


def _end(process: subprocess.Popen, watch: Watch | None, words: Drain) -> None:
    if watch is not None:
        watch.end()
    else:
        process.kill()
        process.wait()
    words.stop()
