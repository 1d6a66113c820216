"""One writer a car: a lock on the hardware, so that calibration and the motor node never both steer it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

from outlap.drivers.actuator import ActuatorError
from outlap.drivers.deepracer import chip_folder
from outlap.errors import OutlapError
from outlap.vehicle.car import Car
from outlap.vehicle.hardware import Pca9685, Vesc

# Every user of the machine must meet the others there: never a folder of one's own, as $XDG_RUNTIME_DIR or $TMPDIR is.
FOLDERS = (Path("/run/lock"), Path("/tmp"))
ATTEMPTS = 5  # at a lock file that others make and remove meanwhile


class HardwareHeldError(ActuatorError):
    """Another process holds the car's hardware."""


def hardware_path(car: Car) -> str:
    """The device that the car file names, links resolved.

    Raises:
        OutlapError: the car file names none.
    """
    hardware = car.actuator
    if hardware is None:
        raise OutlapError(f"the car file of {car.name!r} has no section 'actuator': it can only be simulated.")
    if isinstance(hardware, Pca9685):
        path = hardware.bus
    elif isinstance(hardware, Vesc):
        path = hardware.port
    else:
        path = hardware.chip
        if "/" not in path:  # a DeepRacer's chip may be named by its device
            with contextlib.suppress(ActuatorError):
                path = str(chip_folder(path))
    return os.path.realpath(path) if "/" in path else path  # such a chip that is not there


def lock_path(car: Car) -> Path:
    """The file that is locked for the car's hardware.

    Raises:
        OutlapError: the car file names none.
    """
    folder = next((folder for folder in FOLDERS if os.access(folder, os.W_OK | os.X_OK)), FOLDERS[-1])
    return folder / f"outlap{re.sub(r'[^A-Za-z0-9]+', '-', hardware_path(car))}.lock"


@contextlib.contextmanager
def hold_hardware(car: Car, who: str) -> Iterator[None]:
    """Hold the car's hardware for this process while the ``with`` block lasts; ``who`` is what others are told.

    The kernel lets go of it when the process ends, however that happens. Children that are forked meanwhile, and do not
    execute another program, hold it with us.

    Raises:
        HardwareHeldError: another process holds it; the message says who.
        OutlapError: the car file names no hardware, or no lock can be made.
    """
    device, path = hardware_path(car), lock_path(car)
    try:
        handle = _locked(path, device)
    except OSError as error:
        raise OutlapError(f"cannot lock {device} by {path}: {error.strerror or error}.") from error
    try:
        with contextlib.suppress(OSError):  # the file may be another user's, to read only; then they are told less
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{who} (process {os.getpid()})\n".encode(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):  # another user's stays
            path.unlink()
        os.close(handle)


def _locked(path: Path, device: str) -> int:
    """A handle of the lock file, locked.

    Who held it before may have removed the file between our opening and our locking it: a lock on a file without a
    name keeps nobody out.
    """
    for _ in range(ATTEMPTS):
        handle = _opened(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(handle)
            os.close(handle)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise HardwareHeldError(f"{device} is held by {holder}: stop that first.") from error
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.lstat()):
                return handle
        os.close(handle)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def _opened(path: Path) -> int:
    """A handle of the lock file, made where missing.

    Never opened with O_CREAT when it exists: the kernel refuses that in a sticky folder for another user's file
    (fs.protected_regular), though it may be read and locked.
    """
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    for _ in range(ATTEMPTS):
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, flags | os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            with contextlib.suppress(OSError):
                os.fchmod(handle, 0o666)  # whatever the umask: the next one may be another user
            return handle
        with contextlib.suppress(FileNotFoundError):
            try:
                return os.open(path, flags | os.O_RDWR)
            except PermissionError:
                return os.open(path, flags | os.O_RDONLY)
    return os.open(path, flags | os.O_RDONLY)


def _holder(handle: int) -> str:
    try:
        told = os.pread(handle, 200, 0).decode(errors="replace").strip()
    except OSError:
        told = ""
    return told if told and told.isprintable() else "another process"
