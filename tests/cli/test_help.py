"""Help must come at once: it needs none of the heavy libraries."""

from __future__ import annotations

import subprocess
import sys

from outlap.cli.main import VERBS

PROGRAM = """
import contextlib, io, sys
from outlap.cli.main import VERBS, main

for words in ([], *([name] for name, *_ in VERBS)):
    sys.argv = ["outlap", *words, "--help"]
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        main()
    text = shown.getvalue()
    assert "Usage: " in text and "--help" in text, (words, text)
    if not words:
        assert all(name in text for name, *_ in VERBS), text
    else:
        assert len(text.splitlines()) > 8, text
heavy = {"torch", "numba", "scipy", "cv2", "onnx", "onnxruntime", "matplotlib", "rclpy"} & set(sys.modules)
assert not heavy, heavy
print("shown")
"""


def test_every_verb_explains_itself_without_anything_heavy() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (0, "shown\n"), result.stderr


def test_without_a_verb_it_shows_what_there_is() -> None:
    command = [sys.executable, "-m", "outlap.cli.main"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    shown = result.stdout + result.stderr
    assert all(name in shown for name, *_ in VERBS)
    assert "Traceback" not in shown
