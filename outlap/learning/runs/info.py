"""How a run stands, as its folder says, however that was left: half written, of an older Outlap, or odd on purpose."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from outlap.errors import OutlapError
from outlap.files import is_locked, read_mapping, validate
from outlap.learning.runs.checkpoint import FORMAT, inside, old_format, read_index
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.records import About, Index, Reached, RunEvaluation, RunRecord, Summary

Read = TypeVar("Read")

LONGEST = 500  # characters of a problem
TRIES = 3  # to read a checkpoint that a run replaces meanwhile


class RunStatus(StrEnum):
    """How a run stands."""

    FINISHED = "finished"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    NOT_BEGUN = "not begun"
    DAMAGED = "damaged"


class RunInfo(BaseModel):
    """What run it is and how it stands; None is what its folder does not say. All text can be printed anywhere."""

    model_config = ConfigDict(frozen=True)

    path: str  # of the folder
    status: RunStatus
    problem: str | None = None  # why it is damaged
    notes: tuple[str, ...] = ()  # what else is unexpected
    resumable: bool = False  # whether `outlap train --resume` can be tried
    recipe: str | None = None
    car: str | None = None
    seed: int | None = None
    stage: str | None = None  # of an unfinished run, at its last checkpoint: "teacher", "student", "" before both
    iteration: int | None = None  # done of that stage
    iterations: int | None = None  # in all of that stage
    clean_laps: float | None = None  # part of all laps in validation; of an unfinished run the best so far
    lap_time_s: float | None = None  # mean of the clean ones
    train_seconds: float | None = None
    digest: str | None = None  # of a finished run's policy, as the summary says
    outlap_version: str | None = None  # that began it
    changed: datetime | None = None  # when its files changed last, UTC


def run_info(folder: RunFolder) -> RunInfo:
    """See :meth:`RunFolder.info`."""
    values: dict[str, Any] = {"path": printable(os.fspath(folder.path))}
    reading = _Reading(folder)
    try:
        with os.scandir(folder.path):
            pass
        values |= reading.values()
    except OSError as error:  # also one that vanishes or changes while it is read
        reading.problems.append(f"cannot look into {folder.path}: {error.strerror or error}.")
    if reading.problems:
        values |= {"status": RunStatus.DAMAGED, "problem": printable(reading.problems[0])[:LONGEST], "resumable": False}
    notes = [*reading.problems[1:], *reading.notes]
    return RunInfo.model_validate({**values, "notes": tuple(printable(note)[:LONGEST] for note in notes)})


class _Reading:
    """What is found in a folder, and what is wrong with it."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.problems: list[str] = []
        self.notes: list[str] = []

    def values(self) -> dict[str, Any]:
        """Of RunInfo.

        Raises:
            OSError: a folder cannot be read.
        """
        folder = self.folder
        misplaced = list(folder.misplaced())
        self.problems += [f"{problem}." for problem in misplaced]
        # Nothing is read through a link, a folder's included.
        linked = folder.checkpoint_folder.is_symlink()
        index = None if linked else self._read(self._index)
        summary, evaluation = self._read(folder.summary), self._read(folder.evaluation)
        about = self._about(index)
        values = {"changed": self._changed(), "recipe": self._recipe(about)}
        if isinstance(about, About):
            values |= {"seed": about.seed, "car": _text(about.car.get("name"))}
            values |= {"outlap_version": _text(about.versions.get("outlap"))}
        values |= self._results(summary, evaluation)
        status = self._status(index, summary)
        values |= {"status": status}
        if index is not None and status in (RunStatus.INTERRUPTED, RunStatus.RUNNING):
            values |= self._reached(index.reached)
            values |= {"resumable": index.format == FORMAT and status is RunStatus.INTERRUPTED}
        for name, record in (("checkpoint", index), ("summary", summary), ("evaluation", evaluation)):
            self._unknown(name, record)
        return values

    def _read(self, read: Callable[[], Read]) -> Read | None:
        try:
            return read()
        except OutlapError as error:
            self.problems.append(str(error))
            return None

    def _index(self) -> Index | None:
        """Of the checkpoint, when the arrays that it names are there."""
        folder = self.folder.checkpoint_folder
        for _ in range(TRIES):
            index = read_index(folder)
            if index is None or stat.S_ISREG(_mode(path := inside(folder, index.arrays.file))):
                return index
        raise OutlapError(f"{path} is missing or no regular file, and the checkpoint needs it.")

    def _about(self, index: Index | None) -> About | None:
        if index is None:
            return None
        if index.format != FORMAT:
            self.notes.append(f"{self.folder.checkpoint_index}: {old_format(index)}")
        where = str(self.folder.checkpoint_index)
        return self._read(lambda: validate(index.about, About, where, "checkpoint"))

    def _status(self, index: Index | None, summary: Summary | None) -> RunStatus:
        folder = self.folder
        finished = index.finished if index is not None else summary is not None
        if not finished:
            policy_alone = index is None and folder.policy_file.exists()
            if is_locked(folder.path):
                return RunStatus.RUNNING
            if policy_alone and not self.problems:
                self.problems.append(f"{folder.path} has a policy, and neither checkpoint nor summary.")
            return RunStatus.NOT_BEGUN if index is None else RunStatus.INTERRUPTED
        for path in (folder.policy_file, folder.summary_file):
            if not os.path.lexists(path):
                self.problems.append(f"{path} is missing, though the run is finished.")
        if not os.path.lexists(folder.checkpoint_index):
            self.notes.append(f"{folder.checkpoint_index} is missing: nothing can learn on from this run.")
        return RunStatus.FINISHED

    def _reached(self, reached: Reached | None) -> dict[str, Any]:
        if reached is None:
            return {}
        return {
            "stage": printable(reached.stage),
            "iteration": reached.done,
            "iterations": reached.total,
            "clean_laps": reached.clean_laps,
            "lap_time_s": reached.lap_time_s,
        }

    def _results(self, summary: Summary | None, evaluation: RunEvaluation | None) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if summary is not None:
            values |= {"seed": summary.seed, "car": _text(summary.car), "digest": _text(summary.digest)}
            values |= {"train_seconds": summary.train_seconds, "clean_laps": summary.clean_fraction}
            values |= {"outlap_version": _text(summary.versions.get("outlap"))}
        if evaluation is not None:
            values |= {"lap_time_s": evaluation.mean_lap_time_s}
        return values

    def _recipe(self, about: About | None) -> str | None:
        """As the checkpoint says, else the training file."""
        given = about.config.get("recipe") if about is not None else None
        content = self._read(self._training)
        if given is None and isinstance(content, dict):
            given = content.get("recipe")
        return _text(given)

    def _training(self) -> Any:
        path = self.folder.training_file
        if not os.path.lexists(path) or path.is_symlink():
            return None
        return read_mapping(path, "training file", follow=False)

    def _unknown(self, name: str, record: RunRecord | None) -> None:
        if record is not None and record.model_extra:
            keys = ", ".join(sorted(map(str, record.model_extra)))
            self.notes.append(f"{self.folder.path}: the {name} has keys that this Outlap does not know: {keys}.")

    def _changed(self) -> datetime | None:
        folder = self.folder
        times = []
        for path in (folder.checkpoint_index, folder.summary_file, folder.policy_file, folder.training_file):
            try:
                times.append(os.lstat(path).st_mtime)
            except OSError:
                continue
        try:
            return datetime.fromtimestamp(max(times), UTC) if times else None
        except (OverflowError, ValueError, OSError):
            return None


def printable(text: str) -> str:
    """The text with everything escaped that a terminal would obey or could not show."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _text(value: object) -> str | None:
    """A short text of what ought to be one."""
    return printable(value)[:100] if isinstance(value, str) else None


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return 0
