"""Programs that try to get out of the cage: at the parent and other processes, the network, and shared memory."""

from __future__ import annotations

import os
import platform
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest
from prisoner import PATIENCE, attempt, attempts, value

from outlap.cage.bubblewrap import environment
from outlap.cage.cage import Cage
from outlap.errors import OutlapError

pytestmark = pytest.mark.usefixtures("bars")
NOWHERE = "held: FileNotFoundError"
# Never to be run where it could meet a process of somebody else's.
ALONE = "assert len([name for name in os.listdir('/proc') if name.isdigit()]) < 5\n"


@pytest.mark.slow
def test_the_parents_memory_and_environment(tmp_path: Path) -> None:
    for name, flags in (("mem", "rb"), ("environ", "rb"), ("maps", "rb"), ("root/etc/passwd", "rb")):
        code = f"got = open(f'/proc/{{PARENT}}/{name}', '{flags}').readable()"
        assert attempt(tmp_path, code, trust=True, PARENT=os.getpid()).told == "got: True"
        assert attempt(tmp_path, code, PARENT=os.getpid()).told.startswith(NOWHERE)


def test_which_processes_there_are(tmp_path: Path) -> None:
    code = "got = json.dumps(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()))"
    assert os.getpid() in value(attempt(tmp_path, code, trust=True))
    assert value(attempt(tmp_path, code)) == [1, 2]


def test_the_callers_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "s3cret")
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    code = """
        every = [Path(f"/proc/{n}/environ").read_bytes() for n in os.listdir("/proc") if n.isdigit()]
        words = [Path(f"/proc/{n}/cmdline").read_bytes() for n in os.listdir("/proc") if n.isdigit()]
        first = [entry.partition(b"=")[0].decode() for entry in Path("/proc/1/environ").read_bytes().split(b"\\0")]
        got = json.dumps([[name for name in first if name], b"".join(every + words).decode()])
        """
    assert "s3cret" in value(attempt(tmp_path, "got = json.dumps(os.environ['A_TOKEN'])", trust=True))
    names, everything = value(attempt(tmp_path, code))
    assert "s3cret" not in everything
    assert set(names) <= {*environment(0), "PWD"}


def test_open_files_of_the_parents(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the key")
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            code = """
                got = {}
                for process in ("1", "self"):
                    for number in os.listdir(f"/proc/{process}/fd"):
                        try:
                            got[f"{process} {number}"] = os.readlink(f"/proc/{process}/fd/{number}")
                        except FileNotFoundError:
                            pass  # the one of the listing
                socket.socket(fileno=GIVEN).sendall(b"hello")
                got = json.dumps(got)
                """
            found = value(attempt(tmp_path, code, pass_fds=(theirs.fileno(),), GIVEN=theirs.fileno()))
            assert ours.recv(5) == b"hello"
    inside = {key: place for key, place in found.items() if key.startswith("self") and int(key.split()[1]) > 2}
    assert all(place.startswith("socket:") or "seccomp" in place for place in inside.values()), inside
    # Of bubblewrap's own: nothing that leads to a file or a folder.
    files = [place for key, place in found.items() if place.startswith("/") and int(key.split()[1]) > 2]
    assert not files, found


def test_no_descriptor_leads_to_a_file(tmp_path: Path) -> None:
    code = """
        kinds = {}
        for number in os.listdir("/proc/self/fd"):
            try:
                mode = os.stat(int(number)).st_mode
            except OSError:
                continue  # the one of the listing
            kinds[number] = "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"
        got = json.dumps(kinds)
        """
    found = value(attempt(tmp_path, code))
    assert {"0", "1", "2"} <= set(found)
    assert set(found.values()) == {"other"}


def test_a_descriptor_of_a_file_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("")
    os.mkfifo(tmp_path / "named")
    places = [os.open(tmp_path, os.O_RDONLY), os.open(program, os.O_RDONLY), os.open("/dev/full", os.O_WRONLY)]
    places += [os.open(tmp_path / "named", os.O_RDWR), os.memfd_create("memory")]
    for place in places:
        with pytest.raises(OutlapError, match="is none of a pipe or socket"):
            Cage().popen(program, pass_fds=[place])
        with pytest.raises(OutlapError, match="is none of a pipe or socket"):
            Cage().popen(program, stdout=place)
        os.close(place)


def test_a_refusal_leaves_nothing_open(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("")
    Cage().popen(program).close()  # what is opened once
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(OutlapError, match="there is no such file or folder"):
            Cage(readable=(tmp_path / "none",)).popen(program)
        with pytest.raises(OutlapError, match="cannot be read"):
            Cage().popen(tmp_path / "none.py")
        with pytest.raises(OutlapError, match="cannot be started"):
            Cage().popen(program, pass_fds=[10**6])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.slow
def test_signals_to_the_parent(tmp_path: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        code = "os.kill(PARENT, signal.SIGUSR1); got = 1"
        assert attempt(tmp_path, code, trust=True, PARENT=os.getpid()).told == "got: 1"
        assert attempt(tmp_path, code, PARENT=os.getpid()).told.startswith("held: ProcessLookupError")
        assert len(heard) == 1
        for code in ("os.kill(os.getppid(), signal.SIGKILL)", "os.kill(1, signal.SIGKILL)", "os.killpg(0, 10)"):
            attempt(tmp_path, f"{ALONE}signal.signal(10, signal.SIG_IGN)\n{code}\ngot = 1", PARENT=os.getpid())
        # -1 is everybody, itself excepted.
        assert "ProcessLookupError" in attempt(tmp_path, f"{ALONE}os.kill(-1, signal.SIGKILL); got = 1").told
        assert len(heard) == 1
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_tracing_and_reading_other_processes(tmp_path: Path) -> None:
    codes = (
        "call('ptrace', 16, os.getppid(), 0, 0); got = 1",  # PTRACE_ATTACH
        "call('process_vm_readv', os.getppid(), 0, 0, 0, 0, 0); got = 1",
        "call('pidfd_getfd', os.pidfd_open(1), 0, 0); got = 1",
    )
    for code, told in attempts(tmp_path, codes).items():
        assert told.startswith("held: PermissionError"), code


def test_calls_into_the_kernels_corners(tmp_path: Path) -> None:
    names = (
        *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl", "add_key", "request_key", "syslog"),
        *("init_module", "kexec_load", "reboot", "swapon", "quotactl", "open_by_handle_at", "memfd_create", "shmget"),
    )
    for code, told in attempts(tmp_path, [f"got = call('{name}', 0, 0, 0, 0, 0)" for name in names]).items():
        assert told.startswith("held: PermissionError"), code


@pytest.mark.skipif(platform.machine() != "x86_64", reason="a way round the filter that only this processor has")
def test_the_system_calls_of_another_processor(tmp_path: Path) -> None:
    code = """
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid of i386); int 0x80; ret
        got = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        """
    assert attempt(tmp_path, code).ended_by == f"signal {int(signal.SIGSYS)}"


@pytest.mark.slow
def test_a_terminal(tmp_path: Path) -> None:
    code = """
        import pty, termios
        ours, theirs = pty.openpty()
        got = fcntl.ioctl(theirs, termios.TIOCSTI, b"x")
        """
    assert attempt(tmp_path, code).told.startswith(("held: PermissionError", "held: OSError"))
    # As a 64-bit number that the kernel cuts to the same command.
    told = attempt(tmp_path, "got = call('ioctl', 0, 0x7_0000_5412, b'x')").told
    assert told.startswith("held: PermissionError")
    assert attempt(tmp_path, "got = os.open('/dev/tty', os.O_RDWR)").told.startswith("held: OSError")


@pytest.fixture(params=["IPv4", "IPv6", "abstract Unix", "Unix"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, object]]:
    """A server outside; how it is reached."""
    families = {"IPv4": (socket.AF_INET, ("127.0.0.1", 0)), "IPv6": (socket.AF_INET6, ("::1", 0))}
    unix = {"abstract Unix": f"\0outlap-cage-{os.getpid()}", "Unix": str(tmp_path / "socket")}
    family, address = families.get(request.param) or (socket.AF_UNIX, unix[request.param])
    with socket.socket(family) as server:
        server.bind(address)
        server.listen(4)
        yield family.name, server.getsockname()


def test_a_server_of_this_machine(listening: tuple[str, object], tmp_path: Path) -> None:
    family, address = listening
    address = address.decode("latin1") if isinstance(address, bytes) else address
    code = f"s = socket.socket(socket.{family}); s.connect(tuple(TO) if isinstance(TO, tuple) else TO); got = 1"
    assert attempt(tmp_path, code, trust=True, TO=address).told == "got: 1"
    told = attempt(tmp_path, code, TO=address).told
    assert told.startswith(("held: ConnectionRefusedError", NOWHERE, "held: OSError [Errno 99]")), told


def test_the_network(tmp_path: Path) -> None:
    told = value(attempt(tmp_path, "got = json.dumps([name for _, name in socket.if_nameindex()])"))
    assert told == ["lo"]
    code = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9)); got = 1"
    assert "unreachable" in attempt(tmp_path, code).told
    code = "socket.getaddrinfo('example.org', 80); got = 1"
    assert attempt(tmp_path, code).told.startswith("held: gaierror")


def test_other_kinds_of_sockets(tmp_path: Path) -> None:
    # A virtual machine's own network (vsock) belongs to no network namespace.
    others = ((40, 1, 0), (17, 3, 0), (38, 5, 0), (31, 3, 1), (29, 3, 1), (2**32 + 40, 1, 0))
    codes = [f"call('socket', {family}, {kind}, {protocol}); got = 1" for family, kind, protocol in others]
    for code, told in attempts(tmp_path, codes).items():
        assert told.startswith("held: OSError [Errno 97]"), code
    told = attempt(tmp_path, "call('socket', 16, 3, 9); got = 1").told  # netlink, to the audit
    assert told.startswith("held: PermissionError")


def test_shared_memory(tmp_path: Path) -> None:
    memory = SharedMemory(create=True, size=64)
    try:
        memory.buf[:5] = b"frame"
        code = "got = bytes(Path('/dev/shm', NAME).read_bytes()[:5]).decode()"
        assert attempt(tmp_path, code, trust=True, NAME=memory.name.lstrip("/")).told == "got: frame"
        assert attempt(tmp_path, code, NAME=memory.name.lstrip("/")).told.startswith(NOWHERE)
    finally:
        memory.close()
        memory.unlink()


HEART = """
import os, signal, sys, time
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            os.write(PIPE, b"alive")
            time.sleep(0.01)
    os._exit(0)
"""


def beats(pipe: int, patience: float) -> bool:
    """Whether something still writes; false as soon as no process holds the other end."""
    ready, _, _ = select.select([pipe], [], [], patience)
    return bool(ready and os.read(pipe, 1 << 16))


@pytest.mark.parametrize("stays", [False, True], ids=["the program ends", "the program stays"])
def test_leaving_a_process_behind(tmp_path: Path, stays: bool) -> None:
    reading, writing = os.pipe()
    program = tmp_path / "heart.py"
    program.write_text(HEART.replace("PIPE", str(writing)) + ("while True:\n    time.sleep(1)\n" if stays else ""))
    with Cage().popen(program, pass_fds=[writing]) as running:
        os.close(writing)
        assert beats(reading, PATIENCE)
        if not stays:
            assert running.wait(PATIENCE) == 0
    while beats(reading, 0.0):
        pass  # what was written before
    assert select.select([reading], [], [], 0.0)[0]
    assert os.read(reading, 1) == b""  # nobody holds the other end
    os.close(reading)


@pytest.mark.slow
def test_the_parent_is_killed(tmp_path: Path) -> None:
    """By SIGKILL, when it can do nothing more."""
    reading, writing = os.pipe()
    (tmp_path / "heart.py").write_text(HEART.replace("PIPE", str(writing)) + "time.sleep(1000)\n")
    code = f"""
        import time
        from pathlib import Path
        from outlap.cage.cage import Cage
        program = Cage().popen(Path({str(tmp_path / "heart.py")!r}), pass_fds=[{writing}])
        time.sleep(1000)
        """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], pass_fds=[writing])
    os.close(writing)
    try:
        assert beats(reading, PATIENCE)
    finally:
        parent.kill()
        parent.wait()
    end = time.monotonic() + PATIENCE
    while beats(reading, PATIENCE):
        assert time.monotonic() < end
    os.close(reading)


def test_the_thread_that_started_it_may_end(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    (tmp_path / "waits.py").write_text(f"import socket\nsocket.socket(fileno={theirs.fileno()}).recv(1)\nexit(7)\n")
    started = []
    thread = threading.Thread(
        target=lambda: started.append(Cage().popen(tmp_path / "waits.py", pass_fds=[theirs.fileno()]))
    )
    thread.start()
    thread.join()
    with ours, theirs, started[0] as program:
        with pytest.raises(TimeoutError):
            program.wait(0.3)
        ours.sendall(b"x")
        assert program.wait(PATIENCE) == 7


def test_what_is_dropped_ends(tmp_path: Path) -> None:
    (tmp_path / "sleeps.py").write_text("import time\ntime.sleep(1000)\n")
    program = Cage().popen(tmp_path / "sleeps.py")
    number = program.pid
    os.kill(number, 0)
    del program
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys\nsys.exit(3)\n", "code 3"),
        ("import os\nos._exit(4)\n", "code 4"),
        ("import ctypes\nctypes.string_at(0)\n", "signal 11"),
        ("raise ValueError('x')\n", "code 1"),
        ("", "code 0"),
        ("import os\nos.abort()\n", "signal 6"),
    ],
)
@pytest.mark.parametrize("trust", [False, True])
def test_how_it_ended_is_told(tmp_path: Path, code: str, said: str, trust: bool) -> None:
    (tmp_path / "ends.py").write_text(code)
    with Cage(trust=trust).popen(tmp_path / "ends.py") as program:
        assert program.ended_by() in ("it still runs", said)
        program.wait(PATIENCE)
        assert program.ended_by() == said
        assert "ValueError" not in code or "ValueError: x" in program.words()


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(OutlapError, match=r"none\.py: cannot be read: No such file"):
        Cage().popen(tmp_path / "none.py")
    with pytest.raises(OutlapError, match="cannot be read: Is a directory"):
        Cage().popen(tmp_path)
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(OutlapError, match="only a regular file"):
        Cage().popen(tmp_path / "pipe.py")
    (tmp_path / "large.py").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(OutlapError, match="over 1 MiB"):
        Cage().popen(tmp_path / "large.py")
