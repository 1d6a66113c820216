"""Finishes what a crash left unfinished: torn files are written anew with the summary that they lack.

Our own reader needs none of it; ``ros2 bag`` and Foxglove do. Nothing that was whole is changed, and a crash within the
repair leaves the torn file as it was.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mcap.opcode import Opcode

from outlap.errors import OutlapError
from outlap.recording.bag import METADATA, write_metadata
from outlap.recording.read import SUFFIX, Recording, find_files
from outlap.recording.records import MAGIC, PREFIX
from outlap.recording.tape import OWN, Entry, Facts, Kind, Tape

FOOTER = 8 + 8 + 4  # bytes of a footer's body
BATCH = 500  # messages from one flush to the next
NEW = ".repaired"  # what a file is called until it takes the torn one's place


def repair(path: Path) -> list[Path]:
    """Finish the torn files of a recording (a file, or a folder of them), and write the folder's metadata.yaml.

    Files that are being written, and whole ones, are left as they are; one of which nothing can be read is removed when
    it is of no length.

    Returns:
        The files that were finished.

    Raises:
        OutlapError: nothing is there, or a file cannot be written; or one is not MCAP, and the others are whole now.
    """
    try:
        files = find_files(path)
        mended: list[Path] = []
        problems: dict[Path, OutlapError] = {}
        busy = False
        for file in files:
            with _unused(file) as torn:
                if torn is None:
                    busy = True
                elif not _is_whole(torn):
                    try:
                        _write_anew(file)
                    except OutlapError as error:
                        problems[file] = error
                    else:
                        mended.append(file)
        if path.is_dir() and not busy and (mended or not (path / METADATA).exists()):
            whole = [file for file in files if file.exists() and file not in problems]
            write_metadata(path, [_facts(Recording(file)) for file in whole])
    except OSError as error:
        raise OutlapError(f"cannot repair {error.filename or path}: {error.strerror or error}.") from error
    for error in problems.values():
        raise error
    return mended


def repair_all(out: Path) -> tuple[list[Path], list[str]]:
    """:func:`repair` for each recording's folder in ``out``: the files finished, and a sentence for what went wrong."""
    mended: list[Path] = []
    problems: list[str] = []
    for folder in sorted({file.parent for file in out.glob(f"*/*{SUFFIX}")}):
        try:
            mended += repair(folder)
        except OutlapError as error:
            problems.append(str(error))
    return mended, problems


@contextlib.contextmanager
def _unused(path: Path) -> Iterator[IO[bytes] | None]:
    """The file, opened and locked; None while somebody else writes it."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield file


def _is_whole(file: IO[bytes]) -> bool:
    """Whether the file ends with a footer and the magic bytes."""
    length = PREFIX.size + FOOTER + len(MAGIC)
    size = file.seek(0, 2)
    file.seek(max(size - length, 0))
    tail = file.read()
    return len(tail) == length and tail.endswith(MAGIC) and PREFIX.unpack_from(tail) == (Opcode.FOOTER, FOOTER)


def _write_anew(path: Path) -> None:
    """Write what can be read of a torn file to a whole one, which takes its place."""
    if path.stat().st_size == 0:
        path.unlink()
        return
    recording = Recording(path)
    place = path.with_name(path.name + NEW)
    place.unlink(missing_ok=True)
    try:
        tape = Tape(place, recording.metadata.get(OWN, {}), recording.attachments)
        for number, message in enumerate(recording.messages()):
            entry = Entry(message.topic, message.received, message.published, message.data)
            tape.add(entry, Kind(message.type, message.schema.data.decode(errors="replace")))
            if number % BATCH == 0:
                tape.flush()
        tape.finish()
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)


def _facts(recording: Recording) -> Facts:
    (path,) = recording.files
    counts = {name: topic.messages for name, topic in recording.topics.items()}
    types = {name: topic.type for name, topic in recording.topics.items()}
    return Facts(path, recording.begin, recording.end, counts, types)
