"""Reads recordings: one MCAP file or a folder of them (a ``ros2 bag``), ours or anybody's, finished or torn."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Chunk, Metadata, Schema
from mcap_ros2.decoder import DecoderFactory

from outlap.errors import OutlapError
from outlap.recording.records import MESSAGE, DamageError, parse, read_records, unpack

SUFFIX = ".mcap"


class Message(NamedTuple):
    """One message as it was recorded."""

    topic: str
    type: str  # such as sensor_msgs/msg/Image
    received: int  # ns, the recorder's clock
    published: int  # ns, the publisher's clock
    data: bytes  # serialised: CDR behind a header of four bytes
    schema: Schema  # what describes the data


class RecordedTopic(NamedTuple):
    """What is recorded of a topic."""

    type: str
    messages: int


class Recording:
    """A recording that was looked through once; messages are read when they are asked for.

    Attributes:
        files: of the recording, in the order of time.
        topics: by name.
        begin, end: ns, of the first and last message received; 0 where there is none.
        attachments: the text or bytes of each, by name.
        metadata: by name, the newest of each.
        problems: one sentence for each thing that could not be read.
    """

    def __init__(self, path: Path) -> None:
        """Look through ``path``, a file or a folder of files.

        Raises:
            OutlapError: nothing is there, or the only file is not MCAP.
        """
        self.path = path
        self.files = find_files(path)
        self.topics: dict[str, RecordedTopic] = {}
        self.begin = self.end = 0
        self.attachments: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.problems: list[str] = []
        for message in self._read(None, self._keep):
            kind, count = self.topics.get(message.topic, (message.type, 0))
            self.topics[message.topic] = RecordedTopic(kind, count + 1)
            self.begin = min(self.begin or message.received, message.received)
            self.end = max(self.end, message.received)
        self._decoders: dict[tuple[str, bytes], Callable[[bytes], Any]] = {}

    def messages(self, topics: Collection[str] | None = None) -> Iterator[Message]:
        """The messages of ``topics``, or all, in the order in which they were recorded.

        Raises:
            OutlapError: a file has gone since.
        """
        return self._read(topics)

    def decode(self, message: Message) -> Any:
        """The message's fields as attributes, by the definition that is recorded with it.

        Raises:
            OutlapError: definition and data do not fit.
        """
        schema = message.schema
        key = schema.name, schema.data
        try:
            if key not in self._decoders:
                decoder = DecoderFactory().decoder_for("cdr", schema)
                if decoder is None:
                    raise ValueError(f"its definition is {schema.encoding[:20]!r}, not ros2msg")
                self._decoders[key] = decoder
            return self._decoders[key](message.data)
        except Exception as error:  # a definition is a program of sorts: whatever may be wrong in it
            raise OutlapError(
                f"{self.path}: a message on {message.topic} cannot be decoded as {schema.name}: {error}."
            ) from error

    def _keep(self, thing: Attachment | Metadata | str) -> None:
        if isinstance(thing, Attachment):
            self.attachments[thing.name] = thing.data
        elif isinstance(thing, Metadata):
            self.metadata[thing.name] = self.metadata.get(thing.name, {}) | thing.metadata
        else:
            self.problems.append(thing)

    def _read(
        self, topics: Collection[str] | None, keep: Callable[[Attachment | Metadata | str], None] = lambda thing: None
    ) -> Iterator[Message]:
        for path in self.files:
            try:
                yield from _read_file(path, topics, keep)
            except OutlapError as error:
                if len(self.files) == 1:
                    raise
                keep(str(error))  # a power cut may leave a file of nothing but zeros among good ones


def find_files(path: Path) -> tuple[Path, ...]:
    """The MCAP files of a recording: the file itself, or those in a folder, by the numbers in their names.

    Raises:
        OutlapError: there is none.
    """
    if path.is_dir():
        found = sorted((file for file in path.glob(f"*{SUFFIX}") if file.is_file()), key=_natural)
        if not found:
            inside = sorted({file.parent.name for file in path.glob(f"*/*{SUFFIX}")})
            hint = f": give one of the recordings in it, such as {path / inside[-1]}" if inside else ""
            raise OutlapError(f"{path}: no recording (a file {SUFFIX}) is in this folder{hint}.")
        return tuple(found)
    if not path.is_file():
        raise OutlapError(f"{path}: no such recording; give an {SUFFIX} file, or a folder with such files.")
    return (path,)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts drive_2 before drive_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", path.name)]


def _read_file(
    path: Path, topics: Collection[str] | None, keep: Callable[[Attachment | Metadata | str], None]
) -> Iterator[Message]:
    """The messages of one file; attachments, metadata and problems go to ``keep``."""
    schemas: dict[int, Schema] = {}
    channels: dict[int, tuple[Channel, Schema] | None] = {}  # None: not among the topics, or not ROS 2's

    def take(opcode: int, body: bytes) -> Message | None:
        """What a record says, within a chunk and outside."""
        if opcode == Opcode.MESSAGE:
            if len(body) < MESSAGE.size:
                raise DamageError("a malformed message record")
            number, _, received, published = MESSAGE.unpack_from(body)
            if number not in channels:
                raise DamageError(f"a message on channel {number}, which is not described")
            channel = channels[number]
            if channel is None:
                return None
            return Message(channel[0].topic, channel[1].name, received, published, body[MESSAGE.size :], channel[1])
        record = parse(opcode, body)
        if isinstance(record, Schema):
            schemas[record.id] = record
        elif isinstance(record, Channel):
            schema = schemas.get(record.schema_id)
            wanted = topics is None or record.topic in topics
            known = wanted and schema is not None and record.message_encoding == "cdr"
            channels[record.id] = (record, schema) if known and schema is not None else None
        elif isinstance(record, Attachment | Metadata):
            keep(record)
        return None

    try:
        with path.open("rb") as file:
            for record in read_records(path, file):
                try:
                    if record.opcode != Opcode.CHUNK:
                        message = take(record.opcode, record.body)
                        if message is not None:
                            yield message
                        continue
                    chunk = parse(record.opcode, record.body)
                    assert isinstance(chunk, Chunk)
                    for opcode, body in unpack(chunk):
                        message = take(opcode, body)
                        if message is not None:
                            yield message
                except DamageError as error:
                    keep(f"{path}: {error} at byte {record.offset} is left out.")
    except OSError as error:
        raise OutlapError(f"{path}: cannot read the recording: {error.strerror or error}.") from error
