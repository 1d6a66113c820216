"""The VESC's packets: frames with a checksum, the commands that a car needs, and what it answers.

Source: Benjamin Vedder's firmware, github.com/vedderb/bldc: ``comm/packet.c`` (frames), ``util/crc.c`` (checksum),
``datatypes.h`` (COMM_PACKET_ID, mc_fault_code), ``comm/commands.c`` (fields and their scales). All big-endian.
"""

from __future__ import annotations

import binascii
import struct
from enum import IntEnum
from typing import NamedTuple

MAX_PAYLOAD = 512  # bytes, PACKET_MAX_PL_LEN
SHORT, LONG, END = 2, 3, 3  # first byte: how many bytes come before the payload; last byte of every frame


class Command(IntEnum):
    """COMM_PACKET_ID, as far as it is used here."""

    FW_VERSION = 0
    GET_VALUES = 4
    SET_CURRENT = 6  # int32, mA; 0 lets the motor roll
    SET_CURRENT_BRAKE = 7  # int32, mA
    SET_RPM = 8  # int32, electrical revolutions a minute, held by the VESC's own speed control
    SET_SERVO_POS = 12  # int16, thousandths, 0 to 1
    ALIVE = 30


# The commands that begin the VESC's timeout anew; a servo position and a question do not.
DRIVING = (Command.SET_CURRENT, Command.SET_CURRENT_BRAKE, Command.SET_RPM)

# The scale of each command's number, and its type.
_SCALES: dict[int, tuple[str, float]] = {
    Command.SET_CURRENT: (">i", 1e3),
    Command.SET_CURRENT_BRAKE: (">i", 1e3),
    Command.SET_RPM: (">i", 1.0),
    Command.SET_SERVO_POS: (">h", 1e3),
}

# COMM_GET_VALUES's answer behind its command byte, up to the fault code; later firmware appends to it.
_VALUES = struct.Struct(">hhiiiihih4iiiB")

# mc_fault_code, by number.
FAULTS = (
    "none",
    "battery voltage too high",
    "battery voltage too low",
    "gate driver fault",
    "motor current beyond its absolute limit",
    "electronics too hot",
    "motor too hot",
    "gate driver voltage too high",
    "gate driver voltage too low",
    "processor voltage too low",
    "restarted by its watchdog",
    "encoder does not answer",
    "sine/cosine encoder signal too small",
    "sine/cosine encoder signal too large",
    "flash memory damaged",
    "current sensor 1 off zero",
    "current sensor 2 off zero",
    "current sensor 3 off zero",
    "phase currents unbalanced",
    "brake fault",
    "resolver lost tracking",
    "resolver signal degraded",
    "resolver signal lost",
    "application settings damaged",
    "motor settings damaged",
    "encoder has no magnet",
    "encoder magnet too strong",
    "phase filter fault",
    "encoder fault",
    "low-voltage output fault",
    "encoder slipped",
    "motor too fast",
    "motor too slow",
    "motor beyond its absolute speed limit",
)


class Values(NamedTuple):
    """What a VESC says of itself."""

    electronics_temperature: float  # °C
    motor_temperature: float  # °C; without a sensor it means nothing
    motor_current: float  # A
    battery_current: float  # A
    duty: float  # -1 to 1
    erpm: float  # electrical revolutions a minute, backwards negative
    voltage: float  # V, the battery's
    fault: str  # in words; "none" when all is well


def frame(payload: bytes) -> bytes:
    """A payload of 1 to 512 bytes as it travels: start, length, payload, CRC-16/XMODEM, end."""
    size = len(payload)
    assert 1 <= size <= MAX_PAYLOAD
    head = struct.pack(">BB", SHORT, size) if size < 256 else struct.pack(">BH", LONG, size)
    return head + payload + struct.pack(">HB", binascii.crc_hqx(payload, 0), END)


def command(which: Command, value: float | None = None) -> bytes:
    """The frame of a command, with its number in A, electrical rpm or parts of 1 where it has one."""
    if value is None:
        return frame(bytes([which]))
    kind, scale = _SCALES[which]
    return frame(bytes([which]) + struct.pack(kind, round(value * scale)))


def command_value(payload: bytes) -> float | None:
    """The number that a command carries, in the unit of :func:`command`; none: it carries none, or not of its size."""
    kind, scale = _SCALES.get(payload[0], ("", 1.0))
    if not kind or len(payload) != 1 + struct.calcsize(kind):
        return None
    return struct.unpack_from(kind, payload, 1)[0] / scale


def parse_values(payload: bytes) -> Values | None:
    """The answer to GET_VALUES; none where ``payload`` is another one, or too short."""
    if payload[0] != Command.GET_VALUES or len(payload) < 1 + _VALUES.size:
        return None
    fet, motor, motor_current, input_current, _, _, duty, rpm, voltage, *_, fault = _VALUES.unpack_from(payload, 1)
    words = FAULTS[fault] if fault < len(FAULTS) else f"fault {fault}"
    return Values(
        fet / 10, motor / 10, motor_current / 100, input_current / 100, duty / 1000, float(rpm), voltage / 10, words
    )


def parse_firmware(payload: bytes) -> str:
    """The version in the answer to FW_VERSION, such as "6.05"; empty where ``payload`` is another one."""
    return f"{payload[1]}.{payload[2]:02d}" if payload[0] == Command.FW_VERSION and len(payload) >= 3 else ""


def pack_values(values: Values) -> bytes:
    """The payload of a VESC's answer to GET_VALUES; what :class:`Values` lacks is zero. For stand-ins."""
    numbers = (
        values.electronics_temperature * 10,
        values.motor_temperature * 10,
        values.motor_current * 100,
        values.battery_current * 100,
        0,
        0,
        values.duty * 1000,
        values.erpm,
        values.voltage * 10,
        *(0,) * 6,
        FAULTS.index(values.fault),
    )
    return bytes([Command.GET_VALUES]) + _VALUES.pack(*(round(number) for number in numbers))


class Parser:
    """Finds the frames in a stream of bytes, whatever lies between them. It keeps less than one frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.skipped = 0  # bytes that belonged to no frame

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads of the frames that ``data`` completes, in order."""
        payloads = []
        self._buffer += data
        start, buffer = 0, self._buffer
        while start < len(buffer):
            end, payload = _frame_at(buffer, start)
            if end > len(buffer):
                break
            if payload is None:
                self.skipped += 1
            else:
                payloads.append(payload)
            start = end
        del buffer[:start]
        return payloads

    def reset(self) -> None:
        """Forget a frame that has begun and will not go on."""
        self.skipped += len(self._buffer)
        self._buffer.clear()


def _frame_at(buffer: bytearray, start: int) -> tuple[int, bytes | None]:
    """Where what begins at ``start`` ends, and its payload; no payload and the next byte where no frame begins."""
    head = buffer[start]
    if head not in (SHORT, LONG):
        return start + 1, None
    body = start + head
    if body > len(buffer):
        return body, None
    size = int.from_bytes(buffer[start + 1 : body], "big")
    if not (1 if head == SHORT else 255) <= size <= MAX_PAYLOAD:
        return start + 1, None
    end = body + size + 3
    if end > len(buffer):
        return end, None
    if buffer[end - 1] != END:
        return start + 1, None
    payload, checksum = bytes(buffer[body : body + size]), buffer[body + size : end - 1]
    return (end, payload) if int.from_bytes(checksum, "big") == binascii.crc_hqx(payload, 0) else (start + 1, None)
