"""Gazebo's car against Outlap's dynamics, by the program that users run; runs where Gazebo and its bridge are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "bench" / "gazebo_car.py"
GENTLE = 5.0  # m/s^2 to the side, up to which a tyre's side force still grows about with its slip


pytestmark = [pytest.mark.live, pytest.mark.usefixtures("bridge")]


@pytest.mark.timeout(400)
def test_it_corners_as_its_car_file_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path))
    done = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, timeout=390)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    found = json.loads(done.stdout.splitlines()[-1])
    for pad in found["skid_pad"]:
        gentle = pad["ours_too"] < GENTLE
        assert pad["curvature"] == pytest.approx(pad["ours"], rel=0.05 if gentle else 0.2), pad
        assert pad["acceleration"] == pytest.approx(pad["ours_too"], rel=0.06 if gentle else 0.25), pad
    for step in found["step_steer"]:
        assert step["rms"] < 0.08, step
        assert step["late"] < 0.06, step
    straight = found["straight"]
    assert straight["rise"] == pytest.approx(straight["ours"], abs=0.1)
    assert straight["stop"] == pytest.approx(straight["ours_too"], rel=0.2)
