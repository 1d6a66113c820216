"""The bus: Linux's ioctl and the stand-in's packets carry the same messages, and what fails says what to do."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from outlap.drivers import i2c
from outlap.drivers.actuator import ActuatorError
from outlap.drivers.i2c import Message, open_bus, pack, unpack

smbus2 = pytest.importorskip("smbus2", reason="the bus's driver needs it: pip install 'outlap[car]'")
I2C_RDWR, I2C_FUNCS = 0x0707, 0x0705
MESSAGES = [Message(0x40, b"\x06\x00\x00\x70\x01"), Message(0x40, b"\x00"), Message(0x40, None, 3)]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Linux's side of the ioctl: the messages as they arrive, and the errno to answer with."""
    side: dict[str, Any] = {"path": str(tmp_path / "i2c-7"), "heard": [], "settings": [], "errno": 0}
    (tmp_path / "i2c-7").touch()

    def ioctl(handle: int, request: int, argument: Any = 0) -> int:
        assert os.fstat(handle).st_ino == Path(side["path"]).stat().st_ino
        if request == I2C_FUNCS:
            return 0
        if request != I2C_RDWR:
            side["settings"].append((request, argument))
            return 0
        if side["errno"]:
            raise OSError(side["errno"], os.strerror(side["errno"]))
        transfer = []
        for at in range(argument.nmsgs):
            message = argument.msgs[at]  # struct i2c_msg: addr, flags, len, buf
            if message.flags & 1:
                ctypes.memmove(message.buf, bytes(range(message.len)), message.len)
                transfer.append(Message(message.addr, None, message.len))
            else:
                transfer.append(Message(message.addr, ctypes.string_at(message.buf, message.len)))
        side["heard"].append(transfer)
        return 0

    monkeypatch.setattr("smbus2.smbus2.ioctl", ioctl)
    monkeypatch.setattr(i2c.fcntl, "ioctl", ioctl)
    yield side


def test_a_device_is_sent_the_messages_of_one_transfer(kernel: dict[str, Any]) -> None:
    bus = open_bus(kernel["path"])
    assert kernel["settings"] == [(0x0702, 2), (0x0701, 0)]  # 20 ms, no repeats by the kernel
    bus.write(0x40, b"\xfd\x10")
    assert bus.read(0x41, 0xFE, 4) == b"\x00\x01\x02\x03"
    assert bus.transfer(MESSAGES) == b"\x00\x01\x02"
    assert kernel["heard"] == [
        [Message(0x40, b"\xfd\x10")],
        [Message(0x41, b"\xfe"), Message(0x41, None, 4)],
        MESSAGES,
    ]
    bus.close()
    bus.close()


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EREMOTEIO, "no answer at address 0x40 of PATH: check the chip's wiring, power and address."),
        (errno.ENXIO, "no answer at address 0x40 of PATH: check the chip's wiring, power and address."),
        (errno.ETIMEDOUT, "PATH: the I2C bus did not answer in time: check that nothing holds its lines down"),
        (errno.EIO, "PATH: the I2C bus failed at address 0x40: Input/output error; check wiring and power."),
    ],
)
def test_a_bus_that_fails_says_so_and_is_opened_again(kernel: dict[str, Any], number: int, message: str) -> None:
    bus = open_bus(kernel["path"])
    kernel["errno"] = number
    with pytest.raises(ActuatorError) as caught:
        bus.write(0x40, b"\x00")
    assert message.replace("PATH", kernel["path"]) in str(caught.value)
    kernel["errno"] = 0
    bus.write(0x40, b"\x00")
    assert len(kernel["settings"]) == 4


def test_what_cannot_be_opened_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(ActuatorError) as caught:
            open_bus(str(path))
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(str(path), "PATH")

    missing = tmp_path / "i2c-1"
    assert refused(missing) == (
        "there is no I2C bus PATH: enable I2C (raspi-config, or modprobe i2c-dev), or correct actuator.bus."
    )
    assert refused(tmp_path) == "PATH is no I2C bus: correct actuator.bus."
    missing.touch()
    assert refused(missing) == "PATH is no I2C bus: correct actuator.bus."
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
        left.bind(str(tmp_path / "left"))
    assert refused(tmp_path / "left") == "PATH: nobody answers behind the socket: start the stand-in."
    monkeypatch.setattr("smbus2.SMBus.open", _denied)
    assert refused(missing) == "PATH: this user may not use the I2C bus: add it to the group i2c, and log in again."
    monkeypatch.setitem(sys.modules, "smbus2", None)
    assert refused(missing) == "the package 'smbus2' is not installed: run pip install 'outlap[car]'."


def _denied(*_: object) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """``served(reply)``: the path of a socket whose other side answers every packet with ``reply(packet)``."""
    threads: list[threading.Thread] = []
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "bus"))
    listener.listen()

    def serve(reply: Callable[[bytes], bytes | None]) -> str:
        def run() -> None:
            client, _ = listener.accept()
            with client:
                while packet := client.recv(4096):
                    answer = reply(packet)
                    if answer is None:
                        return
                    client.send(answer)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return str(tmp_path / "bus")

    yield serve
    for thread in threads:
        thread.join(5)
    listener.close()


def test_a_socket_carries_the_same_messages(served: Callable[..., str]) -> None:
    heard: list[bytes] = []
    bus = open_bus(served(lambda packet: heard.append(packet) or b"\x00\x00\x00\x00abc"))
    assert bus.transfer(MESSAGES) == b"abc"
    bus.close()
    assert heard == [
        b"\x40\x00\x00\x00\x05\x00\x06\x00\x00\x70\x01\x40\x00\x00\x00\x01\x00\x00\x40\x00\x01\x00\x03\x00"
    ]
    assert unpack(heard[0]) == MESSAGES and unpack(pack(MESSAGES)) == MESSAGES and unpack(b"") == []
    for cut in (3, 8, len(heard[0]) - 1):
        with pytest.raises(ValueError, match="cut short"):
            unpack(heard[0][:cut])


def test_a_socket_that_ends_is_told(served: Callable[..., str]) -> None:
    bus = open_bus(served(lambda _: None))
    with pytest.raises(ActuatorError, match="the I2C bus failed at address 0x40: No such device"):
        bus.write(0x40, b"\x00")


def test_a_socket_that_says_nothing_is_not_waited_for(
    served: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(i2c, "STAND_IN_TIMEOUT", 0.05)
    gate = threading.Event()
    bus = open_bus(served(lambda _: gate.wait(10) and None))
    with pytest.raises(ActuatorError, match="did not answer in time"):
        bus.read(0x40, 0, 1)
    gate.set()
