"""The VESC's packets, byte for byte, and a parser that finds them in whatever comes."""

from __future__ import annotations

import random

import pytest

from outlap.drivers.vesc_packets import (
    FAULTS,
    MAX_PAYLOAD,
    Command,
    Parser,
    Values,
    command,
    command_value,
    frame,
    pack_values,
    parse_firmware,
    parse_values,
)


@pytest.mark.parametrize(
    ("packet", "wanted"),
    [
        # Worked out by hand from packet.c and commands.c; the checksums with another program's CRC-16/XMODEM.
        (command(Command.SET_RPM, 4614.0), "02 05 08 00001206 07fa 03"),
        (command(Command.SET_RPM, -9228.0), "02 05 08 ffffdbf4"),
        (command(Command.SET_CURRENT, 0.0), "02 05 06 00000000"),
        (command(Command.SET_CURRENT_BRAKE, 5.0), "02 05 07 00001388"),
        (command(Command.SET_SERVO_POS, 0.5304), "02 03 0c 0212"),
        (command(Command.GET_VALUES), "02 01 04 4084 03"),
        (command(Command.FW_VERSION), "02 01 00 0000 03"),
        (command(Command.ALIVE), "02 01 1e"),
    ],
)
def test_a_command_is_these_bytes(packet: bytes, wanted: str) -> None:
    assert packet.hex().startswith(wanted.replace(" ", ""))
    assert packet[-1] == 3 and Parser().feed(packet) == [packet[2:-3]]


def test_the_checksum_is_the_one_that_is_written_down_for_it() -> None:
    # CRC-16/XMODEM's check value, over the nine digits.
    assert frame(b"123456789")[-3:-1].hex() == "31c3"


@pytest.mark.parametrize("value", [0.15, 0.5304, 0.85])
def test_a_commands_number_comes_back(value: float) -> None:
    assert command_value(command(Command.SET_SERVO_POS, value)[2:-3]) == pytest.approx(value, abs=5e-4)
    assert command_value(bytes([Command.SET_RPM, 0])) is None
    assert command_value(bytes([Command.GET_VALUES])) is None


@pytest.mark.parametrize("size", [1, 254, 255, 256, MAX_PAYLOAD])
def test_short_and_long_frames_are_found(size: int) -> None:
    payload = bytes(range(256)) * 2
    assert Parser().feed(frame(payload[:size])) == [payload[:size]]


def test_a_frame_is_found_byte_by_byte_and_between_rubbish() -> None:
    parser, wanted = Parser(), [b"\x04", b"\x00\x06\x05", bytes(300)]
    stream = b"\x02\x00\x03\x00\x01hello".join([b"", *map(frame, wanted), b""])
    found = [payload for byte in stream for payload in parser.feed(bytes([byte]))]
    parser.feed(bytes(MAX_PAYLOAD))  # ends what the last rubbish may have begun
    assert found == wanted


@pytest.mark.parametrize("spoilt", range(1, 10))
def test_a_damaged_frame_is_skipped_and_the_next_one_found(spoilt: int) -> None:
    bad = bytearray(command(Command.SET_RPM, 4614.0))
    bad[spoilt] ^= 0x40
    good = command(Command.SET_RPM, 1.0)
    assert Parser().feed(bytes(bad) + good * 100)[-1] == good[2:-3]


def test_a_parser_keeps_no_more_than_a_frame_of_whatever_comes() -> None:
    parser, rng = Parser(), random.Random(5)
    for _ in range(60):
        parser.feed(rng.choice([rng.randbytes(rng.randrange(2000)), b"\x02" * 700, b"\x03\x01" * 700]))
        assert len(parser._buffer) < MAX_PAYLOAD + 6
    good = frame(b"\x04good")
    assert b"\x04good" in parser.feed(good * 120)


def test_values_stand_where_the_firmware_puts_them() -> None:
    numbers = {1: "0139", 3: "00f9", 5: "000004d2", 9: "ffffff9c", 21: "ff38", 23: "ffffedfa", 27: "009c", 53: "02"}
    payload = bytearray(74)  # as long as firmware 6 answers
    payload[0] = 4
    for at, digits in numbers.items():
        payload[at : at + len(digits) // 2] = bytes.fromhex(digits)
    values = parse_values(bytes(payload))
    assert values == Values(31.3, 24.9, 12.34, -1.0, -0.2, -4614.0, 15.6, "battery voltage too low")
    assert parse_values(pack_values(values)) == values


def test_what_is_no_answer_is_none() -> None:
    whole = pack_values(Values(1, 1, 1, 1, 0, 1, 1, "none"))
    assert parse_values(whole[:-1]) is None and parse_values(b"\x05" + whole[1:]) is None
    unknown = parse_values(whole[:-1] + b"\xc8")
    assert unknown is not None and unknown.fault == "fault 200"
    assert len(FAULTS) == 34
    assert parse_firmware(b"\x00\x05\x02rest") == "5.02" and parse_firmware(b"\x00") == "" == parse_firmware(whole)
