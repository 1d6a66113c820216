"""Room on the disk for a run: seen to before it begins, and told when it runs out."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator

from outlap.errors import OutlapError
from outlap.learning.config import AnyTraining, PixelTrainingConfig
from outlap.learning.runs.checkpoint import tidy
from outlap.learning.runs.folder import RunFolder

BESIDE = 60_000_000  # bytes of everything in a run's folder but its pictures, generously
OTHERS = 300  # bytes of what is kept with each picture
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what the system says when there is no more room


def needed(config: AnyTraining) -> int:
    """Bytes that a run takes on the disk, about."""
    if isinstance(config, PixelTrainingConfig):
        return BESIDE
    distill, view = config.distill, config.view
    pictures = min(distill.window, distill.steps * distill.cars) + distill.iteration_steps * distill.cars
    return pictures * (view.width * view.height + OTHERS) + BESIDE


def make_room(folder: RunFolder, config: AnyTraining) -> None:
    """Remove what an earlier run left in the checkpoint's folder, and see that there is room for this one.

    Raises:
        OutlapError: there is not, or the folder cannot be written.
    """
    try:
        folder.checkpoint_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutlapError(f"cannot write {folder.checkpoint_folder}: {error.strerror or error}.") from error
    tidy(folder.checkpoint_folder, [])
    shutil.rmtree(folder.tensorboard_folder, ignore_errors=True)
    free = shutil.disk_usage(folder.checkpoint_folder).free
    if free < needed(config):
        raise OutlapError(
            f"{folder.path}: the run takes about {_size(needed(config))} there and only {_size(free)} are free: make "
            "room, choose another folder, or lower distill.window."
        )


@contextlib.contextmanager
def full_disk_told(folder: RunFolder, config: AnyTraining) -> Iterator[None]:
    """Within a ``with`` block, word a full disk for whoever trains.

    Raises:
        OutlapError: instead of the error by which the system said so.
    """
    try:
        yield
    except (OutlapError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in FULL:
            raise
        free = shutil.disk_usage(folder.checkpoint_folder).free
        raise OutlapError(
            f"there is no more room: {str(error).rstrip('.')}; the run takes about {_size(needed(config))} in all and "
            f"{_size(free)} are free there. What it has learned is safe: make room, then go on with outlap train "
            f"--resume {folder.path}."
        ) from error


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
