"""One MCAP file while it is being written: whole after every flush, whatever happens to the process then."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mcap.writer import Writer

from outlap import __version__

CHUNK = 4 * 1024 * 1024  # bytes, after which a chunk ends even before the next flush
TEXT = "text/plain"
OWN = "outlap"  # name of the metadata record with what is known of the drive


class Kind(NamedTuple):
    """A topic's type and the full text of its definition, see ``definitions.py``."""

    type: str
    definition: str


class Entry(NamedTuple):
    """One message to be recorded."""

    topic: str
    received: int  # ns, never decreasing
    published: int  # ns
    data: bytes  # serialised


@dataclass
class Facts:
    """What a file holds, as ``ros2 bag`` asks for it."""

    path: Path
    begin: int = 0  # ns, of the first message received
    end: int = 0  # ns, of the last
    messages: dict[str, int] = field(default_factory=dict)  # by topic
    types: dict[str, str] = field(default_factory=dict)  # by topic

    def add(self, topic: str, kind: str, received: int) -> None:
        """Count a message."""
        self.begin = min(self.begin or received, received)
        self.end = max(self.end, received)
        self.types[topic] = kind
        self.messages[topic] = self.messages.get(topic, 0) + 1

    @property
    def total(self) -> int:
        """Messages on all topics."""
        return sum(self.messages.values())


class Tape:
    """A new file, locked for as long as it is open, so that nobody takes it for one that a crash left behind."""

    def __init__(self, path: Path, metadata: Mapping[str, str], attachments: Mapping[str, bytes] | None = None) -> None:
        """Begin ``path``, which must not exist, with ``metadata`` and ``attachments``.

        Raises:
            OSError: it cannot be written.
        """
        self.facts = Facts(path)
        self._sink = _Sink(path)
        self._writer = Writer(self._sink, chunk_size=CHUNK)  # type: ignore[arg-type] # needs write, tell and flush only
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        with self._closed_on_error():
            self._writer.start("ros2", f"outlap {__version__}")
            for name, data in (attachments or {}).items():
                self._writer.add_attachment(create_time=0, log_time=0, name=name, media_type=TEXT, data=data)
            self.describe(metadata)
            self._sink.flush()

    @property
    def size(self) -> int:
        """Bytes in the file; what was added since the last flush does not count."""
        return self._sink.tell()

    def describe(self, metadata: Mapping[str, str]) -> None:
        """Add a metadata record named :data:`OWN`."""
        if metadata:
            self._writer.add_metadata(OWN, dict(metadata))

    def add(self, entry: Entry, kind: Kind) -> None:
        """Add a message.

        Raises:
            OSError: a chunk was full and could not be written.
        """
        channel = self._channels.get(entry.topic) or self._open_channel(entry.topic, kind)
        count = self.facts.messages.get(entry.topic, 0)
        with self._closed_on_error():
            self._writer.add_message(channel, entry.received, entry.data, entry.published, sequence=count)
        self.facts.add(entry.topic, kind.type, entry.received)

    def flush(self) -> None:
        """End the chunk and see that it lies on the disk.

        Raises:
            OSError: it cannot be written; the file is closed, and ends with the chunk before.
        """
        with self._closed_on_error():
            self._writer.flush()
            self._sink.sync()

    def finish(self) -> None:
        """Write the summary, by which readers find things, and close.

        Raises:
            OSError: it cannot be written; the file is closed, and ends with the last whole chunk.
        """
        with self._closed_on_error():
            self._writer.flush()
            self._writer.finish()
            self._sink.flush()
            self._sink.sync()
        self._sink.close()

    def _open_channel(self, topic: str, kind: Kind) -> int:
        if kind.type not in self._schemas:
            self._schemas[kind.type] = self._writer.register_schema(kind.type, "ros2msg", kind.definition.encode())
        # Without "offered_qos_profiles": players then use their default, which every reader of ours accepts.
        self._channels[topic] = self._writer.register_channel(topic, "cdr", self._schemas[kind.type])
        return self._channels[topic]

    @contextlib.contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._sink.close()
            raise


class _Sink:
    """The file behind a writer: keeps what comes until a flush, and never leaves a part of that in the file."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._handle = os.open(path, flags, 0o644)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._pending: list[bytes] = []
        self._waiting = 0  # bytes in `_pending`
        self._written = 0  # bytes in the file
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # else a power cut may forget the file's very name
        finally:
            os.close(folder)

    def write(self, data: bytes) -> int:
        self._pending.append(bytes(data))
        self._waiting += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written + self._waiting

    def flush(self) -> None:
        content = memoryview(b"".join(self._pending))
        self._pending, self._waiting = [], 0
        done = 0
        try:
            while done < len(content):
                done += os.write(self._handle, content[done:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._written)
            raise
        self._written += done

    def sync(self) -> None:
        os.fdatasync(self._handle)

    def close(self) -> None:
        """Close the file as it is; more than once does no harm."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)
