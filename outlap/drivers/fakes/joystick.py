"""A joystick that is not there: a Unix socket that speaks js_event and answers ioctls, as the kernel's device does.

Structures and numbers are written down here once more, from the kernel's joystick-api.rst, joystick.h and
input-event-codes.h, so that a mistake in the driver is not repeated.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

EVENT = "=IhBB"
BUTTON, AXIS, INITIAL = 1, 2, 128
HAT_X, HAT_Y = 0x10, 0x11


class FakePad(NamedTuple):
    """What the kernel says of a pad; ids in hexadecimal, as in sysfs, and the codes of axes and buttons."""

    name: str
    bus: str
    vendor: str
    product: str
    driver: str
    axes: tuple[int, ...]
    buttons: tuple[int, ...]
    triggers: tuple[int, ...]  # codes of the axes that rest at their end


_XPAD_AXES = (0, 1, 2, 3, 4, 5, HAT_X, HAT_Y)
_XPAD_BUTTONS = (0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x13A, 0x13B, 0x13C, 0x13D, 0x13E)
XBOX_CABLE = FakePad(
    "Microsoft X-Box One S pad", "0003", "045e", "02ea", "xpad", _XPAD_AXES, _XPAD_BUTTONS, triggers=(2, 5)
)
XBOX_BLUETOOTH = FakePad(
    "Xbox Wireless Controller",
    *("0005", "045e", "0b13", "microsoft"),
    axes=(0, 1, 2, 5, 9, 10, HAT_X, HAT_Y),
    buttons=tuple(range(0x130, 0x13F)),
    triggers=(9, 10),
)
UNKNOWN = FakePad(
    "Acme Racing Pad", "0003", "1234", "5678", "hid-generic", (0, 1, 2, 5), tuple(range(0x130, 0x13C)), triggers=()
)


class StandInJoystick:
    """Sticks rest in their middle, triggers at their end; by default an Xbox pad by cable, 8 axes and 11 buttons.

    The state at the start is told to each that opens the device, as the kernel does. A thread answers.
    """

    def __init__(self, path: Path, pad: FakePad = XBOX_CABLE) -> None:
        self.path, self.pad = path, pad
        self._axes = [-32767 if code in pad.triggers else 0 for code in pad.axes]
        self._buttons = [0] * len(pad.buttons)
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._clients: list[socket.socket] = []

    def plug(self) -> None:
        """Connect: the device appears."""
        hidden = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(hidden))
        self._listener.listen()
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()
        hidden.rename(self.path)

    def cut(self) -> None:
        """Unplug: the device is gone, and who reads it sees its end."""
        self.path.unlink(missing_ok=True)
        with self._lock:
            for one in (self._listener, *self._clients):
                if one is not None:
                    with contextlib.suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
                    one.close()
            self._listener, self._clients = None, []

    def renumber(self, pad: FakePad) -> None:
        """Become another pad, while it stays open."""
        self.pad = pad

    def move(self, axis: int, value: float) -> None:
        """Put the axis of that code to a value from -1 to 1 as the kernel has it: right and down are positive."""
        number = self.pad.axes.index(axis)
        self._axes[number] = round(value * 32767)
        self._send(AXIS, number, self._axes[number])

    def press(self, button: int, down: bool = True) -> None:
        """Press the button of that code, or let go of it."""
        number = self.pad.buttons.index(button)
        self._buttons[number] = int(down)
        self._send(BUTTON, number, int(down))

    def write(self, data: bytes) -> None:
        """Say anything at all."""
        with self._lock:
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.send(b"e" + data)

    def _send(self, kind: int, number: int, value: int) -> None:
        self.write(_event(kind, number, value))

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = listener.accept()[0]
                with self._lock:
                    if self._listener is not listener:
                        client.close()
                        return
                    client.send(b"e" + b"".join(self._start()))
                    self._clients.append(client)
                threading.Thread(target=self._answer, args=[client], daemon=True).start()

    def _start(self) -> list[bytes]:
        buttons = [_event(BUTTON | INITIAL, *state) for state in enumerate(self._buttons)]
        return buttons + [_event(AXIS | INITIAL, *state) for state in enumerate(self._axes)]

    def _answer(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while packet := client.recv(256):
                try:
                    body = self._ioctl(*struct.unpack("=I", packet[1:])) if packet[:1] == b"i" else self._sysfs(packet)
                    answer = struct.pack("=i", 0) + body
                except LookupError:
                    answer = struct.pack("=i", errno.EINVAL)
                with self._lock:
                    client.send(packet[:1] + answer)

    def _ioctl(self, request: int) -> bytes:
        size, pad = request >> 16 & 0x3FFF, self.pad
        answers = {
            0x11: bytes([len(pad.axes)]),  # JSIOCGAXES
            0x12: bytes([len(pad.buttons)]),  # JSIOCGBUTTONS
            0x13: pad.name.encode() + b"\0",  # JSIOCGNAME
            0x32: bytes(pad.axes),  # JSIOCGAXMAP
            0x34: struct.pack(f"={len(pad.buttons)}H", *pad.buttons),  # JSIOCGBTNMAP
        }
        if request >> 8 & 0xFF != ord("j") or request >> 30 != 2:  # _IOR
            raise LookupError
        return answers[request & 0xFF].ljust(size, b"\0")[:size]

    def _sysfs(self, packet: bytes) -> bytes:
        pad = self.pad
        files = {"id/bustype": pad.bus, "id/vendor": pad.vendor, "id/product": pad.product, "driver": pad.driver}
        return files[packet[1:].decode()].encode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self.cut()


def _event(kind: int, number: int, value: int) -> bytes:
    return struct.pack(EVENT, time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF, value, kind, number)
