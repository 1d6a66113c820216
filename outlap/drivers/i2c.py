"""The I2C bus: a character device of Linux, or a stand-in's Unix socket that carries the same messages.

One transfer is a list of messages with one STOP at its end, as the kernel's ``I2C_RDWR`` makes them
(Documentation/i2c/dev-interface.rst). What a socket carries of it is at the bottom.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from outlap.drivers.actuator import ActuatorError

if TYPE_CHECKING:
    from smbus2 import SMBus

I2C_RETRIES, I2C_TIMEOUT = 0x0701, 0x0702  # ioctl of linux/i2c-dev.h; the latter in units of 10 ms
DEVICE_TIMEOUT = 2  # times 10 ms, for one transfer; the kernel's own is 1 s, in which a car drives on
STAND_IN_TIMEOUT = 1.0  # s; it is a program on a machine that may be busy
LARGEST = 4096  # bytes of one transfer on a socket

READ = 0x0001  # flag of struct i2c_msg
HEADER = struct.Struct("<HHH")  # address, flags, length: the head of each message; what is written follows
STATUS = struct.Struct("<i")  # 0 and what was read, or the errno that a bus driver would give


class Message(NamedTuple):
    """One message of a transfer: ``data`` is written, or where that is none ``length`` bytes are read."""

    address: int  # 7 bits
    data: bytes | None
    length: int = 0


class Bus(ABC):
    """One I2C bus, held open; it opens itself again after an error."""

    def __init__(self, path: str) -> None:
        self.path = path

    def write(self, address: int, data: bytes) -> None:
        """Write bytes to a chip, which takes them all at the STOP.

        Raises:
            ActuatorError: nobody answered, or the bus is not there.
        """
        self._transfer([Message(address, data)])

    def read(self, address: int, register: int, length: int) -> bytes:
        """``length`` bytes of a chip from ``register`` on.

        Raises:
            ActuatorError: nobody answered, or the bus is not there.
        """
        return self._transfer([Message(address, bytes([register])), Message(address, None, length)])

    @abstractmethod
    def close(self) -> None:
        """Let go of the bus; never raises."""

    @abstractmethod
    def transfer(self, messages: Sequence[Message]) -> bytes:
        """What was read by the messages, one after the other.

        Raises:
            OSError: as the bus's driver says it.
        """

    def _transfer(self, messages: Sequence[Message]) -> bytes:
        try:
            return self.transfer(messages)
        except OSError as error:
            self.close()
            raise ActuatorError(_told(self.path, messages[0].address, error)) from error


def open_bus(path: str) -> Bus:
    """The bus behind ``path``: a Unix socket where that is one, else a device like ``/dev/i2c-1``.

    Raises:
        ActuatorError: there is none, or this user may not use it.
    """
    try:
        bus = SocketBus(path) if stat.S_ISSOCK(Path(path).stat().st_mode) else DeviceBus(path)
        bus.open()
    except OSError as error:
        raise ActuatorError(_told(path, None, error)) from error
    return bus


class DeviceBus(Bus):
    """``/dev/i2c-N``, by smbus2."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        try:
            import smbus2
        except ImportError as error:
            raise ActuatorError("the package 'smbus2' is not installed: run pip install 'outlap[car]'.") from error
        self._library = smbus2
        self._device: SMBus | None = None

    def open(self) -> SMBus:
        """Open the device, unless it is.

        Raises:
            OSError: it is not there, is not ours to use, or is no I2C bus.
        """
        if self._device is None:
            device = self._library.SMBus()
            try:
                device.open(self.path)
                assert device.fd is not None
                fcntl.ioctl(device.fd, I2C_TIMEOUT, DEVICE_TIMEOUT)
                fcntl.ioctl(device.fd, I2C_RETRIES, 0)
            except OSError:
                device.close()
                raise
            self._device = device
        return self._device

    def transfer(self, messages: Sequence[Message]) -> bytes:
        device, made = self.open(), self._library.i2c_msg
        parts = [
            made.write(m.address, m.data) if m.data is not None else made.read(m.address, m.length) for m in messages
        ]
        device.i2c_rdwr(*parts)
        return b"".join(bytes(part) for part, m in zip(parts, messages, strict=True) if m.data is None)

    def close(self) -> None:
        if self._device is not None:
            self._device.close()
            self._device = None


class SocketBus(Bus):
    """A stand-in behind a Unix socket of packets."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._socket: socket.socket | None = None

    def open(self) -> socket.socket:
        """Connect, unless it is.

        Raises:
            OSError: nobody listens there.
        """
        if self._socket is None:
            connected = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                connected.settimeout(STAND_IN_TIMEOUT)
                connected.connect(self.path)
            except OSError:
                connected.close()
                raise
            self._socket = connected
        return self._socket

    def transfer(self, messages: Sequence[Message]) -> bytes:
        connected = self.open()
        connected.send(pack(messages))
        answer = connected.recv(LARGEST)
        if len(answer) < STATUS.size:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))  # the stand-in has ended
        (status,) = STATUS.unpack_from(answer)
        if status:
            raise OSError(status, os.strerror(status))
        return answer[STATUS.size :]

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def pack(messages: Sequence[Message]) -> bytes:
    """A transfer as one packet for a stand-in."""
    packet = b""
    for m in messages:
        written = m.data or b""
        packet += HEADER.pack(m.address, 0, len(written)) + written if m.data is not None else b""
        packet += HEADER.pack(m.address, READ, m.length) if m.data is None else b""
    return packet


def unpack(packet: bytes) -> list[Message]:
    """The transfer in a packet.

    Raises:
        ValueError: it is none.
    """
    messages, at = [], 0
    while at < len(packet):
        try:
            address, flags, length = HEADER.unpack_from(packet, at)
        except struct.error as error:
            raise ValueError("a message is cut short") from error
        at += HEADER.size
        if flags & READ:
            messages.append(Message(address, None, length))
            continue
        messages.append(Message(address, packet[at : at + length]))
        at += length
        if at > len(packet):
            raise ValueError("a message is cut short")
    return messages


def _told(path: str, address: int | None, error: OSError) -> str:
    """What went wrong on the bus, where, and what to do about it."""
    number = error.errno
    if number == errno.ENOENT:
        return f"there is no I2C bus {path}: enable I2C (raspi-config, or modprobe i2c-dev), or correct actuator.bus."
    if number in (errno.EACCES, errno.EPERM):
        return f"{path}: this user may not use the I2C bus: add it to the group i2c, and log in again."
    if number in (errno.ENOTTY, errno.EISDIR):
        return f"{path} is no I2C bus: correct actuator.bus."
    if number == errno.ECONNREFUSED:
        return f"{path}: nobody answers behind the socket: start the stand-in."
    if address is None:
        return f"{path}: the I2C bus cannot be opened: {error.strerror or error}."
    if number in (errno.EREMOTEIO, errno.ENXIO):  # what Linux's bus drivers say where nobody acknowledges
        return f"no answer at address {address:#04x} of {path}: check the chip's wiring, power and address."
    if number == errno.ETIMEDOUT or isinstance(error, TimeoutError):
        return f"{path}: the I2C bus did not answer in time: check that nothing holds its lines down, and the power."
    return f"{path}: the I2C bus failed at address {address:#04x}: {error.strerror or error}; check wiring and power."
