"""Launch files made of tiny real processes, run by the real runner in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RUN = """
import sys
from pathlib import Path
from outlap.errors import OutlapError
from outlap.launching.runner import run_launch_file
try:
    sys.exit(run_launch_file(Path(sys.argv[1]), dict(word.split(":=", 1) for word in sys.argv[2:])))
except OutlapError as error:
    sys.exit(f"error: {error}")
"""


@pytest.fixture
def python() -> Callable[[str], str]:
    """``python(code)`` is a ``cmd`` attribute that runs a line of Python (which must hold no single quote)."""

    def python(code: str) -> str:
        escaped = code.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        return f"cmd=\"python -u -c '{escaped}'\""

    return python


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write(body, name="x")`` writes a launch file with that body and returns its path."""

    def write(body: str, name: str = "x") -> Path:
        path = tmp_path / f"{name}.launch.xml"
        path.write_text(f"<launch>\n{body}\n</launch>\n")
        return path

    return write


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """``start(path, "name:=value", …)`` starts the runner in a process of its own, its output in pipes."""

    def start(path: Path, *arguments: str) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if name != "ROS_DOMAIN_ID"}
        return subprocess.Popen(
            [sys.executable, "-c", RUN, str(path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    return start
