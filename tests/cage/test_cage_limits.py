"""Programs that eat up memory, time, processes or files: each ends with a word on why, and the parent is unharmed."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import pytest
from prisoner import PATIENCE, attempt, attempts, value

from outlap.cage import usage
from outlap.cage.cage import Cage
from outlap.cage.limits import MIB, Limits
from outlap.cage.usage import CpuTime

pytestmark = pytest.mark.usefixtures("bars")
SMALL = Limits(memory_bytes=512 * MIB)


@pytest.mark.slow
def test_memory_of_one_process(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    came = attempt(tmp_path, "import numpy\nkept = [numpy.ones(10**7) for _ in range(100)]; got = 1", limits=SMALL)
    assert came.told.startswith("held: MemoryError Unable to allocate"), came
    assert attempt(tmp_path, "got = len(bytearray(4 * 2**30))", limits=SMALL).told.startswith("held: MemoryError")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 200_000  # kB


@pytest.mark.slow
def test_memory_of_many_processes(tmp_path: Path) -> None:
    code = """
        for _ in range(16):
            if os.fork() == 0:
                kept = bytearray(b"x") * (100 * 2**20)
                time.sleep(1000)
        time.sleep(1000)
        """
    came = attempt(tmp_path, code, limits=SMALL)
    assert came.ended_by == "its processes used over 0.5 GiB of memory", came


@pytest.mark.slow
def test_memory_that_many_share_counts_once(tmp_path: Path) -> None:
    code = """
        kept = bytearray(b"x") * (150 * 2**20)
        children = []
        for _ in range(8):
            children.append(os.fork())
            if children[-1] == 0:
                time.sleep(1)
                os._exit(0)
        got = [os.waitpid(child, 0)[1] for child in children]
        """
    assert attempt(tmp_path, code, limits=SMALL).told == f"got: {[0] * 8}"


@pytest.mark.slow
def test_memory_shared_without_a_file(tmp_path: Path) -> None:
    code = """
        for _ in range(16):
            if os.fork() == 0:
                kept = mmap.mmap(-1, 100 * 2**20)
                kept.write(b"x" * len(kept))
                time.sleep(1000)
        time.sleep(1000)
        """
    assert attempt(tmp_path, code, limits=SMALL).ended_by == "its processes used over 0.5 GiB of memory"


def test_memory_as_files(tmp_path: Path) -> None:
    code = """
        for number in range(1000):
            Path(PLACE, str(number)).write_bytes(b"x" * 2**20)
        got = 1
        """
    for place in ("/tmp", "/dev/shm"):
        assert "No space left on device" in attempt(tmp_path, code, PLACE=place).told


def test_memory_as_empty_files(tmp_path: Path) -> None:
    code = """
        for number in range(10**9):
            os.mknod(f"/tmp/{number}")
        """
    came = attempt(tmp_path, code, limits=Limits(scratch_files=2000))
    assert came.ended_by == "it made over 2000 files in /tmp", came


def test_empty_files_behind_a_zombie(tmp_path: Path) -> None:
    """Nothing can be seen through a process that has ended and is not waited for."""
    code = """
        for _ in range(3):
            if os.fork() == 0:
                os._exit(0)
        time.sleep(0.3)
        for number in range(10**9):
            os.mknod(f"/tmp/{number}")
        """
    came = attempt(tmp_path, code, limits=Limits(scratch_files=2000))
    assert came.ended_by == "it made over 2000 files in /tmp", came


def test_files_that_cannot_be_counted_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "REACHED", 0.3)
    monkeypatch.setattr(usage.Usage, "_reach", lambda *_: None)
    came = attempt(tmp_path, "time.sleep(1000)")
    assert came.ended_by == "its files in /tmp could not be counted"


@pytest.mark.slow
def test_a_python_list_without_end(tmp_path: Path) -> None:
    came = attempt(tmp_path, "kept = []\nwhile True:\n    kept.append('x' * 10**6 + str(len(kept)))", limits=SMALL)
    assert came.told.startswith("held: MemoryError") or "MemoryError" in came.words


@pytest.mark.slow
def test_forks_without_end(tmp_path: Path) -> None:
    code = """
        got = 0
        try:
            while True:
                if os.fork() == 0:
                    time.sleep(1000)
                got += 1
        except BlockingIOError:
            pass
        """
    assert value(attempt(tmp_path, code, limits=Limits(processes=40))) in range(30, 40)
    bomb = "while True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    with pytest.raises(TimeoutError):
        attempt(tmp_path, bomb, limits=Limits(processes=40), patience=2.0)
    # And again: nothing of the first is left to be counted.
    assert value(attempt(tmp_path, code, limits=Limits(processes=40))) in range(30, 40)


def test_threads_without_end(tmp_path: Path) -> None:
    code = """
        import threading
        got = 0
        try:
            while True:
                threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
                got += 1
        except RuntimeError:
            print("got:", got, flush=True)
            os._exit(0)
        """
    assert value(attempt(tmp_path, code, limits=Limits(processes=40))) in range(30, 40)


@pytest.mark.slow
def test_time_without_end(tmp_path: Path) -> None:
    limits = Limits(cpu_s=1.0)
    assert attempt(tmp_path, "while True:\n    pass", limits=limits).ended_by == "it used over 1 s of CPU time"
    deaf = "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True:\n    pass"
    assert attempt(tmp_path, deaf, limits=limits).ended_by == "it used over 1 s of CPU time"
    # Each of them alone stays below it.
    chain = """
        while True:
            if child := os.fork():
                os.waitpid(child, 0)
                os._exit(0)
            sum(range(10**6))
        """
    assert attempt(tmp_path, chain, limits=limits).ended_by == "it used over 1 s of CPU time"


@pytest.mark.slow
def test_time_of_children_that_nobody_waits_for(tmp_path: Path) -> None:
    code = """
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        ended, writing = os.pipe()
        for _ in range(12):
            if os.fork() == 0:
                since = time.process_time()
                while time.process_time() < since + 0.4:
                    pass
                os.write(writing, b"x")
                os._exit(0)
            os.read(ended, 1)
        got = 1
        """
    assert attempt(tmp_path, code, limits=Limits(cpu_s=2.0)).ended_by == "it used over 2 s of CPU time"


def test_cpu_time_is_counted_once() -> None:
    cpu = CpuTime()
    assert cpu.look({(1, 5): (10, 0)}) == 10
    assert cpu.look({(1, 5): (11, 0), (2, 6): (50, 0)}) == 61
    assert cpu.look({(1, 5): (11, 60)}) == 71  # waited for; it used a little more after the last look
    assert cpu.look({(1, 5): (11, 60), (3, 7): (30, 0), (4, 7): (5, 0)}) == 106
    assert cpu.look({(1, 5): (11, 60), (4, 7): (6, 0)}) == 107  # vanished, and nobody got it
    assert cpu.look({(1, 5): (11, 90), (4, 7): (6, 0)}) == 107  # but its parent did, who was looked at before
    assert cpu.look({(1, 5): (11, 90), (4, 9): (3, 0)}) == 110  # another process under the same number
    assert cpu.look({(1, 5): (11, 140), (4, 9): (3, 0)}) == 154  # 44 of children too short to be seen, 6 of the first


@pytest.mark.slow
def test_the_walls_clock(tmp_path: Path) -> None:
    came = attempt(tmp_path, "time.sleep(1000)", limits=Limits(wall_s=0.3))
    assert came.ended_by == "it ran for over 0.3 s"
    # What no look sees: children that end within one, and that nobody waits for.
    code = """
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            try:
                if os.fork() == 0:
                    sum(range(10**5))
                    os._exit(0)
            except OSError:
                pass
        """
    came = attempt(tmp_path, code, limits=Limits(cpu_s=100.0, wall_s=1.0, processes=40))
    assert came.ended_by == "it ran for over 1 s"


@pytest.mark.slow
def test_output_without_end(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = "for _ in range(1024):\n    os.write(2, b'x' * 2**20)\nos.write(2, b'the end')\ngot = 1"
    for trust in (False, True):
        came = attempt(tmp_path, code, trust=trust, limits=Limits(file_bytes=MIB))
        assert came.told == "got: 1"
        assert len(came.words) == MIB
        assert came.words.endswith("xxthe end")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 50_000  # kB


@pytest.mark.slow
def test_words_while_it_runs_and_after_a_child_stays(tmp_path: Path) -> None:
    (tmp_path / "stays.py").write_text(
        "import os, sys, time\nprint('hello', file=sys.stderr, flush=True)\n"
        "if os.fork() == 0:\n    time.sleep(30)\n    os._exit(0)\ntime.sleep(30)\n"
    )
    for trust in (False, True):  # a trusted program's child lives on, and holds the pipe
        program = Cage(trust=trust).popen(tmp_path / "stays.py")
        end = time.monotonic() + PATIENCE
        while program.words() != "hello\n":
            assert time.monotonic() < end
            time.sleep(0.01)
        since = time.monotonic()
        os.killpg(program.pid, 9) if trust else program.close()
        program.close()
        assert time.monotonic() - since < 20
        assert program.words() == "hello\n"


@pytest.mark.slow
def test_a_huge_file(tmp_path: Path) -> None:
    codes = (
        "with open('/tmp/x', 'wb') as f:\n    f.truncate(2**40); got = 1",
        "with open('/tmp/x', 'wb') as f:\n    f.seek(2**40); f.write(b'x'); f.flush(); got = 1",
        "with open('/tmp/x', 'wb') as f:\n    os.posix_fallocate(f.fileno(), 0, 2**30); got = 1",
        "import shutil; shutil.copyfile('/dev/zero', '/tmp/x'); got = 1",
    )
    for code, told in attempts(tmp_path, codes).items():
        assert told.startswith("held: OSError [Errno 27]"), code
    code = "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n" + codes[0]
    assert attempt(tmp_path, code).ended_by == "it wrote a file of over 16 MiB"


def test_many_open_files(tmp_path: Path) -> None:
    code = "kept = [open('/dev/null') for _ in range(300)]; got = 1"
    assert attempt(tmp_path, code, trust=True).told == "got: 1"
    assert attempt(tmp_path, code).told.startswith("held: OSError [Errno 24]")


def test_raising_its_own_limits(tmp_path: Path) -> None:
    names = ("AS", "NPROC", "NOFILE", "FSIZE", "CORE")
    codes = [f"resource.setrlimit(resource.RLIMIT_{name}, (2**50, 2**50)); got = 1" for name in names]
    for code, told in attempts(tmp_path, codes).items():
        assert told.startswith(("held: ValueError", "held: PermissionError")), code


def test_a_program_that_takes_its_time_is_ended_at_once(tmp_path: Path) -> None:
    (tmp_path / "sleeps.py").write_text("import time\ntime.sleep(1000)\n")
    program = Cage().popen(tmp_path / "sleeps.py")
    since = time.monotonic()
    program.close()
    assert time.monotonic() - since < PATIENCE
    program.close()  # twice is as good as once


def test_no_memory_for_the_machine_means_the_cage_first(tmp_path: Path) -> None:
    assert value(attempt(tmp_path, "got = Path('/proc/self/oom_score_adj').read_text()")) == 1000
    assert int(Path(f"/proc/{os.getpid()}/oom_score_adj").read_text()) != 1000
