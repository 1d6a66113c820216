"""The definitions that a recording carries are complete, from wherever ROS lies."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from mcap.records import Schema
from mcap_ros2.decoder import DecoderFactory

from outlap.errors import OutlapError
from outlap.recording.definitions import full_definition


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An installation of two packages."""
    for package, name, text in (
        ("a_msgs", "Whole", "# Comment with a_msgs/Ghost in it\nint32 ONE=1\nPart part\nb_msgs/Other[2] others\n"),
        ("a_msgs", "Part", "string<=10 text\nb_msgs/Other[<=3] others\n"),
        ("b_msgs", "Other", "float64[] values\nstring[<=4] names  # Part of it\n"),
    ):
        folder = tmp_path / "share" / package / "msg"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.msg").write_text(text)
    return tmp_path


def test_a_definition_holds_all_that_it_needs_once(prefix: Path) -> None:
    text = full_definition("a_msgs/msg/Whole", [prefix / "elsewhere", prefix])
    parts = text.split("=" * 80 + "\n")
    assert parts[0].startswith("# Comment")
    assert [part.split("\n")[0] for part in parts[1:]] == ["MSG: a_msgs/Part", "MSG: b_msgs/Other"]


def test_what_is_not_installed_is_named(prefix: Path) -> None:
    (prefix / "share" / "b_msgs" / "msg" / "Other.msg").unlink()
    with pytest.raises(OutlapError, match=r"of b_msgs/msg/Other .* is not below .*: install ROS's package b_msgs"):
        full_definition("a_msgs/msg/Whole", [prefix])


@pytest.mark.skipif(importlib.util.find_spec("rclpy") is None, reason="ROS is not installed")
@pytest.mark.parametrize(
    "name",
    [
        "sensor_msgs/msg/Image",
        "sensor_msgs/msg/CameraInfo",
        "sensor_msgs/msg/Joy",
        "nav_msgs/msg/Odometry",
        "diagnostic_msgs/msg/DiagnosticArray",
        "geometry_msgs/msg/TwistStamped",
    ],
)
def test_ros_s_own_are_understood_by_an_independent_decoder(name: str) -> None:
    text = full_definition(name, [Path(sys.prefix), Path("/opt/ros/jazzy")])
    assert DecoderFactory().decoder_for("cdr", Schema(1, text.encode(), "ros2msg", name)) is not None
