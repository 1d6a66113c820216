"""A VESC that is not there: a pseudo-terminal that takes real packets, answers them, and stops by itself.

    python -m outlap.drivers.fakes.vesc --car standin.yaml

writes a car file that names it, and prints its port and what it is told, until Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import select
import signal
import tempfile
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from outlap.drivers.fakes.showing import add_car, write_car
from outlap.drivers.fakes.standin import Sent, StandIn
from outlap.drivers.vesc_packets import (
    DRIVING,
    Command,
    Parser,
    Values,
    command_value,
    frame,
    pack_values,
)

TIMEOUT = 1.0  # s without a command, after which a VESC lets its motor go: APPCONF_TIMEOUT_MSEC of vedderb/bldc
FIRMWARE = bytes([Command.FW_VERSION, 6, 5]) + b"STANDIN\0" + bytes(12) + bytes(8)  # version, board, serial number
LET_GO = "timeout"


class Told(NamedTuple):
    """A packet as it came, or that the motor was let go for want of one."""

    time: float  # s, steady clock
    name: str  # of the command, or "timeout"
    value: float | None  # A, electrical rpm or servo position; none: the command has none
    frame: bytes  # byte for byte


class FakeVesc(StandIn):
    """A VESC behind a port of its own, which may be unplugged."""

    def __init__(self) -> None:
        self.values = Values(31.4, 24.9, 0.0, 0.2, 0.0, 0.0, 15.6, "none")  # what it answers, but for the motor's speed
        self.firmware = FIRMWARE
        self.answers = True  # whether it says anything: another device on the port would not
        self._told: list[Told] = []
        self._history: list[Sent] = []
        self._parser = Parser()
        self._orders: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._driven: float | None = None  # steady s of the last driving command; none: the motor is let go
        self._steering: float | None = None
        self._erpm = 0.0
        self._ends: tuple[int, int] | None = None  # ours and the port's own, which keeps it there without a client
        self._gate: int | None = None  # a pipe in the port's place, where openings are refused and counted
        self._refusals = 0

    @property
    def hardware(self) -> dict[str, object]:
        return {"driver": "vesc", "port": str(self.port)}

    @property
    def port(self) -> Path:
        """The port's path, the same also after it was unplugged."""
        return self._folder / "vesc"

    @property
    def skipped(self) -> int:
        """Bytes that belonged to no whole packet with a right checksum."""
        return self._parser.skipped

    def told(self) -> list[Told]:
        """Every packet so far, and every time that the motor was let go, oldest first."""
        return list(self._told)

    def history(self) -> list[Sent]:
        """A speed is electrical revolutions a minute, and 0 for any current: coasting and braking are in ``told``."""
        return list(self._history)

    def fail(self, writes: int | None) -> None:
        """As a plug that loses contact: the open port is gone, and opening it anew fails ``writes - 1`` times."""
        self._do(lambda: self._break_off(writes))

    def unplug(self) -> None:
        """Pull the plug: the port is gone, also for those who hold it. The motor is let go after the timeout."""
        self.fail(None)

    def plug_in(self) -> None:
        """Put it back, as a new device behind the same path."""
        self.fail(0)

    def send(self, data: bytes) -> None:
        """Send bytes as they are to whoever reads the port."""
        self._do(lambda: self._say(data))

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix="outlap-vesc-")
        self._folder = Path(self._temporary.name)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="fake VESC", daemon=True)
        self._thread.start()
        self.plug_in()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._orders.put(None)
        os.write(self._wake_write, b"x")
        self._thread.join()
        self._break_off(None)
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._temporary.cleanup()

    def _do(self, order: Callable[[], None]) -> None:
        """Have the thread do something, and wait for it: only the thread touches the port."""
        done = threading.Event()

        def carry_out() -> None:
            order()
            done.set()

        self._orders.put(carry_out)
        os.write(self._wake_write, b"x")
        if not done.wait(10):
            raise RuntimeError("the stand-in's thread has died")

    def _run(self) -> None:
        while True:
            ready = self._wait()
            if self._wake_read in ready:
                os.read(self._wake_read, 1)
                order = self._orders.get()
                if order is None:
                    return
                order()
                continue
            now = time.monotonic()
            if self._ends is not None and self._ends[0] in ready:
                self._take(now)
            if self._gate is not None and self._gate in ready:
                self._count_opening()
            if self._driven is not None and now - self._driven > TIMEOUT:
                self._told.append(Told(now, LET_GO, None, b""))
                self._driven, self._erpm = None, 0.0

    def _wait(self) -> set[int]:
        """The descriptors with something to read, or none when the timeout is over."""
        poll = select.poll()
        for descriptor in (self._wake_read, self._ends and self._ends[0], self._gate):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        left = None if self._driven is None else max(0.0, self._driven + TIMEOUT - time.monotonic()) * 1000 + 1
        return {descriptor for descriptor, _ in poll.poll(left)}

    def _take(self, now: float) -> None:
        assert self._ends is not None
        with contextlib.suppress(OSError):
            for payload in self._parser.feed(os.read(self._ends[0], 4096)):
                self._obey(now, payload)

    def _obey(self, now: float, payload: bytes) -> None:
        which, value = payload[0], command_value(payload)
        name = Command(which).name if which in list(Command) else str(which)
        self._told.append(Told(now, name, value, frame(payload)))
        if which in DRIVING and value is not None:
            self._driven, self._erpm = now, value if which == Command.SET_RPM else 0.0
            self._history.append(Sent(now, self._steering, self._erpm))
        elif which == Command.SET_SERVO_POS and value is not None:
            self._steering = min(max(value, 0.0), 1.0)
            # One write carries the speed, then the steering: what stood after it is both.
            if self._history and self._driven == now:
                self._history[-1] = self._history[-1]._replace(steering=self._steering)
        elif which == Command.ALIVE:
            self._driven = now
        elif not self.answers:
            return
        elif which == Command.GET_VALUES:
            self._say(frame(pack_values(self.values._replace(erpm=self._erpm))))
        elif which == Command.FW_VERSION:
            self._say(frame(self.firmware))

    def _say(self, data: bytes) -> None:
        """Answer; what nobody reads is lost."""
        if self._ends is not None:
            with contextlib.suppress(OSError):
                os.write(self._ends[0], data)

    def _break_off(self, writes: int | None) -> None:
        """Take the port away; then, by ``writes``, put it back, refuse some openings first, or leave it away."""
        if writes == 0 and self._ends is not None:
            return
        if self._ends is not None:
            if select.select([self._ends[0]], [], [], 0)[0]:
                self._take(time.monotonic())
            for end in self._ends:
                os.close(end)
            self._ends = None
        self._close_gate()
        self.port.unlink(missing_ok=True)
        if writes is None:
            return
        if writes <= 1:
            self._put_back()
            return
        self._refusals = writes - 1
        os.mkfifo(self.port)  # opens, but is no terminal
        self._gate = os.open(self.port, os.O_RDONLY | os.O_NONBLOCK)

    def _put_back(self) -> None:
        self._parser.reset()
        ours, ports = os.openpty()
        tty.setraw(ports)
        os.set_blocking(ours, False)
        self._ends = ours, ports
        self.port.symlink_to(os.ttyname(ports))

    def _count_opening(self) -> None:
        """Somebody opened the pipe in the port's place and closed it again."""
        self._refusals -= 1
        self._close_gate()
        self.port.unlink(missing_ok=True)
        if self._refusals <= 0:
            self._put_back()
        else:
            os.mkfifo(self.port)
            self._gate = os.open(self.port, os.O_RDONLY | os.O_NONBLOCK)

    def _close_gate(self) -> None:
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None


def main() -> None:
    """Print the port, and each command that differs from the last one of its kind, until Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: what a script starts in the background ignores it
        signal.signal(number, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m outlap.drivers.fakes.vesc", description="A VESC to try with.")
    add_car(parser)
    car = parser.parse_args().car
    with FakeVesc() as vesc, contextlib.suppress(KeyboardInterrupt):
        print(f"port: {vesc.port}", flush=True)
        if car is not None:
            write_car(car, "f1tenth", vesc.hardware)
        begin, seen, last = time.monotonic(), 0, {}
        while True:
            for packet in vesc.told()[seen:]:
                seen += 1
                if last.get(packet.name, ()) != packet.value or packet.name == LET_GO:
                    last[packet.name] = packet.value
                    value = "" if packet.value is None else f" {packet.value:g}"
                    print(f"{packet.time - begin:9.3f} s  {packet.name.lower()}{value}", flush=True)
            time.sleep(0.05)


if __name__ == "__main__":
    main()
