"""Stops a car that is being calibrated when that process is gone, suspended or hangs while the drive is on.

A process of its own, in no group of the terminal's. It listens to a pipe, in which each line is the neutral signal and
whether the drive is on; it opens the hardware only when it has to, so that a second owner never is in the way. Before
it writes, it says so, for a calibration that only stood still for a moment and must not drive against it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from outlap.drivers.actuator import ActuatorError, SignalActuator
from outlap.drivers.opening import open_actuator
from outlap.errors import OutlapError
from outlap.vehicle.car import load_car

SILENCE = 0.3  # s; while the drive is on, it is sent anew, and said here, every 0.05 s
WRITING = 0.5  # s, for which neutral is sent
EVERY = 0.02  # s between these
GOES, STANDS = "goes", "stands"
STOPS = b"stops\n"  # what is said last: the calibration was taken for dead


class Guarded:
    """The calibration's end of it."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "outlap.calibration.guard", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            self.close()
            raise OutlapError("the process that guards the calibration did not start: nothing was moved.")
        os.set_blocking(self._process.stdin.fileno(), False)

    def tell(self, neutral: float, goes: bool) -> None:
        """Say how it stands.

        Raises:
            OutlapError: nobody listens, or the car is being stopped: it must be sent nothing but neutral any more.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            if select.select([self._process.stdout], [], [], 0.0)[0] and self._process.stdout.readline() == STOPS:
                raise OutlapError(
                    f"the calibration stood still for {SILENCE} s while the wheels turned (this machine is too busy, "
                    "or the process was suspended), so its guard stopped the car: begin again."
                )
            os.write(self._process.stdin.fileno(), f"{neutral} {GOES if goes else STANDS}\n".encode())
        except (BrokenPipeError, BlockingIOError) as error:
            raise OutlapError("the process that guards the calibration is gone: begin again.") from error

    def close(self) -> None:
        """End it, once the drive has been stopped."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def main() -> None:
    """Watch the calibration whose pipe is standard input; the argument is the car file."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # what ends the calibration must not end the one who stops the car
    try:
        car = load_car(sys.argv[1])
    except OutlapError as error:
        sys.exit(f"error: {error}")
    print("ready", flush=True)
    neutral = watch(sys.stdin.fileno())
    if neutral is None:
        return
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), STOPS)
    end = time.monotonic() + WRITING
    actuator: SignalActuator | None = None
    while time.monotonic() < end:
        with contextlib.suppress(ActuatorError):
            actuator = actuator or open_actuator(car)
            actuator.send(None, neutral)
        time.sleep(EVERY)
    if actuator is not None:
        actuator.close()


def watch(pipe: int) -> float | None:
    """Follow the lines in ``pipe`` until the car must be stopped, by the signal that is returned; none: it stands."""
    goes, neutral, rest = False, 0.0, b""
    while True:
        if not select.select([pipe], [], [], SILENCE if goes else None)[0]:
            return neutral
        received = os.read(pipe, 4096)
        if not received:
            return neutral if goes else None
        *lines, rest = (rest + received).split(b"\n")
        if lines:
            number, state = lines[-1].decode().split()
            neutral, goes = float(number), state == GOES


if __name__ == "__main__":
    main()
