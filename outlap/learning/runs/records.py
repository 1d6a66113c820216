"""What a run says of itself in its folder: models of the JSON files there, and reading them however odd they are.

Files are read leniently, since a newer Outlap may have written more into them: keys that a model lacks are kept in its
``model_extra``; keys that it needs must be there and of their kind. Nothing is read through a link.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from outlap.errors import OutlapError
from outlap.files import read_bytes, validate

RecordT = TypeVar("RecordT", bound="RunRecord")

Part = Annotated[float, Field(ge=0, le=1)]  # of all, 0 to 1
Amount = Annotated[float, Field(ge=0)]
Seconds = Amount
Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RunRecord(BaseModel):
    """Base of what a run writes."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    def text(self, indent: int | None) -> str:
        """The file's content."""
        return json.dumps(self.model_dump(mode="json"), indent=indent) + "\n"


class Summary(RunRecord):
    """``summary.json`` of a finished run."""

    policy: str  # name of the policy file beside it
    digest: str  # of the policy, as `outlap inspect` prints it
    seed: Count
    car: str
    train_seconds: Seconds  # wall clock of the whole run
    teacher_seconds: Seconds  # of it, until the student began
    student_seconds: Seconds
    report_seconds: Seconds  # for the last laps, curves and film
    first_clean_lap_s: Seconds | None  # after the run's beginning
    camera_frames: Count  # pictures drawn
    steps_per_s: Amount  # camera pictures a second of the student's stage
    clean_fraction: Part  # clean laps of the last validation
    versions: dict[str, str]


class ValidationLap(RunRecord):
    """One lap of a validation, from a standing start; those of the last one stand in ``evaluation.json``."""

    track: str
    start_m: float  # where on the lap it began
    lap_time_s: Seconds | None  # None: not clean


class RunEvaluation(RunRecord):
    """``evaluation.json`` of a finished run: a lap from each of some places on all shipped and all given tracks."""

    clean_fraction: Part
    mean_lap_time_s: Seconds | None
    randomization: str  # where it is written down
    laps: tuple[ValidationLap, ...]
    trained_on: tuple[str, ...] = ()  # tracks among them that were given, so that this is no test of them


class LessonSummary(RunRecord):
    """``live/summary.json``: what a lesson in a live simulator has come to."""

    run: str  # folder of the run that it goes on from
    track: str
    driven_minutes: Amount
    pictures_learned_from: Count
    gradient_steps: Count
    clean_laps: Count
    put_back: Count
    clean_of_last: Part  # of the last ten episodes
    clean_when_kept: Part | None  # the same, when its policy.onnx was written
    first_clean_lap_minutes: Amount | None
    episodes: tuple[tuple[Amount, str], ...]  # minutes driven, and how each ended


class About(RunRecord):
    """What a run is, as its checkpoint says."""

    finished: bool
    versions: dict[str, str]  # of what decides its results
    seed: Count
    car: dict[str, Any]
    config: dict[str, Any]  # the training file


class Reached(RunRecord):
    """How far a run was when its checkpoint was written."""

    stage: str  # "" before the first
    done: Count  # iterations of that stage
    total: Count
    clean_laps: Part | None = None  # of the best validation so far
    lap_time_s: Seconds | None = None


class Arrays(RunRecord):
    """Where a checkpoint's arrays are."""

    file: str
    sha256: Sha256


class Versioned(RunRecord):
    """``checkpoint.json`` of any Outlap."""

    format: int


class Index(Versioned):
    """``checkpoint.json`` of this format or an older one; see :mod:`outlap.learning.runs.checkpoint`."""

    about: dict[str, Any]
    reached: Reached | None = None  # formats before 2 do not say
    arrays: Arrays
    state: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Whether what it is of came to its end."""
        return self.about.get("finished") is True

    @property
    def outlap(self) -> str:
        """The version of Outlap that wrote it, as far as it says."""
        versions = self.about.get("versions")
        return str(versions.get("outlap", "?")) if isinstance(versions, dict) else "?"


def read_json(path: Path, what: str) -> Any:
    """The content of a JSON file; None where there is no such file.

    Raises:
        OutlapError: it is a link or no regular file, too large, or not JSON.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # it is told below
    content = read_bytes(path, what, follow=False)
    try:
        return json.loads(content)
    except (ValueError, RecursionError, MemoryError) as error:  # ValueError: not JSON, or not UTF-8
        raise OutlapError(
            f"{path}: the {what} is damaged or was half written ({type(error).__name__}: {str(error)[:100]})."
        ) from error


def read_record(path: Path, model: type[RecordT], what: str) -> RecordT | None:
    """Read a JSON file into a record; None where there is no such file.

    Raises:
        OutlapError: as :func:`read_json`, and when the file lacks what ``model`` needs.
    """
    content = read_json(path, what)
    return None if content is None else validate(content, model, str(path), what)
