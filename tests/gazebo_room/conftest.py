"""libsdformat's opinion of an SDF file."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

READER = Path(__file__).with_name("read_sdf.cpp")
NEEDED = "apt install g++ pkg-config libsdformat-dev"


@pytest.fixture(scope="session")
def read_sdf(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[str]]:
    """``read_sdf(path, …)``: what these files hold, a line a thing; a test fails on any error or warning."""
    flags = None
    if shutil.which("pkg-config") and shutil.which("g++"):
        found = subprocess.run(["pkg-config", "--cflags", "--libs", "sdformat12"], capture_output=True, text=True)
        flags = found.stdout.split() if found.returncode == 0 else None
    if flags is None:
        pytest.skip(f"a C++ compiler or libsdformat 12 is missing ({NEEDED})")
    program = tmp_path_factory.mktemp("read_sdf") / "read_sdf"
    subprocess.run(["g++", "-std=c++17", READER, "-o", program, *flags], check=True)
    # A Gazebo that was installed elsewhere may have set these for libraries of its own.
    environment = {key: value for key, value in os.environ.items() if key not in ("LD_LIBRARY_PATH", "SDF_PATH")}

    def read(*paths: Path) -> list[str]:
        result = subprocess.run([program, *paths], capture_output=True, text=True, env=environment)
        assert result.returncode == 0 and not result.stderr, result.stderr
        return result.stdout.splitlines()

    return read
