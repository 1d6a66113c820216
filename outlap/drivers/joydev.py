"""Linux's joystick device, or a stand-in's Unix socket that answers the same calls: read, ioctl, and what sysfs says.

The calls are those of include/uapi/linux/joystick.h. Not python-evdev: it comes for ARM as a source to compile against
kernel headers, and wants another device than the ``/dev/input/js0`` that is configured. What a socket carries stands at
the bottom.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import struct
from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple

GET_AXES, GET_BUTTONS = 0x80016A11, 0x80016A12  # JSIOCGAXES, JSIOCGBUTTONS: one byte each
GET_NAME = 0x80806A13  # JSIOCGNAME(128)
GET_AXIS_MAP = 0x80406A32  # JSIOCGAXMAP: a byte for each of the 64 axes that may be
GET_BUTTON_MAP = 0x84006A34  # JSIOCGBTNMAP: two bytes for each of 512 buttons
LARGEST = 2048  # bytes of one packet on a socket
STAND_IN_TIMEOUT = 1.0  # s

BUSES = {"usb": 0x03, "bluetooth": 0x05, "virtual": 0x06}  # BUS_* of linux/input.h


class Identity(NamedTuple):
    """What the kernel says of a pad."""

    name: str
    bus: int  # one of BUSES, or another of linux/input.h; 0: not known
    vendor: int
    product: int
    driver: str  # the kernel's, such as xpad; empty: not known
    axes: tuple[int, ...]  # the code of each axis, by its number on this device
    buttons: tuple[int, ...]  # likewise

    def __str__(self) -> str:
        bus = next((name for name, code in BUSES.items() if code == self.bus), f"bus {self.bus:#x}")
        return f"'{self.name}' ({bus} {self.vendor:04x}:{self.product:04x}, driver {self.driver or 'unknown'})"


class Joydev(ABC):
    """An open joystick device."""

    @abstractmethod
    def read(self) -> bytes:
        """What has come, whole events or parts of them; empty at the end.

        Raises:
            BlockingIOError: nothing has come.
            OSError: the device is gone.
        """

    @abstractmethod
    def ioctl(self, request: int) -> bytes:
        """What the kernel answers to one of the calls above, as long as its number says.

        Raises:
            OSError: this is no joystick device.
        """

    @abstractmethod
    def attribute(self, name: str) -> str:
        """A file of the input device's folder in sysfs, such as ``id/vendor``, or ``driver``; empty: there is none."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; never raises."""

    def identity(self) -> Identity:
        """Who it is.

        Raises:
            OSError: this is no joystick device.
        """
        axes, buttons = self.ioctl(GET_AXES)[0], self.ioctl(GET_BUTTONS)[0]
        numbers = (int(self.attribute(f"id/{name}") or "0", 16) for name in ("bustype", "vendor", "product"))
        bus, vendor, product = numbers
        return Identity(
            name=self.ioctl(GET_NAME).split(b"\0")[0].decode(errors="replace").strip(),
            bus=bus,
            vendor=vendor,
            product=product,
            driver=self.attribute("driver"),
            axes=tuple(self.ioctl(GET_AXIS_MAP)[:axes]),
            buttons=struct.unpack("=512H", self.ioctl(GET_BUTTON_MAP))[:buttons],
        )


def open_joydev(path: str) -> Joydev:
    """The device behind ``path``.

    Raises:
        OSError: it is not there, or this user may not read it.
    """
    return SocketJoydev(path) if stat.S_ISSOCK(Path(path).stat().st_mode) else DeviceJoydev(path)


class DeviceJoydev(Joydev):
    """``/dev/input/jsN``, or a link to one."""

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        number = os.fstat(self._handle).st_rdev  # and not the path, which in a container may be another's
        self._folder = Path(f"/sys/dev/char/{os.major(number)}:{os.minor(number)}/device")

    def read(self) -> bytes:
        return os.read(self._handle, 512)

    def ioctl(self, request: int) -> bytes:
        return fcntl.ioctl(self._handle, request, bytes(request >> 16 & 0x3FFF))

    def attribute(self, name: str) -> str:
        with contextlib.suppress(OSError):
            if name == "driver":
                return (self._folder / "device" / "driver").readlink().name
            return (self._folder / name).read_text(errors="replace").strip()
        return ""

    def close(self) -> None:
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.close(self._handle)
        self._handle = -1


# A packet to the stand-in: "i" and the number of an ioctl, or "s" and the name of an attribute. From it: the same
# letter with an errno, or 0, and the answer; or "e" and events.
REQUEST, STATUS = struct.Struct("=I"), struct.Struct("=i")


class SocketJoydev(Joydev):
    """A stand-in's socket."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._events: list[bytes] = []
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    def read(self) -> bytes:
        return self._events.pop(0) if self._events else self._socket.recv(LARGEST)[1:]

    def ioctl(self, request: int) -> bytes:
        return self._ask(b"i" + REQUEST.pack(request))

    def attribute(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return self._ask(b"s" + name.encode()).decode()
        return ""

    def _ask(self, packet: bytes) -> bytes:
        self._socket.settimeout(STAND_IN_TIMEOUT)
        try:
            self._socket.send(packet)
            while (answer := self._socket.recv(LARGEST))[:1] == b"e":
                self._events.append(answer[1:])
        finally:
            self._socket.setblocking(False)
        if not answer:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if error := STATUS.unpack(answer[1:5])[0]:
            raise OSError(error, os.strerror(error))
        return answer[5:]

    def close(self) -> None:
        self._socket.close()
