"""The records of an MCAP file, read one after the other, so that a file torn at any byte is read up to there.

The format: https://mcap.dev/spec. A file is magic, header, data section, data end, summary, footer, magic; what its
writer had not yet finished lacks the last four, and may end within a record. The summary is not looked at here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Chunk, Header, McapRecord, Metadata, Schema

from outlap.errors import OutlapError

MAGIC = b"\x89MCAP0\r\n"
PREFIX = struct.Struct("<BQ")  # opcode, length of the body
MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time in ns, publish time in ns; then the data
LARGEST = 256 * 1024 * 1024  # bytes, of a record, and of a chunk once it is unpacked
# What a record that is cut short, or made up, raises in the parsers.
MALFORMED = (McapError, struct.error, UnicodeDecodeError, ValueError, OverflowError, IndexError)

PARSERS = {
    Opcode.HEADER: Header.read,
    Opcode.SCHEMA: Schema.read,
    Opcode.CHANNEL: Channel.read,
    Opcode.CHUNK: Chunk.read,
    Opcode.ATTACHMENT: Attachment.read,
    Opcode.METADATA: Metadata.read,
}


class Record(NamedTuple):
    """A whole record of the data section, as it lies in the file."""

    opcode: int
    offset: int  # bytes, where it begins
    body: bytes

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.offset + PREFIX.size + len(self.body)


class DamageError(Exception):
    """A record is not what it should be; ``str`` says why in a few words."""


def read_records(path: Path, file: IO[bytes]) -> Iterator[Record]:
    """The records of the data section, up to its end or the last that is whole.

    Raises:
        OutlapError: the file is not MCAP.
    """
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        raise OutlapError(f"{path}: not an MCAP file: it does not begin with MCAP's eight magic bytes.")
    offset = len(MAGIC)
    while offset + PREFIX.size <= size:
        opcode, length = PREFIX.unpack(file.read(PREFIX.size))
        # Of a file that lost its power the last block may be zeros, which is no opcode.
        if opcode in (0, Opcode.DATA_END) or length > min(LARGEST, size - offset - PREFIX.size):
            return
        record = Record(opcode, offset, file.read(length))
        yield record
        offset = record.end


def parse(opcode: int, body: bytes) -> McapRecord | None:
    """A record's content; None for a kind that is not needed here.

    Raises:
        DamageError: the body does not hold one.
    """
    if opcode not in PARSERS:
        return None
    try:
        return PARSERS[Opcode(opcode)](ReadDataStream(BytesIO(body)))
    except MALFORMED as error:
        raise DamageError(f"a malformed {Opcode(opcode).name.lower()} record") from error


def unpack(chunk: Chunk) -> Iterator[tuple[int, bytes]]:
    """Opcode and body of each record in a chunk.

    Raises:
        DamageError: it cannot be unpacked, is larger than 256 MiB, or its checksum is wrong.
    """
    data = _decompressed(chunk)
    if chunk.uncompressed_crc and zlib.crc32(data) != chunk.uncompressed_crc:
        raise DamageError("a chunk with a wrong checksum")
    offset = 0
    while offset < len(data):
        if offset + PREFIX.size > len(data):
            raise DamageError("a chunk that ends within a record")
        opcode, length = PREFIX.unpack_from(data, offset)
        offset += PREFIX.size
        if length > len(data) - offset:
            raise DamageError("a chunk that ends within a record")
        yield opcode, data[offset : offset + length]
        offset += length


def _decompressed(chunk: Chunk) -> bytes:
    """The chunk's bytes, never more than ``LARGEST`` of them, whatever it says of itself."""
    try:
        if chunk.compression == "zstd":
            with zstandard.ZstdDecompressor().stream_reader(chunk.data) as stream:
                data = stream.read(LARGEST + 1)
        elif chunk.compression == "lz4":
            data = lz4.frame.LZ4FrameDecompressor().decompress(chunk.data, max_length=LARGEST + 1)
        elif chunk.compression == "":
            data = chunk.data
        else:
            raise DamageError(f"a chunk with an unknown compression {chunk.compression[:20]!r}")
    except (zstandard.ZstdError, RuntimeError, EOFError) as error:
        raise DamageError("a chunk that cannot be unpacked") from error
    if len(data) > LARGEST:
        raise DamageError(f"a chunk of over {LARGEST // 1024 // 1024} MiB")
    return data
