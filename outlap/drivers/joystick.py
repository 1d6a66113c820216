"""A joystick by Linux's joystick device, by the kernel's Documentation/input/joydev/joystick-api.rst.

Axes and buttons come out as ROS's joy_node gives them: from -1 to 1 with left and up positive. The kernel scales each
axis by the range and the dead zone that the device itself has.
"""

from __future__ import annotations

import struct

from outlap.drivers.joydev import Identity, Joydev, open_joydev

EVENT = struct.Struct("=IhBB")  # time in ms, value, type, number
BUTTON, AXIS, INITIAL = 0x01, 0x02, 0x80  # types; the last is added to events that tell the state at the start
FULL = 32767  # value of a full axis


class JoystickDevice:
    """Keeps the device open while it is there, and what it said last."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.identity: Identity | None = None  # while it is open
        self.axes: list[float] = []
        self.buttons: list[int] = []
        self.problem = ""  # why it cannot be read; empty: it can
        self._device: Joydev | None = None
        self._rest = b""
        self._untold: set[tuple[int, int]] = set()  # (type, number) whose state at the start did not come yet

    @property
    def present(self) -> bool:
        """Whether the device is open and has told its whole state."""
        return self.identity is not None and not self._untold

    def read(self) -> bool:
        """Take what has come, opening the device where it is not open; returns whether anything has changed.

        A device that is gone, or says what no joystick says, is closed and forgotten: nothing of it is kept.
        """
        if self._device is None and not self._open():
            return False
        assert self._device is not None
        changed = False
        while True:
            try:
                data = self._device.read()
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

    def verify(self) -> None:
        """Ask again who it is; one that has become another is lost (its axes can be numbered anew while it is open)."""
        if self._device is None:
            return
        try:
            identity = self._device.identity()
        except (OSError, ValueError) as error:
            self._lose(getattr(error, "strerror", None) or str(error))
            return
        if identity != self.identity:
            self._lose(f"it has become another: {identity}")

    def close(self) -> None:
        """Let go of the device, and forget what it said."""
        if self._device is not None:
            self._device.close()
        self._device, self.identity, self._rest, self.axes, self.buttons = None, None, b"", [], []
        self._untold = set()

    def _open(self) -> bool:
        try:
            self._device = open_joydev(self.path)
        except OSError as error:
            self.problem = error.strerror or str(error)
            if isinstance(error, PermissionError):
                self.problem = "this user may not read it, but would in the group input (docs/car.md)"
            return False
        try:
            self.identity = self._device.identity()
        except (OSError, ValueError, IndexError) as error:
            self._lose(
                f"it is no joystick device, such as /dev/input/js0 ({getattr(error, 'strerror', None) or error})"
            )
            return False
        axes, buttons = len(self.identity.axes), len(self.identity.buttons)
        self.axes, self.buttons = [0.0] * axes, [0] * buttons
        self._untold = {(AXIS, number) for number in range(axes)} | {(BUTTON, number) for number in range(buttons)}
        self.problem = "" if self._untold else "it has neither axes nor buttons"
        return True

    def _take(self, value: int, kind: int, number: int) -> bool:
        if kind not in (AXIS, BUTTON) or number >= len(self.axes if kind == AXIS else self.buttons):
            return False
        self._untold.discard((kind, number))
        if kind == AXIS:  # the kernel has right and down positive, ROS left and up
            self.axes[number] = max(-1.0, min(1.0, -value / FULL))
        else:
            self.buttons[number] = int(value != 0)
        return True

    def _lose(self, problem: str) -> bool:
        self.close()
        self.problem = problem
        return True
