"""A calibration's questions in a terminal, as plain as a slow ssh needs it: single keys, typed numbers, tables."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console
from rich.table import Table

from outlap.calibration.dialog import CancelledError, Dialog
from outlap.errors import OutlapError

ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}  # after ESC [ or ESC O, as terminals send them
ESCAPE = 0.05  # s, within which the rest of an arrow key comes
ENDINGS = (signal.SIGTERM, signal.SIGHUP)  # a closed ssh sends the latter


class Terminal(Dialog):
    """The terminal at stdin, which reads single keys while the ``with`` block lasts.

    SIGTERM and a hung-up line end the block by an exception, so that the car is made neutral on the way out.
    """

    def __init__(self) -> None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise OutlapError("a calibration asks questions: run it in a terminal (over ssh: ssh -t).")
        self._input = sys.stdin.fileno()
        self._console = Console(highlight=False)
        self._shown = False  # whether a status stands in the last line

    def __enter__(self) -> Self:
        self._cooked = termios.tcgetattr(self._input)
        self._handlers = {number: signal.signal(number, _end) for number in ENDINGS}
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # no leaving a car that moves
        tty.setcbreak(self._input, termios.TCSANOW)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._line()
        termios.tcsetattr(self._input, termios.TCSANOW, self._cooked)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def say(self, text: str) -> None:
        self._line()
        self._console.print(text, markup=False)

    def status(self, text: str) -> None:
        cut = text[: max(self._console.width - 1, 20)]
        sys.stdout.write(f"\r\x1b[K{cut}")
        sys.stdout.flush()
        self._shown = True

    def table(self, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self._line()
        table = Table(*headings, title=title)
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def task(self, name: str, text: str) -> None:
        self._ask(text)

    def confirm(self, name: str, text: str) -> None:
        self._ask(f"{text} [Enter when done, q gives up]")
        while self.key(3600.0) != "enter":
            pass

    def choose(self, name: str, question: str, choices: Mapping[str, str]) -> str:
        self._ask(f"{question} [{', '.join(f'{key}: {meaning}' for key, meaning in choices.items())}; q gives up]")
        while (answer := self.key(3600.0).lower()) not in choices:
            pass
        self.say(f"  {choices[answer]}")
        return answer

    def number(self, name: str, question: str, low: float, high: float) -> float:
        self._ask(question)
        while True:
            text = self._typed("> ").strip().replace(",", ".")
            if text.lower() == "q":
                raise CancelledError("given up; the car file is as it was.")
            try:
                value = float(text)
            except ValueError:
                self.say("A number, please, or q to give up.")
                continue
            if low <= value <= high:
                return value
            self.say(f"From {low:g} to {high:g}.")

    def key(self, seconds: float) -> str:
        if not select.select([self._input], [], [], seconds)[0]:
            return ""
        pressed = os.read(self._input, 1)
        if pressed in (b"", b"q", b"Q", b"\x04"):
            raise CancelledError("given up; the car file is as it was.")
        if pressed == b"\x1b":
            return self._arrow()
        return "enter" if pressed in (b"\r", b"\n") else pressed.decode("ascii", "replace")

    def now(self) -> float:
        return time.monotonic()

    def _arrow(self) -> str:
        rest = b""
        while len(rest) < 2 and select.select([self._input], [], [], ESCAPE)[0]:
            rest += os.read(self._input, 1)
        return ARROWS.get(rest[1:], "escape")

    def _typed(self, prompt: str) -> str:
        termios.tcsetattr(self._input, termios.TCSANOW, self._cooked)
        try:
            return input(prompt)
        except EOFError as error:
            raise CancelledError("given up; the car file is as it was.") from error
        finally:
            tty.setcbreak(self._input, termios.TCSANOW)

    def _ask(self, text: str) -> None:
        """Keys that were pressed before a question are no answer to it."""
        self.say(f"\n{text}")
        termios.tcflush(self._input, termios.TCIFLUSH)

    def _line(self) -> None:
        if self._shown:
            sys.stdout.write("\n")
            sys.stdout.flush()
            self._shown = False


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
