"""A run's folder: the one owner of its files' names, and what it says of its run. Imports no torch.

    for folder in find_runs(Path("runs")):
        print(folder.info().status, folder.policy_file)

What a run writes stays in its folder: a link in the place of one of its files, or within one of its folders, is told by
:meth:`RunFolder.info` and refused before anything is written (:meth:`LearningFolder.check_own`). The run's folder
itself may be reached through a link.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from outlap.errors import OutlapError
from outlap.files import LOCK
from outlap.learning.runs.records import LessonSummary, RunEvaluation, Summary, read_record

if TYPE_CHECKING:
    from outlap.learning.runs.info import RunInfo

CHECKPOINT_INDEX = "checkpoint.json"
SHARD_SUFFIX = ".shard"
REWARD_COPY = "reward.py"
TRACKS_COPY = "tracks"


class LearningFolder:
    """What runs and lessons both leave in their folders.

    Attributes:
        path: the folder; it need not exist.
    """

    FILES: tuple[str, ...] = ("policy_file", "training_file", "summary_file")  # properties whose files it may hold
    FOLDERS: tuple[str, ...] = ()  # likewise folders

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @property
    def policy_file(self) -> Path:
        """The best policy so far; of a finished run the last."""
        return self.path / "policy.onnx"

    @property
    def training_file(self) -> Path:
        """The full configuration that made the policy."""
        return self.path / "training.yaml"

    @property
    def summary_file(self) -> Path:
        """What it came to."""
        return self.path / "summary.json"

    @property
    def evaluation_file(self) -> Path:
        """The laps of the last validation."""
        return self.path / "evaluation.json"

    @property
    def curves_file(self) -> Path:
        """The learning curves, drawn."""
        return self.path / "curves.png"

    @property
    def film_file(self) -> Path:
        """What the cars of the last validation saw."""
        return self.path / "laps.mp4"

    @property
    def checkpoint_folder(self) -> Path:
        """Where the state lies, after each iteration."""
        return self.path

    @property
    def checkpoint_index(self) -> Path:
        """What the checkpoint is of, and which files belong to it."""
        return self.checkpoint_folder / CHECKPOINT_INDEX

    def kept_policy(self, seconds: float) -> Path:
        """Where a policy is kept on request, ``seconds`` after the beginning."""
        return self.path / f"policy-{seconds:.0f}s.onnx"

    @property
    def kept_policies(self) -> list[Path]:
        """The policies that were kept on request."""
        return sorted(self.path.glob("policy-*s.onnx"))

    def check_own(self) -> None:
        """See that what is written here will lie here.

        Raises:
            OutlapError: one of the files or folders is a link, or something else of its name is in the way.
        """
        for problem in self.misplaced():
            raise OutlapError(f"{problem}: a run writes in its own folder only. Remove it, or choose another folder.")

    def misplaced(self) -> Iterator[str]:
        """What is a link, or neither file nor folder, where a file or folder of the run belongs: a clause each."""
        files = [getattr(self, name) for name in self.FILES] + self.kept_policies
        for path in files:
            yield from _other_than(stat.S_ISREG, path, "regular file")
        for path in (getattr(self, name) for name in self.FOLDERS):
            wrong = list(_other_than(stat.S_ISDIR, path, "folder"))
            yield from wrong
            if not wrong and path.exists():
                for inner in sorted(path.iterdir()):
                    if inner.is_symlink():
                        yield _link(inner)


class LiveFolder(LearningFolder):
    """The folder ``live`` within a run's: what a lesson in a live simulator leaves; its checkpoint lies in it."""

    FILES = (*LearningFolder.FILES, "driving_file", "checkpoint_index")

    @property
    def driving_file(self) -> Path:
        """What drives now: the newest policy."""
        return self.path / "driving.onnx"

    def summary(self) -> LessonSummary | None:
        """What the lesson has come to; None where there was none.

        Raises:
            OutlapError: the file is damaged.
        """
        return read_record(self.summary_file, LessonSummary, "lesson's summary")


class RunFolder(LearningFolder):
    """A training run's folder; a race that is given it as ``--out`` adds its own files (outlap/racing/result.py)."""

    FILES = (
        *LearningFolder.FILES,
        "evaluation_file",
        "curves_file",
        "film_file",
        "reward_file",
        "reward_log",
        "lock_file",
        "checkpoint_index",
    )
    FOLDERS = ("checkpoint_folder", "tensorboard_folder", "live_folder", "tracks_folder")

    @property
    def checkpoint_folder(self) -> Path:
        """Where the run's state lies, after each iteration."""
        return self.path / "checkpoint"

    @property
    def tensorboard_folder(self) -> Path:
        """Curves for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def reward_file(self) -> Path:
        """A copy of the user's own reward file."""
        return self.path / REWARD_COPY

    @property
    def tracks_folder(self) -> Path:
        """Copies of the user's own tracks."""
        return self.path / TRACKS_COPY

    @property
    def reward_log(self) -> Path:
        """What the user's reward file printed."""
        return self.path / "reward.log"

    @property
    def lock_file(self) -> Path:
        """Held while a process writes here; see :func:`outlap.files.lock_folder`."""
        return self.path / LOCK

    @property
    def live_folder(self) -> Path:
        """What a lesson in a live simulator has made of the run."""
        return self.path / "live"

    @property
    def live(self) -> LiveFolder:
        """The same, with its files' names."""
        return LiveFolder(self.live_folder)

    @property
    def is_run(self) -> bool:
        """Whether there is anything of a run here."""
        return any(os.path.lexists(path) for path in (self.checkpoint_folder, self.summary_file, self.training_file))

    def info(self) -> RunInfo:
        """What run it is, and how it stands; never raises: what is wrong stands in ``problem``."""
        from outlap.learning.runs.info import run_info  # late: it reads this module

        return run_info(self)

    def summary(self) -> Summary | None:
        """The summary of a finished run; None where there is none.

        Raises:
            OutlapError: the file is damaged.
        """
        return read_record(self.summary_file, Summary, "summary")

    def evaluation(self) -> RunEvaluation | None:
        """The laps of a finished run's last validation; None where there are none.

        Raises:
            OutlapError: the file is damaged.
        """
        return read_record(self.evaluation_file, RunEvaluation, "evaluation")


def find_runs(root: Path) -> list[RunFolder]:
    """The runs in ``root``, itself and however deep in it, in the order of their paths.

    Links and hidden folders are not entered, nor the folders that belong to a run. A folder that cannot be looked into
    is among the runs, and its info says why.

    Raises:
        OutlapError: ``root`` is no folder, or cannot be looked into.
    """
    try:
        next(root.iterdir(), None)
    except FileNotFoundError:
        raise OutlapError(f"there is no folder {root}.") from None
    except NotADirectoryError:
        raise OutlapError(f"{root} is a file, not a folder of runs.") from None
    except OSError as error:
        raise OutlapError(f"cannot look into {root}: {error.strerror or error}.") from error
    found: list[RunFolder] = []
    waiting = [root]
    while waiting:
        folder = RunFolder(waiting.pop())
        try:
            with os.scandir(folder.path) as entries:
                inner = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            found.append(folder)
            continue
        run = folder.is_run
        own = [getattr(folder, name) for name in RunFolder.FOLDERS] if run else []
        waiting += [path for path in inner if not path.name.startswith(".") and path not in own]
        found += [folder] if run else []
    return sorted(found, key=lambda folder: folder.path)


def _other_than(kind: Callable[[int], bool], path: Path, what: str) -> Iterator[str]:
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield f"{path} cannot be read ({error.strerror or error})"
        return
    if stat.S_ISLNK(mode):
        yield _link(path)
    elif not kind(mode):
        yield f"{path} is not a {what}"


def _link(path: Path) -> str:
    try:
        return f"{path} is a link to {path.readlink()}"
    except OSError:
        return f"{path} is a link"
