"""``outlap replay``: its words, its files, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mcap_ros2.writer import serialize_dynamic

from outlap.recording.recorder import Limits, Recorder
from outlap.recording.tape import Entry, Kind
from outlap.vehicle.car import Car, car_file

TIME = "MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec"
HEADER = f"MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n{'=' * 80}\n{TIME}"
KINDS = {
    "/camera/image": Kind(
        "sensor_msgs/msg/Image",
        "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\nuint32 step\n"
        f"uint8[] data\n{'=' * 80}\n{HEADER}",
    ),
    "/motor/state": Kind(
        "sensor_msgs/msg/JointState",
        "std_msgs/Header header\nstring[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort\n"
        f"{'=' * 80}\n{HEADER}",
    ),
}


@pytest.fixture
def recorded(tmp_path: Path, car: Car) -> Path:
    """Two seconds at 1 m/s on a curvature of 0.5, seen as noise."""
    folder = tmp_path / "drive"
    folder.mkdir()
    recorder = Recorder(folder, Limits(free_mib=0), KINDS)
    recorder.describe({"car_file": car_file("deepracer").read_text(), "policy_digest": "ab" * 32}, 0.0)
    write = {topic: serialize_dynamic(kind.type, kind.definition)[kind.type] for topic, kind in KINDS.items()}
    rng = np.random.default_rng(0)
    for row in range(60):
        at = round(row / 30 * 1e9)
        header = {"stamp": {"sec": at // 10**9, "nanosec": at % 10**9}, "frame_id": "x"}
        pixels = rng.integers(0, 256, 48 * 80, np.uint8).tobytes()
        image = {"height": 48, "width": 80, "encoding": "mono8", "is_bigendian": 0, "step": 80, "data": pixels}
        state = {"name": [], "position": [car.steering_angle(0.5), 0.0], "velocity": [0.0, car.wheel_speed(1.0)]}
        entries = [
            Entry("/camera/image", 10**9 + at, 0, write["/camera/image"]({"header": header} | image)),
            Entry("/motor/state", 10**9 + at + 5_000_000, 0, write["/motor/state"]({"header": header} | state)),
        ]
        recorder.write(entries, row / 30)
    recorder.finish(2.0)
    return folder


@pytest.mark.slow
def test_it_tells_shows_and_writes(
    outlap: Callable, constant_policy: Callable[..., Path], recorded: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    policy = constant_policy(0.8, 1.5)
    code, stdout, stderr = outlap("replay", recorded, "--policy", policy, "--out", out)
    assert code == 0, stderr
    assert "60 pictures on /camera/image, the car deepracer" in stdout
    assert "recorded while another policy (abababab) was loaded" in stdout
    assert "differs by 0.300 1/m (rms" in stdout
    assert "+0.50" in stdout and "+0.80" in stdout
    content = json.loads((out / "replay.json").read_text())
    assert content["curvature_rms"] == pytest.approx(0.3, rel=1e-4)
    assert content["worst"][0]["curvature"] == pytest.approx([0.5, 0.8], rel=1e-4)
    for name in ("replay.png", "worst.png"):
        picture = cv2.imread(str(out / name))
        assert picture is not None and picture.std() > 10
    film = cv2.VideoCapture(str(out / "replay.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 60


def test_it_refuses_in_one_sentence(
    refused: Callable[..., str], constant_policy: Callable[..., Path], recorded: Path, tmp_path: Path
) -> None:
    policy, out = constant_policy(0.8, 1.5), tmp_path / "out"
    assert "no such recording" in refused("replay", tmp_path / "nothing", "--policy", policy, "--out", out)
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"x")
    assert "bad.onnx is not a policy file" in refused("replay", recorded, "--policy", bad, "--out", out)
    assert "no pictures on /camera/image_raw/compressed" in refused(
        "replay", recorded, "--policy", policy, "--raw", "--out", out
    )
    assert "there is no car named" in refused("replay", recorded, "--policy", policy, "--car", "x", "--out", out)
    (tmp_path / "file").write_text("")
    assert "cannot write to" in refused("replay", recorded, "--policy", policy, "--out", tmp_path / "file" / "x")
