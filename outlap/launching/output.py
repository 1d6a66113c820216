"""Shows the output of several processes line by line, each line with the name of who said it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CHUNK = 65536  # bytes read at once
LINE_LIMIT = 65536  # bytes; a longer line is shown in parts
COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)  # ANSI foreground colours


class Output:
    """Collects bytes into lines; colours only on a terminal, and not where ``NO_COLOR`` is set."""

    def __init__(self, names: list[str]) -> None:
        colourful = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._prefix = {
            name: f"\033[{COLOURS[index % len(COLOURS)]}m[{name}]\033[0m " if colourful else f"[{name}] "
            for index, name in enumerate(dict.fromkeys([*names, "launch"]))
        }
        self._part: dict[str, bytes] = {}
        self.unread = False  # whether whoever read our output has gone (`outlap launch … | head`)

    def copy(self, name: str, handle: int) -> bool:
        """Show what a non-blocking pipe holds at the moment; False when it has come to its end."""
        while True:
            try:
                chunk = os.read(handle, CHUNK)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            *lines, rest = (self._part.get(name, b"") + chunk).split(b"\n")
            if len(rest) > LINE_LIMIT:
                lines.append(rest)
                rest = b""
            self._part[name] = rest
            self._write(name, lines)
            if len(chunk) < CHUNK:
                return True

    def flush(self, name: str) -> None:
        """Show a last line that has no newline."""
        if rest := self._part.pop(name, b""):
            self._write(name, [rest])

    def say(self, text: str) -> None:
        """A line of the runner's own."""
        if text:
            self._write("launch", [text.encode()])

    def _write(self, name: str, lines: list[bytes]) -> None:
        text = "".join(f"{self._prefix[name]}{line.decode(errors='replace')}\n" for line in lines)
        try:
            # What the terminal's encoding lacks must not end a race.
            encoding = sys.stdout.encoding or "utf-8"
            sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
            sys.stdout.flush()
        except BrokenPipeError:
            self.unread = True
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
