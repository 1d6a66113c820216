"""A PCA9685 behind a Unix socket, register by register; ``python -m outlap.drivers.fakes.pca9685 PATH`` runs one.

Registers, bits and rules are written down here once more from NXP's data sheet (PCA9685, rev. 4), and not taken from
the driver: a slip in one of the two shows.
"""

from __future__ import annotations

import errno
import selectors
import socket
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from outlap.drivers.fakes.showing import run
from outlap.drivers.fakes.standin import Sent, StandIn
from outlap.drivers.i2c import LARGEST, STATUS, Message, unpack
from outlap.errors import OutlapError

SOFTWARE_RESET = 0x00, b"\x06"  # section 7.6: general call address, and what it takes as a reset


class Transfer(NamedTuple):
    """What was on the bus between a START and its STOP; ``time`` is that of the STOP, on the steady clock, s."""

    time: float
    messages: list[Message]
    taken: bool  # whether it was acknowledged


class Chip:
    """The registers, and what they make of the outputs. Times are steady s."""

    def __init__(self, oscillator: float = 25e6) -> None:
        self.oscillator = oscillator  # Hz
        self.reset()

    def reset(self) -> None:
        """As after power-on (section 7.5)."""
        self.registers = bytearray(256)
        self.registers[0x00:0x06] = 0x11, 0x04, 0xE2, 0xE4, 0xE8, 0xE0
        self.registers[0x09:0x46:4] = bytes([0x10] * 16)  # LEDn_OFF_H: full off
        self.registers[0xFE] = 0x1E
        self._at, self._woken = 0, 0.0

    def write(self, now: float, data: bytes) -> None:
        """The bytes of one write message: the control register, then what goes there and behind."""
        self._at = data[0]
        for value in data[1:]:
            self._put(now, self._at, value)
            self._step()

    def read(self, length: int) -> bytes:
        """The next bytes from the control register on."""
        found = bytearray()
        for _ in range(length):
            found.append(0 if 0xFA <= self._at <= 0xFD else self.registers[self._at])  # ALL_LED reads as zero
            self._step()
        return bytes(found)

    def pulse(self, channel: int) -> float | None:
        """Width in µs of the pulses on a channel; none: there are none."""
        on_low, on_high, off_low, off_high = self.registers[0x06 + 4 * channel : 0x0A + 4 * channel]
        if self.registers[0x00] & 0x90 or off_high & 0x10:  # asleep, not restarted, or full off
            return None
        if on_high & 0x10:
            return float("inf")  # full on
        counts = ((off_high << 8 | off_low) - (on_high << 8 | on_low)) % 4096
        return counts * (self.registers[0xFE] + 1) / self.oscillator * 1e6

    def _step(self) -> None:
        if self.registers[0x00] & 0x20:  # auto-increment: past 0x45, and past 0xFE, comes 0x00
            self._at = 0x00 if self._at in (0x45, 0xFE) else (self._at + 1) % 256

    def _put(self, now: float, register: int, value: int) -> None:
        if register == 0x00:
            self._mode1(now, value)
        elif register == 0xFE:
            if self.registers[0x00] & 0x10:  # taken only while asleep
                self.registers[0xFE] = max(value, 3)
        elif 0xFA <= register <= 0xFD:
            self._wrote_outputs()
            self.registers[0x06 + register - 0xFA : 0x46 : 4] = bytes([value & 0xFF] * 16)
        else:
            if 0x06 <= register <= 0x45:
                self._wrote_outputs()
            self.registers[register] = value

    def _wrote_outputs(self) -> None:
        self.registers[0x00] &= 0x7F  # takes RESTART back (section 7.3.1.1)

    def _mode1(self, now: float, value: int) -> None:
        before = self.registers[0x00]
        external = (before | (value if before & 0x10 else 0)) & 0x40  # EXTCLK is set only asleep, and stays
        restart = before & 0x80
        if value & 0x80 and not before & 0x10 and now - self._woken >= 0.0005:
            restart = 0  # writing 1 restarts the outputs; writing 0 does nothing
        if value & 0x10 and not before & 0x10 and self._running():
            restart = 0x80
        if before & 0x10 and not value & 0x10:
            self._woken = now
        self.registers[0x00] = restart | external | (value & 0x3F)

    def _running(self) -> bool:
        return any(self.pulse(channel) is not None for channel in range(16))


class FakePca9685(StandIn):
    """The chip, on a bus of its own that several processes may use; each transfer is kept in ``transfers``.

    What it tells in ``history`` are the pulses that come out: those that were asked for, in whole counts of 4 µs or so.
    """

    def __init__(
        self,
        path: str | Path,
        address: int = 0x40,
        steering_channel: int = 1,
        speed_channel: int = 0,
        oscillator: float = 25e6,
    ) -> None:
        self.chip = Chip(oscillator)
        self.transfers: list[Transfer] = []
        self._path, self._address = Path(path), address
        self._channels = steering_channel, speed_channel
        self._history: list[Sent] = []
        self._refused: int | None = 0
        self._lock = threading.Lock()

    @property
    def hardware(self) -> dict[str, object]:
        steering, speed = self._channels
        return {
            "driver": "pca9685",
            "bus": str(self._path),
            "address": self._address,
            "oscillator": self.chip.oscillator,
            "steering_channel": steering,
            "speed_channel": speed,
        }

    def history(self) -> list[Sent]:
        with self._lock:
            return list(self._history)

    def fail(self, writes: int | None) -> None:
        """Acknowledge none of the next transfers; a read is one too."""
        with self._lock:
            self._refused = writes

    def lose_power(self) -> None:
        """A dip of the supply: the chip begins anew, the bus lives on."""
        with self._lock:
            self.chip.reset()

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._path.unlink(missing_ok=True)
            self._listener.bind(str(self._path))
        except OSError as error:
            self._listener.close()
            raise OutlapError(f"{self._path}: no socket can be made there: {error.strerror or error}.") from error
        self._listener.listen()
        self._wake, waker = socket.socketpair()
        self._waker = waker
        self._thread = threading.Thread(target=self._serve, name="PCA9685")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._waker.send(b"!")
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    waiting = key.fileobj
                    assert isinstance(waiting, socket.socket)
                    if waiting is self._wake:
                        for each in list(selector.get_map().values()):
                            assert isinstance(each.fileobj, socket.socket)
                            each.fileobj.close()
                        self._waker.close()
                        return
                    if waiting is self._listener:
                        selector.register(waiting.accept()[0], selectors.EVENT_READ)
                    elif not self._answer(waiting):
                        selector.unregister(waiting)
                        waiting.close()

    def _answer(self, client: socket.socket) -> bool:
        """Do one transfer; whether the client is still there."""
        try:
            packet = client.recv(LARGEST)
            if not packet:
                return False
            client.send(self._transfer(time.monotonic(), unpack(packet)))
        except (OSError, ValueError):
            return False
        return True

    def _transfer(self, now: float, messages: list[Message]) -> bytes:
        with self._lock:
            refused = self._refused is None or self._refused > 0
            if self._refused:
                self._refused -= 1
            reset = any((m.address, m.data) == SOFTWARE_RESET for m in messages)
            taken = not refused and (reset or all(m.address == self._address for m in messages))
            self.transfers.append(Transfer(now, messages, taken))
            if not taken:
                return STATUS.pack(errno.EREMOTEIO)
            if reset:
                self.chip.reset()
                return STATUS.pack(0)
            found = b""
            for message in messages:
                if message.data is None:
                    found += self.chip.read(message.length)
                elif message.data:
                    self.chip.write(now, message.data)
            if any(self._sets_speed(message) for message in messages):
                steering, speed = self._channels
                self._history.append(Sent(now, self.chip.pulse(steering), self.chip.pulse(speed)))
            return STATUS.pack(0) + found

    def _sets_speed(self, message: Message) -> bool:
        """Whether a message writes a register of the speed's channel."""
        if not message.data or len(message.data) < 2:
            return False
        first, last = message.data[0], message.data[0] + len(message.data) - 2
        own = 0x06 + 4 * self._channels[1]
        return (first <= own + 3 and own <= last) or 0xFA <= first <= 0xFD


def main() -> int:
    """Run the stand-in until Ctrl-C."""
    return run(
        FakePca9685, "A PCA9685", "the socket that it makes, which a car file names as actuator.bus", "donkeycar"
    )


if __name__ == "__main__":
    sys.exit(main())
