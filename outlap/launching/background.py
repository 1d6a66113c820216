"""A launch file's graph in the background, its output in a file, while something else has the terminal.

    python -m outlap.launching.background FILE name:=value …

runs the file in the environment that it was given, which must name the ROS domain.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from outlap.errors import OutlapError
from outlap.launching.children import Guard
from outlap.launching.plan import plan_processes
from outlap.launching.runner import run_launch_file

PATIENCE = 20.0  # s, for a graph to end, which escalates by itself sooner


@contextlib.contextmanager
def run_in_background(
    path: Path, arguments: dict[str, str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The running graph of a launch file, which ends with the block, and with this process if that is killed.

    Raises:
        OutlapError: the file cannot be carried out, or the log cannot be written; nothing was started.
    """
    plan_processes(path, arguments, environment)
    words = [sys.executable, "-m", __name__, str(path), *(f"{name}:={value}" for name, value in arguments.items())]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        output = log.open("wb")
    except OSError as error:
        raise OutlapError(f"cannot write {log}: {error.strerror or error}.") from error
    with output, Guard() as guard:
        graph = subprocess.Popen(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # what is pressed in the terminal is not for it
        )
        guard.add(graph.pid)
        try:
            yield graph
        finally:
            graph.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                graph.wait(PATIENCE)
            graph.kill()
            graph.wait()
            guard.remove(graph.pid)


def main() -> None:
    """Run the graph until it ends or is told to."""
    path, *words = sys.argv[1:]
    try:
        code = run_launch_file(Path(path), dict(word.split(":=", 1) for word in words), dict(os.environ))
    except OutlapError as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    main()
