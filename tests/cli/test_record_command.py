"""``outlap record``: what it refuses, and how it finishes torn recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.recording.recorder import Limits, Recorder
from outlap.recording.tape import Entry, Kind


def test_without_a_graph_it_refuses_in_one_sentence(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "none")
    assert "ROS_DOMAIN_ID='none' is not a ROS domain" in refused("record", "--out", tmp_path)
    assert "there is no car named 'nosuch'" in refused("record", "--car", "nosuch")


def test_it_repairs_what_is_torn(outlap: Callable, refused: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    recorder = Recorder(folder, Limits(free_mib=0), {"/words": Kind("std_msgs/msg/String", "string data")})
    recorder.write([Entry("/words", 1, 1, b"")], 0.0)
    recorder.finish(0.0)
    path = folder / "drive_0.mcap"
    path.write_bytes(path.read_bytes()[:-3])
    assert outlap("record", "--repair", folder)[:2] == (0, f"{path} was torn and is whole now\n")
    assert outlap("record", "--repair", folder)[:2] == (0, f"{folder}: nothing was torn\n")
    assert "no such recording" in refused("record", "--repair", tmp_path / "nothing")
