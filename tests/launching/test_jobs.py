"""Jobs in processes of their own: results in order, clear words when something goes wrong, and nobody left behind."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import job_functions as functions
import pytest

from outlap.errors import OutlapError
from outlap.launching.jobs.executor import Executor, Job, Setup, ThisProcess
from outlap.launching.jobs.interrupts import interrupts_deferred
from outlap.launching.jobs.processes import ATTEMPTS, LocalProcesses

PATIENCE = 60.0  # s


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process still runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("executor", [ThisProcess(), LocalProcesses(1), LocalProcesses(3)])
def test_results_come_in_the_jobs_order(executor: Executor) -> None:
    counts: list[int] = []
    jobs = [Job(f"job {n}", functions.square, (n, 0.02 * (5 - n))) for n in range(6)]
    assert executor.run(jobs, report=counts.append) == [0, 1, 4, 9, 16, 25]
    assert sum(counts) == 6
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("executor", [ThisProcess(), LocalProcesses(2)])
def test_no_jobs_have_no_results(executor: Executor) -> None:
    assert executor.run([], Setup(functions.prepare, ("never",))) == []


def test_no_more_processes_than_jobs_are_started_and_they_run_at_once() -> None:
    found = LocalProcesses(40).run([Job(f"job {k}", functions.process_id, (0.5,)) for k in range(2)])
    assert len({*found, os.getpid()}) == 3


def test_each_worker_is_set_up_once() -> None:
    found = LocalProcesses(2).run([Job("", functions.prepared)] * 8, Setup(functions.prepare, ("track",)))
    assert all(prepared == ("track", pid) for prepared, pid in found)
    assert ThisProcess().run([Job("", functions.prepared)], Setup(functions.prepare, ("track",)))[0][0][0] == "track"


def test_jobs_run_from_any_thread() -> None:
    """Workers are not tied to the thread that started them, as Linux's parent death signal would."""
    with ThreadPoolExecutor(1) as pool:
        jobs = [Job(f"job {n}", functions.square, (n, 0.1)) for n in range(4)]
        assert pool.submit(LocalProcesses(2).run, jobs).result() == [0, 1, 4, 9]


# What goes wrong in a job.


def test_a_users_mistake_keeps_its_sentence() -> None:
    with pytest.raises(OutlapError) as caught:
        LocalProcesses(2).run([Job("a", functions.square, (2,)), Job("b", functions.refuse)])
    assert str(caught.value) == "meadow.yaml, line 3: mend it."
    assert not multiprocessing.active_children()


def test_another_exception_keeps_its_type_and_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        LocalProcesses(2).run([Job("a", functions.divide, (1,)), Job("the inverse of 0", functions.divide, (0,))])
    (note,) = caught.value.__notes__
    assert "in a worker process, for the inverse of 0" in note
    assert "return 1 / n" in note


def test_an_exception_that_cannot_be_sent_is_told_all_the_same() -> None:
    with pytest.raises(RuntimeError, match="UnpicklableError: at the hairpin") as caught:
        LocalProcesses(1).run([Job("a", functions.fail_oddly)])
    assert "fail_oddly" in caught.value.__notes__[0]


@pytest.mark.parametrize("executor", [ThisProcess(), LocalProcesses(1)])
@pytest.mark.parametrize("code", [0, 3, "no more"])
def test_a_job_that_leaves_the_program_ends_nobody_in_silence(executor: Executor, code: object) -> None:
    for jobs, setup in (
        ([Job("a", functions.exit_program, (code,))], None),
        ([Job("a", functions.prepared)], Setup(functions.exit_preparing, (code,))),
    ):
        with pytest.raises(RuntimeError, match=re.escape(f"a job raised SystemExit({code!r}), which ends a program")):
            executor.run(jobs, setup)


def test_nor_does_a_job_that_interrupts_itself() -> None:
    with pytest.raises(RuntimeError, match=r"a job raised KeyboardInterrupt\(\)") as caught:
        LocalProcesses(1).run([Job("the long one", functions.interrupt)])
    assert "for the long one" in caught.value.__notes__[0]


@pytest.mark.parametrize("count", [0, -1])
def test_no_processes_at_all_are_refused(count: int) -> None:
    with pytest.raises(OutlapError, match=f"in {count} processes: give at least 1"):
        LocalProcesses(count)


def test_a_jobs_own_lost_connection_is_not_a_lost_worker() -> None:
    with pytest.raises(ConnectionResetError, match="the robot hung up"):
        LocalProcesses(1).run([Job("a", functions.lose_connection)])


def test_what_a_set_up_raises_is_passed_on() -> None:
    with pytest.raises(OutlapError, match="line 3: mend it"):
        LocalProcesses(2).run([Job("a", functions.square, (2,))], Setup(functions.refuse_to_prepare))


def test_a_result_that_cannot_be_sent_is_an_error() -> None:
    with pytest.raises(TypeError, match="pickle"):
        LocalProcesses(1).run([Job("a", functions.lock)])


@pytest.mark.parametrize(
    ("function", "argument"), [(lambda worker, n: n, 1), (functions.square, threading.Lock())], ids=["lambda", "lock"]
)
def test_a_job_that_cannot_be_sent_is_refused(function: Callable, argument: object) -> None:
    jobs = [Job("the first", functions.square, (1,)), Job("the odd one", function, (argument,))]
    with pytest.raises(
        OutlapError, match=r"the odd one cannot be sent to another process \(.+\): its function must be"
    ):
        LocalProcesses(2).run(jobs)
    with pytest.raises(OutlapError, match="the set-up cannot be sent"):
        LocalProcesses(2).run(jobs[:1], Setup(function, (argument,)))


# Lost workers.


@pytest.mark.slow
def test_the_work_of_a_lost_worker_is_done_again_and_counted_once(tmp_path: Path) -> None:
    jobs = [Job(f"job {k}", functions.report_then_die_once, (tmp_path / str(k), 12, 7 * k)) for k in range(3)]
    (tmp_path / "2").touch()  # this one lives
    counts: list[int] = []
    warnings: list[str] = []
    assert LocalProcesses(2).run(jobs, None, counts.append, warnings.append) == [12, 12, 12]
    assert sum(counts) == 36
    assert sorted(warnings) == [
        f"the process that worked on job {k} was ended by SIGKILL, perhaps for want of memory; that is done again in a "
        "new one."
        for k in range(2)
    ]
    assert not multiprocessing.active_children()


def test_a_warning_goes_to_the_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LocalProcesses(1).run([Job("job 0", functions.report_then_die_once, (tmp_path / "0", 2, 1))])
    assert capsys.readouterr().err.startswith("warning: the process that worked on job 0 was ended by SIGKILL")


def test_a_job_that_always_loses_its_worker_ends_the_run() -> None:
    warnings: list[str] = []
    jobs = [Job("job 0", functions.square, (3,)), Job("job 1", functions.die), Job("job 2", functions.square, (3, 60))]
    with pytest.raises(OutlapError, match=r"job 1 lost its process 3 times, and the last one was ended by SIGKILL"):
        LocalProcesses(2).run(jobs, warn=warnings.append)
    assert len(warnings) == ATTEMPTS - 1
    assert not multiprocessing.active_children()


def test_so_does_one_that_leaves() -> None:
    with pytest.raises(OutlapError, match=r"job 0 lost its process 3 times, and the last one ended with exit code 5"):
        LocalProcesses(1).run([Job("job 0", functions.leave, (5,))], warn=lambda sentence: None)


def test_so_does_a_set_up() -> None:
    with pytest.raises(OutlapError, match="lost its process 3 times"):
        LocalProcesses(2).run(
            [Job("job", functions.square, (2,))] * 2, Setup(functions.die_preparing), warn=lambda sentence: None
        )


@pytest.mark.slow
def test_a_lost_worker_is_noticed_though_its_child_holds_the_connection(tmp_path: Path) -> None:
    begin = time.monotonic()
    jobs = [Job("job", functions.die_with_a_child_left, (tmp_path / "mark",))]
    assert LocalProcesses(1).run(jobs, warn=lambda sentence: None) == ["done"]
    assert time.monotonic() < begin + 15  # the child stays for 20


@pytest.mark.slow
def test_a_program_without_a_guard_is_told(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            import math
            from outlap.launching.jobs.executor import Job
            from outlap.launching.jobs.processes import LocalProcesses
            LocalProcesses(2).run([Job("job", math.sqrt, (2,))] * 2)
        """)
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "a worker process ended with exit code 1 before it could begin: see what it wrote above" in done.stderr
    assert "__name__ == '__main__'" in done.stderr


# The end.


@pytest.fixture
def interrupted() -> Iterator[None]:
    """Ctrl-C is answered as Python does, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class StopError(Exception):
    """Somebody wants no more."""


def test_an_exception_here_ends_all_workers(tmp_path: Path) -> None:
    def stop(count: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        LocalProcesses(2).run([Job("job", functions.wait_for_ever, (tmp_path,))] * 3, report=stop)
    assert not multiprocessing.active_children()
    assert not any(alive(int(path.name)) for path in tmp_path.iterdir())


def program_of_two_workers(function: str, folder: Path) -> subprocess.Popen:
    """A Python program, in a group of its own, with two jobs that never end."""
    code = f"""
        import signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
        sys.path.insert(0, {str(Path(functions.__file__).parent)!r})
        import pathlib
        import job_functions
        from outlap.launching.jobs.executor import Job
        from outlap.launching.jobs.processes import LocalProcesses
        jobs = [Job("job", job_functions.{function}, (pathlib.Path({str(folder)!r}),))] * 2
        LocalProcesses(2).run(jobs)
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("function", ["hold_the_lock", "wait_for_ever"])
def test_workers_end_with_a_parent_that_is_killed(function: str, tmp_path: Path) -> None:
    with program_of_two_workers(function, tmp_path) as program:
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        pids = [int(path.name) for path in tmp_path.iterdir()]
        assert all(alive(pid) for pid in pids)
        program.kill()
        until(lambda: not any(alive(pid) for pid in pids))


@pytest.mark.slow
def test_ctrl_c_ends_all_workers_without_a_word_from_them(tmp_path: Path) -> None:
    with program_of_two_workers("wait_for_ever", tmp_path) as program:
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        pids = [int(path.name) for path in tmp_path.iterdir()]
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does
        assert program.stderr is not None
        words = program.stderr.read()
        assert program.wait(PATIENCE) == -signal.SIGINT
    assert not any(alive(pid) for pid in pids)
    assert words.count("Traceback") == words.count("KeyboardInterrupt") == 1


def test_an_interrupt_is_heard_when_processes_have_started(interrupted: None) -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        os.kill(os.getpid(), signal.SIGINT)
        reached = True
    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
