"""Linux's joystick device, /dev/input/js0, by the kernel's Documentation/input/joydev/joystick-api.rst.

Axes and buttons come out as ROS's joy_node gives them: from -1 to 1 with left and up positive.
"""

from __future__ import annotations

import contextlib
import os
import struct

EVENT = struct.Struct("=IhBB")  # time in ms, value, type, number
BUTTON, AXIS, INITIAL = 0x01, 0x02, 0x80  # types; the last is added to events that tell the state at the start
FULL = 32767  # value of a full axis
MOST = 64  # axes or buttons; a number beyond it is no joystick's


class JoystickDevice:
    """Keeps the device open while it is there, and what it said last."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.axes: list[float] = []
        self.buttons: list[int] = []
        self.problem = ""  # why it cannot be read; empty: it can
        self._handle = -1
        self._rest = b""

    @property
    def present(self) -> bool:
        """Whether the device is open and has told its state."""
        return self._handle >= 0 and bool(self.axes or self.buttons)

    def read(self) -> bool:
        """Take what has come, opening the device where it is not open; returns whether anything has changed.

        A device that is gone, or says what no joystick says, is closed and forgotten: nothing of it is kept.
        """
        if self._handle < 0 and not self._open():
            return False
        changed = False
        while True:
            try:
                data = os.read(self._handle, 64 * EVENT.size)
            except BlockingIOError:
                return changed
            except OSError as error:  # ENODEV: it was unplugged
                return self._lose(error.strerror or str(error))
            if not data:
                return self._lose("it has ended")
            data = self._rest + data
            whole = len(data) - len(data) % EVENT.size
            self._rest = data[whole:]
            for _, value, kind, number in EVENT.iter_unpack(data[:whole]):
                if not self._take(value, kind & ~INITIAL, number):
                    return self._lose(f"it sent an event of type {kind:#x}, number {number}")
            changed = True

    def close(self) -> None:
        """Let go of the device, and forget what it said."""
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.close(self._handle)
        self._handle, self._rest, self.axes, self.buttons = -1, b"", [], []

    def _open(self) -> bool:
        try:
            self._handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.problem = error.strerror or str(error)
            if isinstance(error, PermissionError):
                self.problem = "this user may not read it, but would in the group input (docs/car.md)"
            return False
        self.problem = ""
        return True

    def _take(self, value: int, kind: int, number: int) -> bool:
        if number >= MOST or kind not in (AXIS, BUTTON):
            return False
        values: list = self.axes if kind == AXIS else self.buttons
        values += [0] * (number + 1 - len(values))
        # The kernel has right and down positive, ROS left and up.
        values[number] = max(-1.0, min(1.0, -value / FULL)) if kind == AXIS else int(value != 0)
        return True

    def _lose(self, problem: str) -> bool:
        self.close()
        self.problem = problem
        return True
