"""Recordings by anybody are read, finished or torn; what is no recording is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from foreign_messages import plain
from mcap.opcode import Opcode
from mcap.writer import CompressionType

from outlap.errors import OutlapError
from outlap.recording import records
from outlap.recording.read import Recording
from outlap.recording.records import MAGIC, PREFIX, read_records

IMAGE = "sensor_msgs/msg/Image"
Foreign = Callable[..., Path]
PIXELS = np.random.default_rng(0).integers(0, 256, (16, 20), np.uint8)


def drive(messages: int) -> list[tuple[str, str, dict]]:
    return [("/camera/image", IMAGE, plain(row / 30, PIXELS, "mono8")) for row in range(messages)]


@pytest.mark.parametrize("compression", list(CompressionType))
def test_every_message_is_read_whatever_the_compression(foreign: Foreign, compression: CompressionType) -> None:
    recording = Recording(foreign(drive(200), compression=compression, chunk_size=5_000))
    assert recording.topics == {"/camera/image": (IMAGE, 200)}
    assert (recording.begin, recording.end) == (1_000_000_000, 2_990_000_000)
    assert recording.problems == []
    for row, message in enumerate(recording.messages()):
        content = recording.decode(message)
        assert (content.header.stamp.sec, content.data) == (row // 30, PIXELS.tobytes())


def test_a_file_torn_at_any_byte_is_read_up_to_its_last_whole_chunk(foreign: Foreign, tmp_path: Path) -> None:
    content = foreign(drive(60), chunk_size=4_000).read_bytes()
    torn = tmp_path / "torn.mcap"
    torn.write_bytes(content)
    with torn.open("rb") as file:
        chunks = [record.end for record in read_records(torn, file) if record.opcode == Opcode.CHUNK]
    assert len(chunks) >= 5
    per_chunk = [message.received for message in Recording(torn).messages()]
    counts = set()
    for length in sorted({*range(len(MAGIC), len(content), 37), *chunks, *(end - 1 for end in chunks)}):
        torn.write_bytes(content[:length])
        whole = sum(end <= length for end in chunks)
        seen = [message.received for message in Recording(torn).messages()]
        assert seen == per_chunk[: len(seen)]
        counts.add((whole, len(seen)))
    assert len(counts) == len(chunks) + 1  # as many messages as the whole chunks hold, wherever it is torn
    assert max(counts) == (len(chunks), 60)


def test_zeros_behind_the_last_record_end_the_file(foreign: Foreign) -> None:
    path = foreign(drive(60), chunk_size=4_000)
    with path.open("rb") as file:
        last = [record for record in read_records(path, file) if record.opcode == Opcode.CHUNK][-1]
    path.write_bytes(path.read_bytes()[: last.end] + bytes(4096))
    assert Recording(path).topics["/camera/image"].messages == 60


def test_a_damaged_chunk_is_left_out_and_told_of(foreign: Foreign) -> None:
    path = foreign(drive(60), chunk_size=4_000, compression=CompressionType.NONE)
    content = bytearray(path.read_bytes())
    with path.open("rb") as file:
        first, second, *_ = (record for record in read_records(path, file) if record.opcode == Opcode.CHUNK)
    content[second.end - 100] ^= 1
    path.write_bytes(content)
    recording = Recording(path)
    assert 0 < recording.topics["/camera/image"].messages < 60
    assert recording.problems == [f"{path}: a chunk with a wrong checksum at byte {second.offset} is left out."]
    assert first.end < second.offset


def test_no_flipped_byte_is_more_than_a_problem(foreign: Foreign) -> None:
    path = foreign(drive(12), chunk_size=2_000)
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(150):
        broken = bytearray(content)
        for place in rng.integers(len(MAGIC), len(content), rng.integers(1, 5)):
            broken[place] = rng.integers(256)
        path.write_bytes(broken)
        recording = Recording(path)
        for message in recording.messages():
            try:
                recording.decode(message)
            except OutlapError as error:
                assert "cannot be decoded" in str(error)


@pytest.mark.parametrize("compression", [CompressionType.ZSTD, CompressionType.LZ4])
def test_a_chunk_that_would_fill_the_memory_is_left_out(
    foreign: Foreign, compression: CompressionType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "LARGEST", 100_000)
    flat = plain(0.0, np.zeros((1000, 1000), np.uint8), "mono8")
    path = foreign([("/camera/image", IMAGE, flat)], compression=compression, chunk_size=10_000_000)
    assert path.stat().st_size < 100_000
    recording = Recording(path)
    assert recording.topics == {}
    assert "a chunk of over" in recording.problems[0]


def test_a_folder_is_read_in_the_order_of_its_numbers(foreign: Foreign, tmp_path: Path) -> None:
    for number in (10, 2, 1):
        foreign(drive(number), name=f"bag/bag_{number}.mcap")
    recording = Recording(tmp_path / "bag")
    assert [path.name for path in recording.files] == ["bag_1.mcap", "bag_2.mcap", "bag_10.mcap"]
    assert recording.topics["/camera/image"].messages == 13


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such recording"),
        (b"", "not an MCAP file"),
        (b"\x89MCAP", "not an MCAP file"),
        (b"SQLite format 3\0" * 10, "not an MCAP file"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "drive.mcap"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OutlapError, match=words):
        Recording(path)


def test_a_folder_of_recordings_says_which_to_give(foreign: Foreign, tmp_path: Path) -> None:
    foreign(drive(1), name="all/first/first_0.mcap")
    with pytest.raises(OutlapError, match=r"no recording .* is in this folder: give one of .*all/first\."):
        Recording(tmp_path / "all")


def test_a_message_before_its_channel_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "drive.mcap"
    path.write_bytes(MAGIC + PREFIX.pack(Opcode.MESSAGE, 30) + bytes(30) + PREFIX.pack(Opcode.MESSAGE, 3) + bytes(3))
    recording = Recording(path)
    assert recording.topics == {}
    assert len(recording.problems) == 2
