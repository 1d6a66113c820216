"""A recording keeps its limits, survives disks that are full, slow or gone, and other people's readers read it."""

from __future__ import annotations

import random
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from foreign_messages import IMAGE
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from mcap_ros2.writer import serialize_dynamic

from outlap.recording.read import Recording
from outlap.recording.recorder import MIB, Limits, Recorder
from outlap.recording.spool import Spool
from outlap.recording.tape import Entry, Kind

TEXT = "string data"
KINDS = {"/words": Kind("std_msgs/msg/String", TEXT), "/camera/image": Kind("sensor_msgs/msg/Image", IMAGE)}
SERIALIZE = serialize_dynamic("std_msgs/msg/String", TEXT)["std_msgs/msg/String"]
PLENTY = Limits(free_mib=0)


def words(number: int, length: int = 1000) -> Entry:
    """The message of number ``number``, hardly to be compressed."""
    noise = random.Random(number).randbytes(length // 2).hex()
    return Entry("/words", 10**18 + number * 10_000_000, 5 + number, SERIALIZE({"data": f"{number} {noise}"}))


def read(path: Path) -> list[int]:
    """The numbers in a file, as the reader of MCAP's authors sees it."""
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        assert reader.get_header().profile == "ros2"
        summary = reader.get_summary()
        assert summary is not None and summary.statistics is not None
        found = [int(decoded.data.split()[0]) for _, _, _, decoded in reader.iter_decoded_messages()]
        assert summary.statistics.message_count == len(found)
        return found


def bag(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "drive"
    path.mkdir()
    return path


def test_a_recording_is_read_by_others_and_described_for_ros2_bag(folder: Path) -> None:
    recorder = Recorder(folder, PLENTY, KINDS)
    recorder.describe({"car": "deepracer"}, 0.0)
    for number in range(100):
        recorder.write([words(number)], number / 100)
        if number % 30 == 0:
            recorder.flush(number / 100)
    recorder.describe({"policy_digest": "0af3"}, 1.0)
    recorder.finish(1.0)
    path = folder / "drive_0.mcap"
    assert read(path) == list(range(100))
    recording = Recording(folder)
    assert recording.metadata == {"outlap": {"car": "deepracer", "policy_digest": "0af3"}}
    assert [(m.received, m.published) for m in recording.messages()][3] == (10**18 + 30_000_000, 8)
    described = bag(folder)
    assert (described["version"], described["storage_identifier"], described["message_count"]) == (9, "mcap", 100)
    assert described["relative_file_paths"] == ["drive_0.mcap"]
    assert described["starting_time"]["nanoseconds_since_epoch"] == 10**18
    assert described["duration"]["nanoseconds"] == 990_000_000
    (topic,) = described["topics_with_message_count"]
    assert topic["topic_metadata"] == {
        "name": "/words",
        "type": "std_msgs/msg/String",
        "serialization_format": "cdr",
        "offered_qos_profiles": [],
        "type_description_hash": "",
    }
    assert (recorder.written, recorder.lost, recorder.removed) == (100, 0, 0)


def test_what_was_flushed_is_read_while_recording_goes_on(folder: Path) -> None:
    recorder = Recorder(folder, PLENTY, KINDS)
    recorder.write([words(number) for number in range(10)], 0.0)
    recorder.flush(0.1)
    recorder.write([words(10)], 0.2)
    assert Recording(folder).topics["/words"].messages == 10
    recorder.finish(0.3)
    assert Recording(folder).topics["/words"].messages == 11


@pytest.mark.parametrize("limits", [Limits(free_mib=0, file_mib=0.015), Limits(free_mib=0, file_minutes=0.2 / 60)])
def test_files_end_by_size_and_by_age(folder: Path, limits: Limits) -> None:
    recorder = Recorder(folder, limits, KINDS)
    for number in range(0, 100, 4):
        recorder.write([words(one) for one in range(number, number + 4)], number / 100)
        recorder.flush(number / 100)
    recorder.finish(1.0)
    recording = Recording(folder)
    assert 4 <= len(recording.files) <= 8
    assert [number for path in recording.files for number in read(path)] == list(range(100))
    assert bag(folder)["relative_file_paths"] == [path.name for path in recording.files]
    assert sum(file["message_count"] for file in bag(folder)["files"]) == 100


def test_the_oldest_files_go_when_the_budget_is_spent(folder: Path) -> None:
    other = folder.parent / "other.mcap"
    other.write_bytes(bytes(1000))
    recorder = Recorder(folder, Limits(free_mib=0, total_mib=0.1), KINDS)
    for number in range(0, 400, 8):
        recorder.write([words(one) for one in range(number, number + 8)], number / 100)
        recorder.flush(number / 100)
        assert sum(path.stat().st_size for path in folder.glob("*.mcap")) <= 0.1 * MIB + 12_000
    recorder.finish(4.0)
    kept = [number for path in Recording(folder).files for number in read(path)]
    assert kept == list(range(kept[0], 400))
    assert 100 < len(kept) < 250
    assert recorder.removed >= 3
    assert recorder.held == sum(path.stat().st_size for path in folder.glob("*.mcap"))
    assert bag(folder)["relative_file_paths"] == [path.name for path in Recording(folder).files]
    assert other.exists()


def test_it_pauses_while_the_disk_is_nearly_full_and_goes_on_when_there_is_room(folder: Path) -> None:
    free = [200.0]  # MiB
    recorder = Recorder(folder, Limits(free_mib=100), KINDS, lambda path: round(free[0] * MIB))
    for number in range(100):
        free[0] = {20: 99.0, 60: 103.0, 80: 106.0}.get(number, free[0])
        recorder.write([words(number)], number / 100)
        recorder.flush(number / 100)
        assert bool(recorder.paused) == (20 <= number < 80)
        if recorder.paused:
            assert f"the disk of {folder} has only {free[0]:.0f} MiB left, 100 are kept free" in recorder.paused
            assert len(read(folder / "drive_0.mcap")) == 21  # finished, not only cut off
    recorder.finish(1.0)
    first, second = Recording(folder).files
    assert read(first) == list(range(21))
    assert read(second) == list(range(80, 100))
    assert (recorder.written, recorder.lost) == (41, 59)


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """``full_disk(bytes)``: no file of this process may become larger; the kernel refuses as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size if size >= 0 else soft, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more_costs_nothing_that_was_recorded(
    folder: Path, full_disk: Callable[[int], None]
) -> None:
    recorder = Recorder(folder, PLENTY, KINDS)
    for number in range(10):
        recorder.write([words(number)], 0.0)
        recorder.flush(0.0)
    full_disk((folder / "drive_0.mcap").stat().st_size + 300)
    recorder.write([words(10)], 1.0)
    recorder.flush(1.0)
    assert "cannot write to" in recorder.paused
    recorder.write([words(11)], 2.0)
    recorder.flush(2.0)
    assert recorder.lost == 1
    assert Recording(folder).topics["/words"].messages == 10
    full_disk(-1)
    recorder.write([words(12)], 7.0)
    assert recorder.paused == ""
    recorder.finish(8.0)
    assert [read(path) for path in Recording(folder).files] == [list(range(10)), [12]]  # the torn one was finished
    assert bag(folder)["message_count"] == 11


def test_a_disk_that_takes_nothing_leaves_nothing_behind(folder: Path, full_disk: Callable[[int], None]) -> None:
    recorder = Recorder(folder, PLENTY, KINDS)
    full_disk(5)
    for second in range(12):
        recorder.write([words(second)], second)
        recorder.flush(second)
    assert "cannot write to" in recorder.paused
    full_disk(-1)
    recorder.finish(20.0)
    assert recorder.lost == 12
    assert not folder.exists()


def test_a_folder_that_is_removed_meanwhile_is_told_of(folder: Path) -> None:
    recorder = Recorder(folder, Limits(free_mib=0, file_mib=0.005), KINDS)
    for number in range(10):
        recorder.write([words(number)], number)
        recorder.flush(number)
    shutil.rmtree(folder)
    for number in range(10, 20):
        recorder.write([words(number)], number)
        recorder.flush(number)
    assert "No such file" in recorder.paused
    assert recorder.lost > 0
    recorder.finish(20.0)


def test_a_slow_disk_never_makes_anybody_wait(folder: Path) -> None:
    slow = threading.Event()

    def free(path: Path) -> int:
        slow.wait(30)
        return 10**12

    spool = Spool(Recorder(folder, Limits(free_mib=1), KINDS, free), 20_000)
    sent, longest = 0, 0.0
    for number in range(100):
        begin = time.monotonic()
        spool.put(words(number))
        longest = max(longest, time.monotonic() - begin)
        sent += 1
        time.sleep(0.002)
    status = spool.status()
    assert longest < 5  # s; the disk is blocked for good
    assert status.waiting <= 20_000
    assert 50 < status.dropped < sent
    assert status.messages == 0
    slow.set()
    assert spool.close()
    assert spool.status().messages + status.dropped == sent
    (path,) = Recording(folder).files
    assert read(path) == list(range(sent - status.dropped))


def test_a_fault_of_our_own_is_told_and_not_hidden(folder: Path) -> None:
    spool = Spool(Recorder(folder, PLENTY, KINDS), 10**6)
    spool.put(words(0)._replace(topic="/unknown"))
    end = time.monotonic() + 30
    while not spool.status().paused and time.monotonic() < end:
        time.sleep(0.01)
    assert "recording broke off: KeyError" in spool.status().paused
    assert not spool.close()


def test_an_empty_recording_leaves_no_folder(folder: Path) -> None:
    spool = Spool(Recorder(folder, PLENTY, KINDS), 10**6)
    assert spool.close()
    assert not folder.exists()
