"""A joystick that is not there: a named pipe that speaks the kernel's js_event, as /dev/input/js0 does."""

from __future__ import annotations

import contextlib
import os
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Self

# Written down here once more, from the kernel's joystick-api.rst, so that a mistake in the driver is not repeated.
EVENT = "=IhBB"
BUTTON, AXIS, INITIAL = 1, 2, 128


class StandInJoystick:
    """Axes rest at 0 and triggers (2 and 5) at -32767, as those of a pad do; 8 axes and 11 buttons by default.

    The state at the start lies ready for the first that reads; a second one would get nothing.
    """

    def __init__(self, path: Path, axes: int = 8, buttons: int = 11) -> None:
        self.path = path
        self._axes = [-32767 if number in (2, 5) else 0 for number in range(axes)]
        self._buttons = [0] * buttons
        self._pipe = -1

    def plug(self) -> None:
        """Connect: the device appears, and tells its state."""
        hidden = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        os.mkfifo(hidden)
        self._pipe = os.open(hidden, os.O_RDWR | os.O_CLOEXEC)  # both ways, so that it may be written before it is read
        for number, value in enumerate(self._buttons):
            self._send(BUTTON | INITIAL, number, value)
        for number, value in enumerate(self._axes):
            self._send(AXIS | INITIAL, number, value)
        hidden.rename(self.path)

    def cut(self) -> None:
        """Unplug: the device is gone, and who reads it sees its end."""
        self.path.unlink(missing_ok=True)
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def move(self, axis: int, value: float) -> None:
        """Put an axis to a value from -1 to 1 as the kernel has it: right and down are positive."""
        self._axes[axis] = round(value * 32767)
        self._send(AXIS, axis, self._axes[axis])

    def press(self, button: int, down: bool = True) -> None:
        """Press a button, or let go of it."""
        self._buttons[button] = int(down)
        self._send(BUTTON, button, int(down))

    def _send(self, kind: int, number: int, value: int) -> None:
        milliseconds = time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF
        self.write(struct.pack(EVENT, milliseconds, value, kind, number))

    def write(self, data: bytes) -> None:
        """Say anything at all."""
        os.write(self._pipe, data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self.cut()
