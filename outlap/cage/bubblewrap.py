"""The command line by which bubblewrap starts Python in the cage, and whether it can at all on this machine.

Namespaces and mounts are bubblewrap's (bwrap(1)); the limits are set by the cage's first program (``inside.py``).
"""

from __future__ import annotations

import functools
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from outlap.cage.limits import Limits
from outlap.cage.syscalls import system_call_filter
from outlap.errors import OutlapError

INSIDE_ID = 1000  # user and group in the cage; no file of the machine belongs to them there
NOBODY = 65534  # who root becomes first: the machine's own root would pass checks that ask for nothing but the number
PATIENCE = 30.0  # s for the trial, on a machine however busy
SYSTEM = ("lib", "lib32", "lib64", "libx32", "bin", "sbin")  # of /, where most are links into /usr
PREFIX = ("bin", "lib", "lib64", "pyvenv.cfg")  # of a Python environment; beside them may lie a whole project
# How the loader finds libraries, which of several is meant (/etc/alternatives), and the time zone.
SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
NAMESPACES = Path("/proc/sys/user/max_user_namespaces")
CLONES = Path("/proc/sys/kernel/unprivileged_userns_clone")


@dataclass(frozen=True)
class Copy:
    """A file whose content, read beforehand, is put into the cage."""

    path: Path  # absolute; where it lies there
    descriptor: int  # that holds the content


def environment(hash_seed: int) -> dict[str, str]:
    """All environment variables of the cage. bubblewrap is started with them, too, since its own can be read there."""
    kept = {name: os.environ[name] for name in THREADS if name in os.environ}  # they decide the last bits of a sum
    return kept | {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "USER": "cage",
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(str(path) for path in _paths()),
        "NUMBA_CACHE_DIR": "/tmp/numba",  # private: Numba fails where it may write nowhere
    }


def command(
    limits: Limits, readable: Sequence[Path], copies: Sequence[Copy], filter_descriptor: int, status_descriptor: int
) -> list[str]:
    """What starts a program in the cage; the program's own words are to be added.

    Args:
        limits: sizes of the cage's two places to write.
        readable: files and folders of the caller's to be seen there, under the same paths.
        copies: files that are put there.
        filter_descriptor: holds the filter of system calls.
        status_descriptor: where bubblewrap says the number of the cage's first process.

    Raises:
        OutlapError: a path of ``readable`` is not there.
    """
    shown = [*_environment_binds(), *(word for path in readable for word in _named(path.absolute()))]
    bubblewrap = shutil.which("bwrap") or "bwrap"
    outer = [bubblewrap, *_as_nobody(shown)] if os.geteuid() == 0 else []
    inner = [bubblewrap, "--unshare-all", "--unshare-user", *_no_more_namespaces(bubblewrap)]
    inner += ["--uid", str(INSIDE_ID), "--gid", str(INSIDE_ID), "--hostname", "cage"]
    inner += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]
    for place in ("/tmp", "/dev/shm"):
        inner += ["--size", str(limits.scratch_bytes), "--tmpfs", place]
    inner += shown
    for copy in copies:
        inner += [*_parents(copy.path), "--perms", "0444", "--ro-bind-data", str(copy.descriptor), str(copy.path)]
    inner += ["--remount-ro", "/", "--remount-ro", "/dev", "--chdir", "/"]
    inner += ["--seccomp", str(filter_descriptor), "--"]
    words = [*outer, *inner]
    return [words[0], "--json-status-fd", str(status_descriptor), *words[1:]]


@functools.lru_cache(1)
def why_unavailable() -> str | None:
    """Why nothing can run in the cage on this machine, as a sentence that says what to do; None where it can.

    bubblewrap is really started, once in a process.
    """
    if sys.platform != "linux":
        return "the cage needs Linux: its walls are the kernel's."
    if shutil.which("bwrap") is None:
        return "the cage needs bubblewrap, which is not installed: sudo apt install bubblewrap."
    try:
        told = _trial()
    except OutlapError as error:
        return f"the cage needs a filter of system calls: {error}"
    return None if told is None else f"the cage cannot start here ({told}): {_remedy(told)}"


def _trial() -> str | None:
    """What bubblewrap says when Python does not start in the cage."""
    reading, writing = os.pipe()
    filter_descriptor = held(system_call_filter())
    try:
        words = command(Limits(), (), (), filter_descriptor, writing)
        done = subprocess.run(
            [*words, sys.executable, "-S", "-c", "pass"],
            env=environment(0),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=(filter_descriptor, writing),
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return f"nothing happened for {PATIENCE:g} s"
    except OSError as error:
        return str(error)
    finally:
        for descriptor in (reading, writing, filter_descriptor):
            os.close(descriptor)
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return None if done.returncode == 0 else (lines[-1] if lines else f"bwrap returned {done.returncode}")


def _remedy(told: str) -> str:
    if "Unknown option" in told:
        return "bubblewrap is too old: 0.6 or newer is needed."
    if _number(APPARMOR) == 1:
        return (
            "this system lets AppArmor keep programs from making user namespaces; docs/security.md has the profile "
            "that allows it to bwrap alone."
        )
    if _number(NAMESPACES) == 0 or _number(CLONES) == 0:
        return (
            "user namespaces are switched off; sudo sysctl user.max_user_namespaces=10000 "
            "kernel.unprivileged_userns_clone=1 allows them, where these settings exist."
        )
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "this is a container, which must be allowed to make namespaces and to mount; docs/security.md says how."
    if os.geteuid() == 0:
        return f"root starts it as the user nobody, who must be able to read {sys.prefix}; docs/security.md says more."
    return "docs/security.md says how to allow it."


def _number(setting: Path) -> int | None:
    try:
        return int(setting.read_text())
    except (OSError, ValueError):
        return None


def held(content: bytes) -> int:
    """A descriptor, of no file, from which ``content`` can be read once."""
    descriptor = os.memfd_create("content", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _as_nobody(shown: Sequence[str]) -> list[str]:
    """By which root shows the user nobody the same files, also those below a folder of root's own, and becomes it.

    With a numbering of processes of its own: a signal at the parent's death would not cross from root to nobody, but
    the end of a namespace's first process ends all others.
    """
    return [
        *("--unshare-pid", "--dir", "/tmp", *shown, "--bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev"),
        *("--die-with-parent", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--"),
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"),
    ]


@functools.lru_cache(1)
def _no_more_namespaces(bubblewrap: str) -> tuple[str, ...]:
    """The filter refuses them too; this is the kernel's own word, where bubblewrap knows how to ask for it (0.8)."""
    options = subprocess.run([bubblewrap, "--help"], capture_output=True, text=True, check=False, env={}).stdout
    return ("--disable-userns",) if "--disable-userns" in options else ()


@functools.lru_cache(1)
def _environment_binds() -> tuple[str, ...]:
    """The system's libraries, Python with its packages, and this package; nothing else of the machine."""
    words = [*_bound(Path("/usr"))]
    for name in SYSTEM:
        words += _bound(Path("/", name))
    for name in SETTINGS:
        words += _bound(Path("/etc", name))
    prefixes = dict.fromkeys((sys.base_prefix, str(Path(sys.base_prefix).resolve()), sys.prefix))
    places = [Path(prefix, name) for prefix in prefixes for name in PREFIX]
    places += [Path(path) for path in sysconfig.get_paths().values() if Path(path).name.endswith("-packages")]
    for place in (*places, *_sites(), _package()):
        if not place.is_relative_to("/usr"):
            words += _bound(place)
    return tuple(words)


def _paths() -> Iterator[Path]:
    """Where Python is to look for modules besides its usual places."""
    usual = [Path(path) for path in sysconfig.get_paths().values()]
    for path in dict.fromkeys((*_sites(), _package().parent)):
        if path not in usual:
            yield path


def _sites() -> list[Path]:
    own = site.getusersitepackages() if site.ENABLE_USER_SITE else None
    return [Path(path) for path in (*site.getsitepackages(), own) if path and Path(path).is_dir()]


def _package() -> Path:
    return Path(__file__).resolve().parent.parent


def _bound(path: Path) -> list[str]:
    """Shows ``path`` read-only; a link stays one, and what is not there is left out."""
    if path.is_symlink() and path.parent.name != "etc":
        return [*_parents(path), "--symlink", str(path.readlink()), str(path)]
    return [*_parents(path), "--ro-bind", str(path), str(path)] if path.exists() else []


def _named(path: Path) -> list[str]:
    """Shows what the caller named, also where it is named by a link."""
    real = path.resolve()
    if not real.exists():
        raise OutlapError(f"{path}: there is no such file or folder for the cage to show.")
    return _bound(real) if real == path else [*_bound(real), *_parents(path), "--symlink", str(real), str(path)]


def _parents(path: Path) -> list[str]:
    # Made by name, since those that bubblewrap makes by itself only their owner may enter.
    return [word for folder in reversed(path.parents[:-1]) for word in ("--dir", str(folder))]
