"""``outlap inspect`` prints what stands in the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from outlap.cli.inspect import inspect
from outlap.errors import OutlapError
from outlap.policy.file import load_policy


def test_for_people(policy_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inspect(policy_path, car="deepracer")
    printed = capsys.readouterr().out
    assert load_policy(policy_path).digest in printed and "fits the car deepracer" in printed
    for value in ("32×20", "±3 1/m", "0.5 to 2 m/s", "30 per second", "test, seed 0"):
        assert value in printed


def test_for_programs(policy_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inspect(policy_path, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    policy = load_policy(policy_path)
    assert printed["digest"] == policy.digest
    assert printed["contract"] == policy.contract.model_dump(mode="json")


def test_a_damaged_file(policy_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(policy_path.read_bytes()[:-100])
    with pytest.raises(OutlapError, match="cut"):
        inspect(path)
