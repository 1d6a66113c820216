"""A race in real Gazebo, by the same command as anywhere; it runs where Gazebo, its bridge and their messages are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.racing.result import Result

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("bridge")]


@pytest.mark.timeout(240)
def test_a_car_that_turns_as_told_drives_a_clean_lap_of_a_ring(
    ring_path: Path, constant_policy: Callable[[float, float], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not look: what is held is the way there and back, the car's turning circle and the race's course."""
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path))
    policy, out = constant_policy(1 / 1.2, 1.0), tmp_path / "out"
    call = "import sys; from outlap.cli.main import main; sys.exit(main())"
    words = [
        sys.executable,
        "-c",
        call,
        "race",
        str(policy),
        "--track",
        str(ring_path),
        "--laps",
        "1",
        "--out",
        str(out),
    ]
    done = subprocess.run([*words, "--simulator", "gazebo"], capture_output=True, text=True, timeout=230)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    result = Result.model_validate_json((out / "result.json").read_text())
    assert (result.simulator, result.completed, result.clean_laps) == ("gazebo", True, 1)
    assert result.frame_to_actuator_ms.count > 50
    for name in ("lap.png", "drive.mp4"):
        assert (out / name).stat().st_size > 10_000
