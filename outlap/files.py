"""Where Outlap's data files lie, and how files are read and written without ever leaving half of one behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from outlap.errors import OutlapError

ModelT = TypeVar("ModelT", bound=BaseModel)

PACKAGE = "outlap"
LOCK = ".lock"  # in a folder that a run holds
# The safe loader, in C where PyYAML was built with it: a track file has thousands of numbers.
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Model(BaseModel):
    """Base of every configuration: unknown keys, NaN and infinities are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def share_directory() -> Path:
    """Folder that holds ``launch/``, ``worlds/``, ``urdf/`` and ``config/``.

    In a checkout (and an editable install) that is the checkout itself, so that an edited file takes effect at once;
    otherwise ``share/outlap`` under the installation's prefix.

    Raises:
        OutlapError: the data files are nowhere to be found.
    """
    root = Path(__file__).resolve().parent.parent
    if (root / "package.xml").is_file() and (root / "launch").is_dir():
        return root
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    # A package below <prefix>/lib/pythonX.Y/site-packages belongs to <prefix>: right for pip and for colcon.
    prefixes[:0] = [str(parent) for parent in root.parents]
    for prefix in filter(None, prefixes):
        share = Path(prefix) / "share" / PACKAGE
        if (share / "package.xml").is_file():
            return share
    raise OutlapError(f"Outlap's data files (share/{PACKAGE}) were not found near {root}: reinstall the package.")


def find_config(folder: str, name_or_path: str | Path, what: str) -> Path:
    """Where a configuration lies: the path itself, or a name's file in ``config/<folder>``.

    Args:
        folder: such as ``cars``.
        name_or_path: a path ends in ``.yaml`` or ``.yml``, and need not exist; a name has a file there.
        what: what such a file describes, such as ``car``, for the message.

    Raises:
        OutlapError: there is nothing of that name.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        return path
    shipped = share_directory() / "config" / folder
    path = shipped / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in shipped.glob("*.yaml")))
        raise OutlapError(f"there is no {what} named {str(name_or_path)!r}: give a .yaml file, or one of {known}.")
    return path


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write ``content`` to ``path`` so that a reader, or a crash, sees the old file or the new one, never a part.

    Raises:
        OutlapError: the folder cannot be written.
    """
    with replaced(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file to write, in the folder of ``path``, which takes its place in the end.

    Temporary file in the same folder, fsync, rename, fsync of the folder; after an exception ``path`` is as it was.

    Raises:
        OutlapError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "rb") as file:
                yield temporary
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise OutlapError(f"cannot write {path}: {error.strerror or error}.") from error


@contextlib.contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Hold a run folder (made where missing) for this process, by a lock on the file LOCK in it.

    Raises:
        OutlapError: another Outlap run is writing there, or the folder cannot be written.
    """
    lock = path / LOCK
    try:
        path.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise OutlapError(f"cannot write to {path}: {error.strerror or error}.") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OutlapError(f"{lock} must be a regular file: remove it, or choose another folder.")
        try:
            _lock_now(handle)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise OutlapError(f"cannot lock {lock}: {error.strerror or error}.") from error
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            raise OutlapError(
                f"another Outlap run (process {holder}) is writing {path}: wait for it, or choose another folder."
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
        # The file stays: unlinking it would let two later runs lock two different files of one name.
    finally:
        os.close(handle)


def _lock_now(handle: int) -> None:
    """Take the lock, trying for a moment: somebody may just be looking whether it is held (:func:`is_locked`)."""
    for left in reversed(range(5)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES) or not left:
                raise
            time.sleep(0.01)


def is_locked(path: Path) -> bool:
    """Whether a process holds the folder ``path`` by :func:`lock_folder`; False where that cannot be known."""
    try:
        handle = os.open(path / LOCK, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(handle)


def read_bytes(path: Path, what: str, limit: int = 64 * 1024 * 1024, follow: bool = True) -> bytes:
    """The whole of a file of at most ``limit`` bytes; ``what`` names its role in the error message.

    Without ``follow``, a symbolic link in the file's place is refused.

    Raises:
        OutlapError: the file is missing, unreadable, not a file, or too large, or its name cannot be any file's.
    """
    # Non-blocking, so that a pipe or a device in the file's place is refused instead of waited for.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OutlapError(f"{path}: the {what} must be a regular file.")
            if status.st_size > limit:
                raise OutlapError(f"{path}: a {what} of over {limit / 1024 / 1024:g} MiB is refused.")
            return file.read(limit)
    except OSError as error:
        if not follow and error.errno == errno.ELOOP:
            raise OutlapError(
                f"{path}: the {what} is a link, which is not followed: put the file itself here."
            ) from error
        raise OutlapError(f"{path}: cannot read the {what}: {error.strerror or error}.") from error
    except ValueError as error:  # a NUL, or half a surrogate pair, as text from a file can hold
        raise OutlapError(f"{str(path)!r}: cannot read the {what}: no file can have this name.") from error


def read_yaml(path: Path, model: type[ModelT], what: str) -> ModelT:
    """Read a YAML file into a pydantic model.

    Raises:
        OutlapError: the file is missing, is not YAML, or a key is unknown, missing or out of range; the message names
            the file, the key, and what was expected.
    """
    return validate(read_mapping(path, what), model, str(path), what)


def read_mapping(path: Path, what: str, follow: bool = True) -> dict[Any, Any]:
    """The content of a YAML file whose top level is a mapping; ``follow`` as in :func:`read_bytes`.

    Raises:
        OutlapError: the file is missing, is not YAML, or holds something else.
    """
    content = read_bytes(path, what, follow=follow)
    try:
        content = yaml.load(content.decode(), Loader=YAML_LOADER)
    # Besides its own errors, the loader raises these at a value that is not of the kind of its tag (`!!bool perhaps`).
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError, MemoryError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise OutlapError(f"{path}{line}: the {what} is not valid YAML: {getattr(error, 'problem', error)}.") from error
    if not isinstance(content, dict):
        raise OutlapError(f"{path}: the {what} must be a mapping of keys to values, not {type(content).__name__}.")
    return content


def validate(content: object, model: type[ModelT], where: str, what: str) -> ModelT:
    """Check ``content`` against ``model``; ``where`` and ``what`` open the message when it does not fit.

    Raises:
        OutlapError: the content does not fit the model.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'whole file'}: {_plain(problem['msg'])}"
            for problem in error.errors()[:3]
        )
        raise OutlapError(f"{where}: the {what} is refused: {problems}.") from error


def _plain(message: str) -> str:
    """Pydantic's wording, in the words of somebody who edits a YAML file."""
    if message.startswith("Extra inputs are not permitted"):
        return "unknown key"
    if message.startswith("Field required"):
        return "missing"
    return message.removeprefix("Value error, ").rstrip(".")
