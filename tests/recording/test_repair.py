"""What a crash leaves behind is read as it is, and made whole; nothing else is touched."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from mcap.reader import make_reader

from outlap.errors import OutlapError
from outlap.recording.bag import make_folder
from outlap.recording.read import Recording
from outlap.recording.recorder import Limits, Recorder
from outlap.recording.repair import repair, repair_all
from outlap.recording.tape import Entry, Kind

KINDS = {"/words": Kind("std_msgs/msg/String", "string data")}
WRITER = """
import sys, time
from pathlib import Path
from outlap.recording.recorder import Limits, Recorder
from outlap.recording.spool import Spool
from outlap.recording.tape import Entry, Kind
kinds = {"/t": Kind("std_msgs/msg/String", "string data")}
spool = Spool(Recorder(Path(sys.argv[1]), Limits(free_mib=0), kinds), 10**7)
number = 0
while True:
    spool.put(Entry("/t", time.monotonic_ns(), 0, bytes(400)))
    number += 1
    print(number, flush=True)
    time.sleep(0.01)
"""


def count(path: Path) -> int:
    """Messages in a whole file, by the independent reader's index."""
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None and summary.statistics is not None
        messages = list(reader.iter_messages())
        assert summary.statistics.message_count == len(messages)
        return len(messages)


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[str, int], Path]:
    """``recorded(name, flushes)``: a folder with one whole file of so many flushes of ten messages."""

    def make(name: str, flushes: int) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        recorder = Recorder(folder, Limits(free_mib=0), KINDS)
        recorder.describe({"car": "mine"}, 0.0)
        for flush in range(flushes):
            recorder.write([Entry("/words", 1 + flush * 10 + row, 7, bytes(100)) for row in range(10)], 0.0)
            recorder.flush(0.0)
        recorder.finish(0.0)
        return folder

    return make


def test_a_torn_file_becomes_whole_wherever_it_was_cut(recorded: Callable[[str, int], Path]) -> None:
    folder = recorded("drive", 4)
    path = folder / "drive_0.mcap"
    content = path.read_bytes()
    kept = set()
    for length in range(8, len(content), 157):
        path.write_bytes(content[:length])
        before = sum(topic.messages for topic in Recording(path).topics.values())
        assert before % 10 == 0
        assert repair(folder) == [path]
        assert count(path) == before
        bag = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
        assert (bag["message_count"], bag["relative_file_paths"]) == (before, ["drive_0.mcap"])
        if before:
            assert Recording(path).metadata["outlap"]["car"] == "mine"
            assert next(iter(Recording(path).messages())).published == 7
        kept.add(before)
    assert kept == {0, 10, 20, 30, 40}
    assert [file.name for file in sorted(folder.iterdir())] == ["drive_0.mcap", "metadata.yaml"]


def test_whole_files_and_those_being_written_are_left_alone(recorded: Callable[[str, int], Path]) -> None:
    whole = recorded("whole", 3)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in whole.iterdir()}
    assert repair(whole) == []
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in whole.iterdir()} == before
    folder = whole.parent / "busy"
    folder.mkdir()
    recorder = Recorder(folder, Limits(free_mib=0), KINDS)
    recorder.write([Entry("/words", 1, 1, bytes(10))], 0.0)
    recorder.flush(0.0)
    content = (folder / "busy_0.mcap").read_bytes()
    assert repair_all(whole.parent) == ([], [])
    assert (folder / "busy_0.mcap").read_bytes() == content
    recorder.finish(1.0)
    assert count(folder / "busy_0.mcap") == 1


def test_one_bad_recording_does_not_keep_others_from_being_repaired(recorded: Callable[[str, int], Path]) -> None:
    good, bad, empty = recorded("a", 2), recorded("b", 2), recorded("c", 2)
    torn = good / "a_0.mcap"
    torn.write_bytes(torn.read_bytes()[:-5])
    (bad / "b_0.mcap").write_bytes(b"something else")
    (empty / "c_0.mcap").write_bytes(b"")
    mended, problems = repair_all(good.parent)
    assert mended == [torn, empty / "c_0.mcap"]
    (problem,) = problems
    assert "b_0.mcap: not an MCAP file" in problem
    assert not (empty / "c_0.mcap").exists()
    with pytest.raises(OutlapError, match="no such recording"):
        repair(good / "nothing")


def test_a_file_of_zeros_spoils_nothing_but_itself(recorded: Callable[[str, int], Path]) -> None:
    """As a power cut may leave the newest file of several."""
    folder = recorded("drive", 3)
    torn, zeros = folder / "drive_0.mcap", folder / "drive_1.mcap"
    torn.write_bytes(torn.read_bytes()[:-20])
    zeros.write_bytes(bytes(4096))
    recording = Recording(folder)
    assert recording.topics["/words"].messages == 30
    assert "drive_1.mcap: not an MCAP file" in recording.problems[0]
    with pytest.raises(OutlapError, match=r"drive_1\.mcap: not an MCAP file"):
        repair(folder)
    assert count(torn) == 30
    bag = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert bag["relative_file_paths"] == ["drive_0.mcap"]
    assert zeros.exists()


@pytest.mark.slow
def test_a_recorder_that_is_killed_loses_less_than_the_last_second(tmp_path: Path) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        times = []
        while len(times) < 150:
            process.stdout.readline()
            times.append(time.monotonic())
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic_ns()
    finally:
        process.kill()
        process.wait()
    last = [message.received for message in Recording(folder).messages()][-1]
    print(f"lost {(killed - last) / 1e9:.3f} s")
    assert killed - last < 1_000_000_000
    path = folder / "drive_0.mcap"
    seen = Recording(path).topics["/t"].messages
    assert repair(folder) == [path]
    assert count(path) == seen


def test_recordings_of_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    names = [make_folder(tmp_path, datetime(2026, 1, 2, 3, 4, 5)).name for _ in range(3)]
    assert names == ["drive_2026-01-02_03-04-05", "drive_2026-01-02_03-04-05_2", "drive_2026-01-02_03-04-05_3"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutlapError, match="cannot write to"):
        make_folder(tmp_path / "file", datetime(2026, 1, 2))
