"""``outlap launch train watch:=true`` as a student starts it, with a recipe that takes seconds."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outlap.policy.file import load_policy

pytestmark = pytest.mark.live

PATIENCE = 200.0  # s; the first start on a machine compiles the renderer and the simulation


class Launched:
    """The running command and what it says."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._log = folder / "said.txt"
        environment = os.environ | {"ROS_LOG_DIR": str(folder)}
        environment.pop("ROS_DOMAIN_ID", None)
        call = "import sys; from outlap.cli.main import main; sys.exit(main())"
        words = [sys.executable, "-c", call, "launch", "train", *arguments]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=environment)

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, pattern: str) -> re.Match[str]:
        end = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.said)) is None:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, f"{pattern} was never said:\n{self.said}"
            time.sleep(0.05)
        return found

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """``launch("watch:=true", …)``: the running command, which the end of the test ends."""
    running: list[Launched] = []

    def begin(*arguments: str) -> Launched:
        running.append(Launched(tmp_path, *arguments))
        return running[-1]

    yield begin
    for launched in running:
        if launched.process.poll() is None:
            launched.stop()
        print(launched.said)


@pytest.mark.timeout(300)
def test_a_student_watches_a_car_that_learns(
    launch: Callable[..., Launched], training: Callable[..., Path], ring_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    launched = launch("watch:=true", f"config:={training()}", f"out:={out}", f"track:={ring_path}")
    address = launched.wait_for(r"watch it in a browser: (http://127\.0\.0\.1:\d+/)")[1]
    launched.wait_for("taking each policy that appears as")
    launched.wait_for("the car drives on; Ctrl-C ends it")
    digest = load_policy(out / "policy.onnx").digest
    launched.wait_for(f"driving with policy {digest[:8]}")
    launched.wait_for("referee]: go")
    with urllib.request.urlopen(address, timeout=30) as page:
        assert b"<img" in page.read()
    with urllib.request.urlopen(f"{address}picture.jpg", timeout=30) as picture:
        assert picture.read().startswith(b"\xff\xd8"), "a JPEG"
    assert launched.stop() == 130
    assert "Traceback" not in launched.said
