"""The quick recipe made tiny: every part of it, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlap.files import share_directory

TINY: dict[str, Any] = {
    "tracks": 2,
    "teacher": {
        "cars": 8, "iterations": 3, "head_start": 1, "beside": 1, "steps": 6, "hidden": [8], "epochs": 1,
        "minibatches": 2,
    },
    "student": {"frame_offsets": [0, 2], "channels": [4, 4], "hidden": 8},
    "distill": {
        "cars": 4, "steps": 8, "teacher_steps": 1, "mixed_steps": 3, "batches": 1, "final_batches": 5, "batch": 8,
        "iteration_steps": 3,
    },
    "validation": {"cars": 2, "tracks": ["oval"], "every": 2, "until_clean": 2, "last_cars": 6},
}  # fmt: skip


@pytest.fixture(scope="session")
def tiny() -> Callable[..., dict[str, Any]]:
    """``tiny(task={...}, …)``: the content of config/training/quick.yaml with small numbers and these changes."""

    def make(**changes: Any) -> dict[str, Any]:
        content = yaml.safe_load((share_directory() / "config" / "training" / "quick.yaml").read_text())
        for change in (TINY, changes):
            for key, value in change.items():
                content[key] = {**content[key], **value} if isinstance(value, dict) else value
        return content

    return make


@pytest.fixture
def tiny_file(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[..., Path]:
    """``tiny_file(**changes)``: the same as a file."""

    def make(**changes: Any) -> Path:
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(tiny(**changes)))
        return path

    return make
