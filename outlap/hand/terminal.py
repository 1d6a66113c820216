"""The terminal that a person drives from: keys as they are pressed, one line that changes, and left as it was found."""

from __future__ import annotations

import contextlib
import os
import shutil
import termios
from collections.abc import Iterator

from outlap.errors import OutlapError
from outlap.hand.decode import ASK, BEGIN, END

LFLAG, CC = 3, 6  # of what tcgetattr gives


class Terminal:
    """Reads keys without waiting, and shows; all while :meth:`held` lasts."""

    def __init__(self, keyboard: int = 0, screen: int = 1) -> None:
        self._keyboard, self._screen = keyboard, screen  # file descriptors
        self._shown = ""

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Take the keys as they come, Ctrl-C too; in the end everything is as before, whatever happened.

        Raises:
            OutlapError: there is no terminal.
        """
        with restored(self._keyboard):
            mode = termios.tcgetattr(self._keyboard)
            # No signals from keys: Ctrl-Z must stop the car, not this program, which then could not.
            mode[LFLAG] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
            mode[0] &= ~(termios.IXON | termios.ICRNL)
            mode[CC][termios.VMIN], mode[CC][termios.VTIME] = 0, 0
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, mode)
            self._write(BEGIN + ASK)
            try:
                yield
            finally:
                give_back(self._screen)

    def read(self) -> bytes | None:
        """What was typed since the last time; None when the terminal is gone."""
        try:
            termios.tcgetattr(self._keyboard)  # fails when it is gone: a read gives nothing then, as when nothing came
            return os.read(self._keyboard, 4096)
        except (OSError, termios.error):
            return None

    def ask(self) -> None:
        """Let the terminal prove that it is there; the answer comes as an event."""
        self._write(ASK)

    def show(self, line: str) -> None:
        """Show a line in the place of the last one."""
        line = line[: max(shutil.get_terminal_size().columns - 1, 10)]
        if line != self._shown:
            self._shown = line
            self._write(f"\r\x1b[K{line}".encode())

    def say(self, text: str) -> None:
        """Show something that stays, above the line that changes."""
        shown, self._shown = self._shown, ""
        self._write(f"\r\x1b[K{text}\n{shown}".encode())
        self._shown = shown

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone is noticed when reading
            os.write(self._screen, data)


@contextlib.contextmanager
def restored(keyboard: int = 0) -> Iterator[None]:
    """Leave the terminal's mode in the end as it is now, whoever changed it meanwhile.

    Raises:
        OutlapError: there is no terminal.
    """
    try:
        mode = termios.tcgetattr(keyboard)
    except termios.error as error:
        raise OutlapError("driving with keys needs a terminal as standard input: run this in one.") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(keyboard, termios.TCSAFLUSH, mode)


def give_back(screen: int = 1) -> None:
    """Undo on the screen what :meth:`Terminal.held` did to it; also for a program that was killed meanwhile."""
    with contextlib.suppress(OSError):
        os.write(screen, b"\r\x1b[K" + END)
