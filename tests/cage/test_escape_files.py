"""Programs that try to get out of the cage: at files, devices and the rights of the machine.

Where an attempt does no harm, it is also made outside, where it must succeed: so it is the cage that holds it.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest
from prisoner import attempt, attempts, value

import outlap
from outlap.errors import OutlapError
from outlap.files import share_directory

pytestmark = pytest.mark.usefixtures("bars")
PACKAGE = Path(outlap.__file__).parent
NOWHERE = "held: FileNotFoundError"
READ_ONLY = "Read-only file system"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "home" / ".ssh" / "id_ed25519"
    path.parent.mkdir(parents=True)
    path.write_text("the key")
    return path


def test_a_file_of_the_caller(tmp_path: Path, secret: Path) -> None:
    code = "got = Path(SECRET).read_text()"
    assert attempt(tmp_path, code, trust=True, SECRET=str(secret)).told == "got: the key"
    assert attempt(tmp_path, code, SECRET=str(secret)).told.startswith(NOWHERE)


@pytest.mark.slow
def test_the_callers_home_and_folder(tmp_path: Path) -> None:
    code = "got = sorted(os.listdir(FOLDER))"
    assert "outlap" in attempt(tmp_path, code, trust=True, FOLDER=str(share_directory())).told
    for folder in (Path.home(), Path.cwd(), share_directory()):
        told = attempt(tmp_path, code, FOLDER=str(folder)).told
        # Of folders above Python's or Outlap's own files only the way there is to be seen.
        shown = set() if told.startswith("held") else set(eval(told.removeprefix("got: ")))
        assert shown <= {Path(place).relative_to(folder).parts[0] for place in _shown_below(folder)}, folder


def _shown_below(folder: Path) -> list[str]:
    places = [sys.prefix, sys.base_prefix, str(PACKAGE), *sysconfig.get_paths().values()]
    return [place for place in places if Path(place).is_relative_to(folder) and Path(place) != folder]


def test_the_way_up_from_the_working_directory(tmp_path: Path) -> None:
    told = value(attempt(tmp_path, "got = json.dumps([os.getcwd(), sorted(os.listdir('/../../..'))])"))
    assert told[0] == "/"
    assert not {"home", "var", "opt", "srv", "run", "boot", "sys"} & set(told[1])


@pytest.mark.slow
def test_a_link_in_a_folder_that_it_may_read(tmp_path: Path, secret: Path) -> None:
    run = tmp_path / "run"
    run.mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    (run / "trace.csv").write_text("1, 2")
    (run / "link.csv").symlink_to(secret)
    (run / "folder").symlink_to(secret.parent)
    read = "got = (Path(RUN) / NAME).read_text()"
    assert attempt(tmp_path, read, readable=(run,), RUN=str(run), NAME="trace.csv").told == "got: 1, 2"
    for name in ("link.csv", f"folder/{secret.name}", f"../home/.ssh/{secret.name}"):
        assert attempt(tmp_path, read, trust=True, RUN=str(run), NAME=name).told == "got: the key"
        assert attempt(tmp_path, read, readable=(run,), RUN=str(run), NAME=name).told.startswith(NOWHERE)


def test_a_program_that_is_itself_a_link_made_meanwhile(tmp_path: Path, secret: Path) -> None:
    from outlap.cage.cage import Cage

    link = tmp_path / "neighbour.py"
    link.symlink_to(secret)
    (tmp_path / "attempt.py").write_text("")
    with pytest.raises(OutlapError, match=r"neighbour.py: cannot be read"):
        Cage().popen(tmp_path / "attempt.py", copies=[link])


def test_writing_where_it_may_read(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    told = attempt(tmp_path, "got = (Path(RUN) / 'new').write_text('x')", readable=(run,), RUN=str(run)).told
    assert READ_ONLY in told
    assert not list(run.iterdir())


@pytest.mark.parametrize(
    "place",
    [
        str(PACKAGE / "evil.py"),
        str(PACKAGE / "track" / "__pycache__" / "evil.pyc"),
        sysconfig.get_paths()["purelib"] + "/evil.pth",
        sysconfig.get_paths()["stdlib"] + "/evil.py",
        sys.prefix + "/bin/python",
        "/usr/bin/evil",
        "/etc/evil",
        "/evil",
        "/dev/evil",
        "/dev/pts/evil",
    ],
)
@pytest.mark.slow
def test_writing_to_python_the_project_or_the_system(tmp_path: Path, place: str) -> None:
    before = Path(place).exists()
    told = attempt(tmp_path, "got = Path(PLACE).write_text('x')", PLACE=place).told
    assert told.startswith(("held: OSError", "held: PermissionError"))
    assert Path(place).exists() == before


def test_its_own_file_stays_as_it_is(tmp_path: Path) -> None:
    assert READ_ONLY in attempt(tmp_path, "got = Path(__file__).resolve().write_text('x')").told
    assert "Read-only" in attempt(tmp_path, "os.chmod(__file__, 0o777); got = 1").told


@pytest.mark.slow
def test_numbas_cache(tmp_path: Path) -> None:
    """Numba runs what lies there as machine code in whoever loads it: for the cage it is compiled anew."""
    code = """
        from outlap.track import locating
        places = [Path(locating.__file__).parent / "__pycache__", Path(os.environ["NUMBA_CACHE_DIR"])]
        got = {}
        for place in places:
            try:
                place.mkdir(parents=True, exist_ok=True)
                (place / "evil.nbi").write_bytes(b"x")
                got[str(place)] = "written"
            except OSError as error:
                got[str(place)] = error.strerror
        got = json.dumps(got)
        """
    told = value(attempt(tmp_path, code))
    assert told == {str(PACKAGE / "track" / "__pycache__"): READ_ONLY, "/tmp/numba": "written"}
    assert not list(PACKAGE.rglob("evil.nbi"))
    assert not Path("/tmp/numba/evil.nbi").exists()  # /tmp in there is another one


def test_what_it_leaves_in_tmp_is_gone_and_anothers_is_not_seen(tmp_path: Path) -> None:
    code = "got = os.listdir('/tmp') + os.listdir('/dev/shm'); Path('/tmp/mine').write_text('x')"
    first, second = attempt(tmp_path, code).told, attempt(tmp_path, code).told
    assert first == second
    assert not Path("/tmp/mine").exists()


def test_mounting(tmp_path: Path) -> None:
    codes = (
        "subprocess.run(['mount', '-t', 'tmpfs', 'x', '/tmp'], check=True, capture_output=True); got = 1",
        "call('mount', b'x', b'/tmp', b'tmpfs', 0, None); got = 1",
        "call('umount2', b'/proc', 2); got = 1",
        "call('mount', None, b'/', None, 0x1020, None); got = 1",  # remount, to be written
        "call('pivot_root', b'/tmp', b'/tmp'); got = 1",
        "call('fsopen', b'tmpfs', 0); got = 1",
        "call('open_tree', -100, b'/', 1); got = 1",
        "os.chroot('/tmp'); got = 1",
    )
    for code, told in attempts(tmp_path, codes).items():
        assert told.startswith(("held: PermissionError", "held: CalledProcessError")), code


def test_namespaces_of_its_own(tmp_path: Path) -> None:
    codes = (
        "call('unshare', 0x10000000); got = 1",  # CLONE_NEWUSER, with which all others come
        "call('unshare', 0x00020000); got = 1",  # CLONE_NEWNS
        "call('setns', os.open('/proc/1/ns/mnt', os.O_RDONLY), 0); got = 1",
        "call('clone', 0x10000000 | 17, 0, 0, 0, 0); got = 1",
    )
    for code, told in attempts(tmp_path, codes).items():
        assert told.startswith("held: PermissionError"), code
    assert "not implemented" in attempt(tmp_path, "call('clone3', 0, 0); got = 1").told


@pytest.mark.slow
def test_devices(tmp_path: Path) -> None:
    names = ["mem", "kmsg", "sda", "vda", "kvm", "fuse", "net/tun", "dri", "nvidia0", "ttyUSB0", "i2c-1", "video0"]
    for code, told in attempts(tmp_path, [f"got = os.open('/dev/{name}', os.O_RDWR)" for name in names]).items():
        assert told.startswith(NOWHERE), code
    for kind in ("S_IFBLK", "S_IFCHR"):
        told = attempt(tmp_path, f"got = os.mknod('/tmp/disk', 0o600 | stat.{kind}, os.makedev(8, 0))").told
        assert told.startswith("held: PermissionError")
    shown = value(attempt(tmp_path, "got = json.dumps(sorted(os.listdir('/dev')))"))
    assert set(shown) <= {
        *("console", "core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty"),
        *("urandom", "zero"),
    }


@pytest.mark.slow
def test_the_kernels_settings(tmp_path: Path) -> None:
    assert attempt(tmp_path, "got = os.listdir('/sys/class')").told.startswith(NOWHERE)
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/overcommit_memory"):
        before = Path(path).read_bytes() if "sysrq" not in path else b""
        told = attempt(tmp_path, "got = os.open(PATH, os.O_WRONLY)", PATH=path).told
        assert told.startswith(("held: PermissionError", "held: OSError", NOWHERE)), path
        assert "sysrq" in path or Path(path).read_bytes() == before


def test_becoming_somebody_else(tmp_path: Path) -> None:
    codes = ("os.setuid(0); got = 1", "os.setgroups([0]); got = 1", "os.setresuid(65534, 65534, 65534); got = 1")
    for code, told in attempts(tmp_path, codes).items():
        # There is nobody else: no other number means anything in there.
        assert told.startswith(("held: PermissionError", "held: OSError [Errno 22]")), code
    told = value(attempt(tmp_path, "got = json.dumps([os.getuid(), Path('/proc/self/status').read_text()])"))
    status = dict(line.split(":\t", 1) for line in told[1].splitlines() if ":\t" in line)
    assert told[0] != 0
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_a_setuid_program(tmp_path: Path) -> None:
    found = [path for path in ("/usr/bin/passwd", "/usr/bin/su", "/usr/bin/mount") if Path(path).exists()]
    assert found
    code = """
        options = [line.split()[3] for line in Path("/proc/self/mounts").read_text().splitlines() if " /usr " in line]
        made = Path("/tmp/mine"); made.write_bytes(b"#!/bin/sh"); made.chmod(0o4755)
        got = json.dumps([options, subprocess.run(["su", "-c", "id -u"], capture_output=True).returncode])
        """
    options, code_of_su = value(attempt(tmp_path, code))
    assert all("nosuid" in option and option.startswith("ro") for option in options)
    assert code_of_su != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could set it outside")
def test_the_clock(tmp_path: Path) -> None:
    assert attempt(tmp_path, "time.clock_settime(time.CLOCK_REALTIME, time.time()); got = 1").told.startswith(
        "held: PermissionError"
    )


def test_a_folder_that_is_named_by_a_link_is_shown(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    (tmp_path / "real" / "laps.csv").write_text("1")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    code = "got = Path(LINK, 'laps.csv').read_text()"
    assert attempt(tmp_path, code, readable=(link,), LINK=str(link)).told == "got: 1"
    with pytest.raises(OutlapError, match=r"none: there is no such file or folder for the cage to show\.$"):
        attempt(tmp_path, code, readable=(tmp_path / "none",), LINK=str(link))
