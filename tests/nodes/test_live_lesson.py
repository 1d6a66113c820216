"""A finished run's student learns on in a live graph: it drives, is put back, is exchanged, and the lesson ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from outlap_nodes.shared.messages import CURRENT, RECORD

from outlap.policy.file import load_policy
from outlap.vehicle.car import Car

pytestmark = pytest.mark.live

MINUTES = 0.1  # of driving
PATIENCE = 150.0  # s; the first start on a machine compiles


def told(heard: list[DiagnosticArray], node: str, key: str) -> str:
    """The newest value under ``key`` of a node's status."""
    for array in reversed(heard):
        for status in array.status:
            if status.name == node:
                return next((value.value for value in status.values if value.key == key), "")
    return ""


@pytest.mark.timeout(300)
def test_a_student_learns_on_as_it_drives(
    probe: Any, start: Callable[..., Any], finished_run: Path, ring_path: Path, car: Car, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished_run, out)
    first = load_policy(out / "policy.onnx").digest
    health: list[DiagnosticArray] = probe.listen(DiagnosticArray, "/diagnostics", RECORD)
    status: list[DiagnosticArray] = probe.listen(DiagnosticArray, "/trainer/status", CURRENT)
    policy, simulated = out / "live" / "driving.onnx", {"use_sim_time": True}
    trainer = start("trainer", out=out, live=True, track=ring_path, minutes=MINUTES)
    for name, parameters in (
        ("simulator", {"track": ring_path, "rate": 60.0}),
        ("camera", simulated),
        ("policy", {**simulated, "policy": policy, "exchange": "now"}),
        ("motor", simulated),
        ("referee", {"track": ring_path, "policy": policy, "laps": 0}),
    ):
        start(name, **parameters)
    probe.until(lambda: told(health, "policy", "digest") == first, "the run's student driving", PATIENCE)
    probe.until(lambda: told(status, "trainer", "stage") == "live", "the lesson", PATIENCE)
    assert trainer.process.wait(PATIENCE) == 0, trainer.said
    assert "Traceback" not in trainer.said
    summary = json.loads((out / "live" / "summary.json").read_text())
    assert summary["driven_minutes"] >= MINUTES
    assert summary["pictures_learned_from"] > 0
    assert summary["gradient_steps"] > 0
    assert load_policy(out / "policy.onnx").digest == first
    assert load_policy(out / "live" / "policy.onnx", car=car).contract.car == car.name
