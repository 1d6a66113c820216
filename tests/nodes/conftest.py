"""What tests of the trainer's node need; the graph itself is tests/live_graph.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def training(tiny_file: Callable[..., Path]) -> Callable[..., Path]:
    """``training(steps=8)``: a training file that takes seconds, or as long as the student has steps to drive."""
    return lambda steps=8: tiny_file(distill={"steps": steps})
