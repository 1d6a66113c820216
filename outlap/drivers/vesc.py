"""A VESC on a serial port (F1TENTH): servo position and motor speed out, and what it says of itself back.

Speed zero is current 0, or a brake current where the car file says ``neutral: brake``: speed 0 would be held with all
the current that the VESC may use. Nothing here keeps it alive but the commands themselves, which the motor's process
repeats: when that dies or hangs, the VESC's own timeout stops the motor, whoever else holds the port.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import termios
from typing import NamedTuple

import serial

from outlap.drivers.actuator import ActuatorError, SignalActuator
from outlap.drivers.vesc_packets import Command, Parser, Values, command, parse_firmware, parse_values
from outlap.vehicle.car import Car
from outlap.vehicle.hardware import Vesc

WRITE_WITHIN = 0.02  # s, one tick of the motor; the few bytes of a command are taken at once by a port that works
ASK_EVERY = 0.2  # s between two questions
OLDEST = 3  # major version of the firmware from which on answers have the layout of vesc_packets.py
SILENT_AFTER = 1.0  # s without an answer, after which that is what is told
CHUNK = 4096  # bytes read at once, what the kernel keeps for a port


class Telemetry(NamedTuple):
    """What the VESC said, and when it was read (steady s)."""

    time: float
    values: Values


class VescActuator(SignalActuator):
    """Writes to a VESC. Several processes may hold the port; only one that asks for telemetry ever reads from it."""

    def __init__(self, car: Car) -> None:
        """Open the port; nothing is sent.

        Raises:
            ActuatorError: the port is not there, is no serial port, or may not be opened.
        """
        super().__init__(car)
        assert isinstance(car.actuator, Vesc)
        self._port, self._baud_rate = car.actuator.port, car.actuator.baud_rate
        self._brake_current = car.actuator.brake_current if car.drive.neutral == "brake" else 0.0  # A
        self._serial: serial.Serial | None = None
        self._parser = Parser()
        self._listens = False  # set by the first who asks for telemetry
        self._now = self._asked = -math.inf  # steady s
        self._telemetry: Telemetry | None = None
        self._firmware = ""
        self._open()

    def write(self, now: float, steering: float, speed: float) -> None:
        self._now = now
        super().write(now, steering, speed)

    def stop(self, now: float) -> None:
        self._now = now
        super().stop(now)

    def send(self, steering: float | None, speed: float | None) -> None:
        """The servo's position, 0 to 1, and electrical revolutions a minute, in one write; see the base class."""
        if not all(signal is None or math.isfinite(signal) for signal in (steering, speed)):
            raise ActuatorError(f"the signals {steering} and {speed} for the VESC are not numbers: nothing was sent.")
        packets = b""
        if speed is not None:
            packets += self._drive(speed)
        if steering is not None:
            packets += command(Command.SET_SERVO_POS, min(max(steering, 0.0), 1.0))
        self._put(packets + self._question())

    def telemetry(self, now: float) -> Telemetry | None:
        """The VESC's last answer, none until one came. From the first call on, it is asked a few times a second.

        Reads what has arrived and never waits for more. A port that is gone is noticed here
        too, and told by the next write.
        """
        self._listens, self._now = True, now
        with contextlib.suppress(ActuatorError):
            self._read(now)
            self._put(self._question())
        return self._telemetry

    def problem(self, now: float) -> str:
        told = self.telemetry(now)
        if self._too_old:
            return (
                f"the VESC on {self._port} has firmware {self._firmware}, whose answers have another layout: update it "
                f"to {OLDEST}.0 or later with VESC Tool"
            )
        if told is None or not self._firmware:
            return (
                f"no VESC answers on {self._port}: another device is there, or its power is off; check actuator.port "
                "in the car file"
            )
        if now - told.time > SILENT_AFTER:
            return f"the VESC on {self._port} does not answer any more"
        return "" if told.values.fault == "none" else f"the VESC reports: {told.values.fault}"

    def voltage(self, now: float) -> float | None:
        told = self.telemetry(now)
        return None if told is None or now - told.time > SILENT_AFTER else told.values.voltage

    def health(self, now: float) -> dict[str, object]:
        told = self.telemetry(now)
        if self._too_old:
            return {"vesc": "too old", "vesc_firmware": self._firmware}
        if told is None or now - told.time > SILENT_AFTER:
            return {"vesc": "no answer" if told is None else f"no answer for {now - told.time:.0f} s"}
        values = told.values
        return {
            "vesc": "answers" if values.fault == "none" else values.fault,
            "vesc_firmware": self._firmware,
            "vesc_voltage": values.voltage,
            "vesc_battery_current": values.battery_current,
            "vesc_motor_current": values.motor_current,
            "vesc_erpm": values.erpm,
            "vesc_electronics_temperature": values.electronics_temperature,
            "vesc_motor_temperature": values.motor_temperature,
        }

    def close(self) -> None:
        opened, self._serial = self._serial, None
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.close()

    def _drive(self, erpm: float) -> bytes:
        """The motor's command: a speed, or what zero speed means to this car."""
        if round(erpm) == 0:
            which = Command.SET_CURRENT_BRAKE if self._brake_current else Command.SET_CURRENT
            return command(which, self._brake_current)
        limit = 2**31 - 1
        return command(Command.SET_RPM, min(max(erpm, -limit), limit))

    def _question(self) -> bytes:
        """A request for telemetry, where one is due."""
        if not self._listens or self._now - self._asked < ASK_EVERY:
            return b""
        self._asked = self._now
        # Who it is comes first: what it says of itself has another layout in old firmware.
        return (b"" if self._firmware else command(Command.FW_VERSION)) + command(Command.GET_VALUES)

    @property
    def _too_old(self) -> bool:
        return self._firmware != "" and int(self._firmware.partition(".")[0]) < OLDEST

    def _open(self) -> int:
        """The port's descriptor; one attempt to open it, where it is not open."""
        if self._serial is None:
            try:
                # Without a lock, because the stopper holds the same port.
                self._serial = serial.Serial(self._port, self._baud_rate, timeout=0, exclusive=False)
            except (OSError, ValueError, termios.error) as error:
                raise ActuatorError(self._advice(error)) from error
            self._parser.reset()
        return self._serial.fileno()

    def _put(self, packets: bytes) -> None:
        """Write in one piece, so that two processes' packets do not mix; wait once, when the port is full."""
        if not packets:
            return
        port = self._open()
        try:
            left = packets[_write(port, packets) :]
            if left:
                select.select([], [port], [], WRITE_WITHIN)
                left = left[_write(port, left) :]
        except OSError as error:
            self._drop()
            raise ActuatorError(self._advice(error)) from error
        if left:
            # What waits in the kernel is old by the time that the VESC takes it.
            with contextlib.suppress(termios.error):
                termios.tcflush(port, termios.TCOFLUSH)
            raise ActuatorError(
                f"the VESC on {self._port} takes no more bytes: it hangs, or another device is there; "
                "switch its power off and on."
            )

    def _read(self, now: float) -> None:
        port = self._open()
        try:
            if not select.select([port], [], [], 0)[0]:
                return
            data = os.read(port, CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._drop()
            raise ActuatorError(self._advice(error)) from error
        if not data:  # readable without a byte: hung up
            self._drop()
            raise ActuatorError(self._advice(OSError(errno.ENXIO, os.strerror(errno.ENXIO))))
        for payload in self._parser.feed(data):
            if version := parse_firmware(payload):
                self._firmware = version
            elif self._firmware and not self._too_old and (values := parse_values(payload)) is not None:
                self._telemetry = Telemetry(now, values)

    def _drop(self) -> None:
        """Let go of a port that failed, without waiting for what it still holds; the next write opens it anew.

        What is there then may be another device: it has to say who it is.
        """
        self._firmware, self._asked = "", -math.inf
        if self._serial is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcflush(self._serial.fileno(), termios.TCOFLUSH)
        self.close()

    def _advice(self, error: Exception) -> str:
        number = error.errno if isinstance(error, OSError) else None
        if number in (errno.EACCES, errno.EPERM):
            return f"the VESC on {self._port} may not be opened: add this user to the group dialout (docs/car.md)."
        if number is None or number == errno.ENOTTY:
            return f"{self._port} is no serial port that could be set up: check actuator.port in the car file."
        return (
            f"the VESC on {self._port} is not there ({os.strerror(number)}): check its cable and power, and "
            "actuator.port in the car file."
        )


def _write(port: int, data: bytes) -> int:
    """How many bytes the port took."""
    try:
        return os.write(port, data)
    except BlockingIOError:
        return 0
