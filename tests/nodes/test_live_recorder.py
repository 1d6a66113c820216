"""The recorder node on a real graph: what was sent is on the disk, whatever becomes of disk and process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from outlap_nodes.recorder import TOPICS as RECORDED
from outlap_nodes.shared.messages import RECORD, to_image, to_time
from outlap_nodes.shared.statuses import PolicyStatus
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image

from outlap.launching.domain import Domain
from outlap.launching.environment import ros_environment
from outlap.recording.images import RAW_TOPIC, VIEW_TOPIC, read_images
from outlap.recording.read import Recording
from outlap.recording.repair import repair
from outlap.vehicle.car import car_file

pytestmark = pytest.mark.live

DIGEST = "ab" * 32
COUNT = 60  # messages
CAR = car_file("deepracer").resolve()
TOPICS = {f"/{topic.name}": topic for topic in RECORDED}


class Drive:
    """A probe in the place of a whole car: it publishes on every topic that is recorded."""

    def __init__(self, probe: Any) -> None:
        self.probe = probe
        self.diagnostics: list[DiagnosticArray] = probe.listen(DiagnosticArray, "/diagnostics", RECORD)
        self.publishers = {name: topic.publisher(probe.node) for name, topic in TOPICS.items()}
        self.sent: dict[str, list[Any]] = {topic: [] for topic in TOPICS}

    def until_heard(self, but: tuple[str, ...] = ()) -> None:
        """Wait for the recorder to listen everywhere."""
        wanted = [publisher for topic, publisher in self.publishers.items() if topic not in but]
        own = {"/diagnostics": 2}  # the probe listens there itself
        self.probe.until(
            lambda: all(p.get_subscription_count() >= own.get(p.topic_name, 1) for p in wanted),
            "the recorder listening",
        )

    def warm_up(self) -> None:
        """The first messages may be lost: the recorder finds the publishers later than they find it."""
        for _ in range(10):
            self.send(255)
            self.probe.spin(0.1)

    def send(self, number: int) -> None:
        for topic in TOPICS:
            message = self._message(TOPICS[topic].type, number)
            self.sent[topic].append(message)
            self.publishers[topic].publish(message)

    def status(self) -> tuple[bytes, str]:
        found = [status for array in self.diagnostics for status in array.status if status.name == "recorder"]
        return (found[-1].level, found[-1].message) if found else (b"", "")

    def _message(self, kind: type, number: int) -> Any:
        stamp = to_time(100 + number / 50)
        if kind is Image:
            return to_image(stamp, "camera_optical_frame", np.full((48, 80), number % 256, np.uint8))
        if kind is DiagnosticArray:
            values = PolicyStatus(rate_hz=30.0, inference_ms=1.0, digest=DIGEST).texts()
            status = DiagnosticStatus(name="policy", message="driving", values=values)
            return DiagnosticArray(status=[status])
        message = kind()
        message.header.stamp = stamp
        if kind is TwistStamped:
            message.twist.linear.x = float(number)
        if kind is CompressedImage:
            message.format, message.data = "jpeg", bytes(range(200))
        return message


@pytest.fixture
def drive(probe: Any) -> Drive:
    return Drive(probe)


def recorded(recording: Recording, topic: str) -> list[Any]:
    """What is recorded of a topic, as ROS itself reads it."""
    return [deserialize_message(message.data, TOPICS[topic].type) for message in recording.messages((topic,))]


def one_folder(out: Path) -> Path:
    (folder,) = out.iterdir()
    return folder


def test_all_that_was_sent_is_recorded_as_it_was(start: Callable[..., Any], drive: Drive, tmp_path: Path) -> None:
    recorder = start("recorder", out=tmp_path / "out", raw=True, car="deepracer")
    drive.until_heard()
    drive.warm_up()
    for number in range(COUNT):
        drive.send(number)
        drive.probe.spin(0.02)
    drive.probe.until(lambda: drive.status()[1] == "recording", "the recorder saying that it records")
    assert recorder.stop() == 0
    folder = one_folder(tmp_path / "out")
    recording = Recording(folder)
    assert recording.problems == []
    assert recording.metadata["outlap"]["policy_digest"] == DIGEST
    assert recording.metadata["outlap"]["car_file"] == CAR.read_text()
    for topic, sent in drive.sent.items():
        found = recorded(recording, topic)
        if topic == "/diagnostics":  # the recorder speaks there, too
            found = [message for message in found if message.status[0].name != "recorder"]
        assert found[-COUNT:] == sent[-COUNT:], topic
    counted: Counter[str] = Counter()
    speeds: list[float] = []
    (path,) = recording.files
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        for schema, channel, message, decoded in reader.iter_decoded_messages():
            assert schema is not None
            assert (channel.message_encoding, schema.encoding) == ("cdr", "ros2msg")
            assert abs(message.publish_time - message.log_time) < 5e9
            if channel.topic == "/cmd_vel":
                speeds.append(decoded.twist.linear.x)
            counted[channel.topic] += 1
    assert set(counted) == set(TOPICS)
    assert all(count >= COUNT for count in counted.values())
    assert speeds[-COUNT:] == list(range(COUNT))
    stamps = [picture.stamp for picture in read_images(recording, VIEW_TOPIC)]
    assert stamps[-COUNT:] == [100_000_000_000 + number * 20_000_000 for number in range(COUNT)]


def test_a_killed_recorder_loses_at_most_a_second_and_the_next_one_repairs(
    start: Callable[..., Any], drive: Drive, tmp_path: Path
) -> None:
    recorder = start("recorder", out=tmp_path / "out")
    drive.until_heard(but=(RAW_TOPIC,))
    times: list[float] = []
    while len(times) < 100:
        times.append(time.monotonic())
        drive.send(len(times))
        drive.probe.spin(0.02)
    recorder.process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    recorder.process.wait()
    folder = one_folder(tmp_path / "out")
    due = sum(moment < killed - 1 for moment in times)
    kept = recorded(Recording(folder), "/cmd_vel")
    print(f"{len(times) - len(kept)} of {len(times)} commands lost, the last {killed - times[len(kept) - 1]:.2f} s")
    sent = drive.sent["/cmd_vel"]
    first = sent.index(kept[0])
    assert first < 20
    assert kept == sent[first : first + len(kept)]
    assert first + len(kept) >= due
    again = start("recorder", out=tmp_path / "out")
    drive.probe.until(lambda: "was torn and is whole now" in again.said, "the repair")
    assert repair(folder) == []
    assert (folder / "metadata.yaml").exists()
    assert recorded(Recording(folder), "/cmd_vel") == kept


def test_without_raw_nobody_makes_the_camera_compress(start: Callable[..., Any], drive: Drive, tmp_path: Path) -> None:
    start("recorder", out=tmp_path / "out")
    drive.until_heard(but=(RAW_TOPIC,))
    drive.probe.spin(0.3)
    assert drive.publishers[RAW_TOPIC].get_subscription_count() == 0


def test_a_disk_that_is_nearly_full_pauses_it_and_says_so(
    start: Callable[..., Any], drive: Drive, tmp_path: Path
) -> None:
    recorder = start("recorder", out=tmp_path / "out", free_mib=9e8)
    drive.until_heard(but=(RAW_TOPIC,))
    drive.send(0)
    drive.probe.until(lambda: drive.status()[0] == DiagnosticStatus.ERROR, "an error on /diagnostics")
    assert drive.status()[1].startswith("not recording: the disk of ")
    assert "900000000 are kept free" in drive.status()[1]
    assert recorder.process.poll() is None
    assert recorder.stop() == 0
    assert not any((tmp_path / "out").iterdir())


def test_files_follow_one_another(start: Callable[..., Any], drive: Drive, tmp_path: Path) -> None:
    recorder = start("recorder", out=tmp_path / "out", file_minutes=0.5 / 60, seconds=3.0)
    drive.until_heard(but=(RAW_TOPIC,))
    for number in range(500):
        if recorder.process.poll() is not None:
            break
        drive.send(number)
        drive.probe.spin(0.02)
    assert recorder.wait() == 0
    recording = Recording(one_folder(tmp_path / "out"))
    assert len(recording.files) >= 2
    found = recorded(recording, "/cmd_vel")
    first = drive.sent["/cmd_vel"].index(found[0])
    assert found == drive.sent["/cmd_vel"][first : first + len(found)]


def test_what_makes_no_sense_is_refused(start: Callable[..., Any], tmp_path: Path) -> None:
    wrong = (
        ({"total_mib": -1.0}, "total_mib"),
        ({"car": "nosuch"}, "there is no car named 'nosuch'"),
        ({"out": "/proc/recordings"}, "cannot write to /proc/recordings"),
    )
    started = [(start("recorder", **({"out": tmp_path / "out"} | parameters)), words) for parameters, words in wrong]
    for recorder, words in started:
        assert recorder.wait() == 2
        assert words in recorder.said
        assert "Traceback" not in recorder.said


def record(domain: Domain, folder: Path, *words: object) -> subprocess.Popen[str]:
    """``outlap record`` in a process of its own."""
    environment = ros_environment(domain.id) | {"ROS_LOG_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "outlap.cli.main", "record", "--out", str(folder / "out"), *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_records_the_running_graph_and_sums_up(
    start: Callable[..., Any], drive: Drive, domain: Domain, tmp_path: Path
) -> None:
    start("motor", use_sim_time=False)
    process = record(domain, tmp_path, "--seconds", 4)
    while process.poll() is None:
        drive.send(0)
        drive.probe.spin(0.05)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    folder = one_folder(tmp_path / "out")
    assert f"{folder}: 0:0" in stdout
    recording = Recording(folder)
    assert recording.topics["/motor/state"].messages > 5
    assert recording.metadata["outlap"]["car"] == str(CAR)  # as the motor says
    assert recording.metadata["outlap"]["car_file"] == CAR.read_text()


def test_ctrl_c_ends_the_command_well(domain: Domain, drive: Drive, tmp_path: Path) -> None:
    process = record(domain, tmp_path)
    drive.until_heard(but=(RAW_TOPIC,))
    drive.send(0)
    drive.probe.spin(0.5)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 0, stderr
    assert "messages on" in stdout
    assert "Traceback" not in stderr


def test_a_graph_without_a_car_is_told_of(domain: Domain, tmp_path: Path) -> None:
    process = record(domain, tmp_path, "--seconds", 2)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1, stderr
    assert "nothing of a car was recorded" in stdout
