"""Somebody at a terminal: a program in a pseudo-terminal of its own, what it shows, and keys that are typed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import termios
import threading
import time

UP, DOWN, LEFT, RIGHT = b"\x1b[A", b"\x1b[B", b"\x1b[D", b"\x1b[C"
REPEAT = 0.033  # s, as most keyboards


class Seat:
    """Runs a command on a terminal that says of itself what most do: nothing, and no releases."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self._master, slave = os.openpty()
        self.before = termios.tcgetattr(slave)
        self._shown = bytearray()
        self._typing: bytes | None = None
        self.process = subprocess.Popen(
            words,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: _control(slave),
        )
        self._slave = slave
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._repeat, daemon=True).start()

    @property
    def shown(self) -> str:
        """All that was shown so far, without escape sequences."""
        return re.sub(r"\x1b\[[0-9;?<>=]*[A-Za-z]", "", self._shown.decode(errors="replace")).replace("\r", "\n")

    @property
    def raw(self) -> bytes:
        """The same, with them."""
        return bytes(self._shown)

    @property
    def line(self) -> str:
        """The line that changes, as it is now."""
        return self.shown.rstrip("\n").split("\n")[-1]

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was: its mode, the cursor, and what it tells of keys."""
        undone = all(
            self.raw.rfind(there) < self.raw.rfind(back) and self.raw.count(there) == self.raw.count(back)
            for there, back in (
                (b"\x1b[>11u", b"\x1b[<u"),
                (b"\x1b[?1004h", b"\x1b[?1004l"),
                (b"\x1b[?25l", b"\x1b[?25h"),
            )
        )
        return undone and termios.tcgetattr(self._slave) == self.before

    def domain(self, patience: float) -> int:
        """The ROS domain that it says it runs on; it fails when that is not said within ``patience`` (s)."""
        end = time.monotonic() + patience
        while (said := re.search(r"ROS_DOMAIN_ID=(\d+)\s", self.shown)) is None:
            assert time.monotonic() < end and self.process.poll() is None, "no domain was named"
            time.sleep(0.05)
        return int(said[1])

    def type(self, data: bytes) -> None:
        os.write(self._master, data)

    def hold(self, data: bytes | None) -> None:
        """Hold a key from now on: it comes at once, and then again and again. None: let go."""
        self._typing = data

    def close(self) -> None:
        """Close the terminal, as when its window is closed or ssh loses its connection."""
        self._typing = None
        for handle in (self._slave, self._master):
            with contextlib.suppress(OSError):
                os.close(handle)

    def end(self) -> None:
        """Whatever still runs."""
        self._typing = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        print(f"--- terminal\n{self.shown}")
        self.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._master, 4096):
                self._shown += data

    def _repeat(self) -> None:
        with contextlib.suppress(OSError):
            while self.process.poll() is None:
                if self._typing is not None:
                    self.type(self._typing)
                time.sleep(REPEAT)


def _control(slave: int) -> None:
    """Make the terminal the session's own, so that closing it hangs up, and Ctrl-C could interrupt."""
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
