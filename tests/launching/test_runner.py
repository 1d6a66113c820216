"""The runner starts what a file describes, ends with the process that matters, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Write = Callable[..., Path]
Start = Callable[..., subprocess.Popen[str]]
Python = Callable[[str], str]

SLEEP = "import time; print(os.getpid(), flush=True); time.sleep(60)"


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie waiting for its parent does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: list[int], patience: float = 20.0) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end and any(is_alive(pid) for pid in pids):
        time.sleep(0.05)
    assert not [pid for pid in pids if is_alive(pid)]


def read_pids(runner: subprocess.Popen[str], count: int) -> list[int]:
    """Process ids that the children print as their first words: ``[name] 123``."""
    assert runner.stdout is not None
    return [int(runner.stdout.readline().split()[1]) for _ in range(count)]


def finish(runner: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = runner.communicate(timeout=60)
    return runner.returncode, out, err


@pytest.mark.parametrize("code", [0, 3])
def test_a_required_process_ends_the_graph_with_its_exit_code(
    write: Write, start: Start, python: Python, code: int
) -> None:
    path = write(
        f"<executable name='long' {python('import os;' + SLEEP)}/>\n"
        f"<executable name='short' {python(f'import time,sys; time.sleep(0.5); sys.exit({code})')} on_exit='shutdown'/>"
    )
    runner = start(path)
    (pid,) = read_pids(runner, 1)
    result, out, _ = finish(runner)
    assert result == code
    assert f"[launch] short ended with exit code {code}: stopping the rest" in out
    assert not is_alive(pid)


def test_output_carries_the_name_and_keeps_a_last_line_without_newline(
    write: Write, start: Start, python: Python
) -> None:
    talk = 'import sys; print("one"); print("err", file=sys.stderr); print("two", end="")'
    result, out, _ = finish(start(write(f"<executable name='talker' {python(talk)}/>")))
    assert result == 0
    assert out.splitlines() == ["[talker] one", "[talker] err", "[talker] two"]


def test_more_output_than_a_pipe_holds_arrives_whole(write: Write, start: Start, python: Python) -> None:
    talk = 'import sys; [print(n, "x" * 100) for n in range(20000)]'
    result, out, _ = finish(start(write(f"<executable name='t' {python(talk)}/>")))
    assert result == 0
    assert [line.split()[1] for line in out.splitlines()] == [str(n) for n in range(20000)]


def test_without_a_required_process_the_first_bad_end_is_told_and_counts(
    write: Write, start: Start, python: Python
) -> None:
    path = write(
        f"<executable name='good' {python('import time; time.sleep(1)')}/>"
        f"<executable name='bad' {python('import sys; sys.exit(7)')}/>"
    )
    result, out, _ = finish(start(path))
    assert result == 7
    assert "[launch] bad ended with exit code 7" in out
    assert "good" not in out


def test_a_required_process_ended_by_a_signal_gives_128_and_its_number(
    write: Write, start: Start, python: Python
) -> None:
    kill = "import os,signal; os.kill(os.getpid(), signal.SIGKILL)"
    result, _, _ = finish(start(write(f"<executable name='k' {python(kill)} on_exit='shutdown'/>")))
    assert result == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(write: Write, start: Start, python: Python, number: signal.Signals) -> None:
    family = (
        'import os,subprocess,time; child = subprocess.Popen(["sleep", "60"]); '
        "print(os.getpid(), child.pid); time.sleep(60)"
    )
    runner = start(write(f"<executable name='family' {python(family)}/>"))
    assert runner.stdout is not None
    pids = [int(word) for word in runner.stdout.readline().split()[1:]]
    assert len(pids) == 2
    runner.send_signal(number)
    result, out, _ = finish(runner)
    assert result == 128 + number
    assert f"[launch] {number.name}: stopping" in out
    wait_until_gone(pids)


def test_a_process_that_does_not_listen_is_killed(write: Write, start: Start, python: Python) -> None:
    deaf = (
        "import os,signal,time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print(os.getpid()); time.sleep(60)"
    )
    runner = start(write(f"<executable name='deaf' {python(deaf)}/>"))
    (pid,) = read_pids(runner, 1)
    for _ in range(3):  # each further signal escalates at once
        runner.send_signal(signal.SIGINT)
        time.sleep(0.3)
    result, out, _ = finish(runner)
    assert result == 130
    assert "[launch] killing deaf: did not stop" in out
    assert not is_alive(pid)


def test_a_stopped_process_does_not_hold_up_the_end(write: Write, start: Start, python: Python) -> None:
    runner = start(write(f"<executable name='s' {python('import os;' + SLEEP)}/>"))
    (pid,) = read_pids(runner, 1)
    os.kill(pid, signal.SIGSTOP)
    for _ in range(3):
        runner.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    assert finish(runner)[0] == 143
    assert not is_alive(pid)


def test_nothing_is_left_when_the_runner_itself_is_killed(write: Write, start: Start, python: Python) -> None:
    deaf = (
        "import os,signal,time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print(os.getpid()); time.sleep(60)"
    )
    runner = start(write(f"<executable name='a' {python('import os;' + SLEEP)}/><executable name='b' {python(deaf)}/>"))
    pids = read_pids(runner, 2)
    guards = [int(pid) for pid in Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()]
    assert len(guards) == 3  # two processes and the guard
    runner.kill()
    runner.wait()
    wait_until_gone(list({*pids, *guards}))
    finish(runner)


def test_a_program_that_cannot_be_started_stops_what_was(
    write: Write, start: Start, python: Python, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    marker = tmp_path / "pid"
    note = f'import os,time; open("{marker}", "w").write(str(os.getpid())); time.sleep(60)'
    path = write(f"<executable name='ok' {python(note)}/><executable name='broken' cmd='{broken}'/>")
    result, _, err = finish(start(path))
    assert result == 1
    assert err.startswith("error: cannot start broken")
    assert "Traceback" not in err
    if marker.exists() and marker.read_text():
        wait_until_gone([int(marker.read_text())])


def test_two_runs_get_two_domains(write: Write, start: Start, python: Python) -> None:
    show = 'import os,time; print(os.environ["ROS_DOMAIN_ID"]); time.sleep(60)'
    path = write(f"<executable name='d' {python(show)}/>")
    runners = [start(path), start(path)]
    domains = {read_pids(runner, 1)[0] for runner in runners}
    for runner in runners:
        runner.send_signal(signal.SIGINT)
        assert finish(runner)[0] == 130
    assert len(domains) == 2


def test_the_graph_ends_when_nobody_reads_its_output_any_more(write: Write, start: Start, python: Python) -> None:
    talk = "import os,time; print(os.getpid()); [(print(n), time.sleep(0.01)) for n in range(6000)]"
    runner = start(write(f"<executable name='t' {python(talk)}/>"))
    (pid,) = read_pids(runner, 1)
    assert runner.stdout is not None
    assert runner.stderr is not None
    runner.stdout.close()
    assert runner.wait(timeout=60) == 128 + signal.SIGPIPE
    assert "Traceback" not in runner.stderr.read()
    runner.stderr.close()
    assert not is_alive(pid)
