"""The perturbation suite: rows of disturbances, each laid over a randomization."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from outlap.errors import OutlapError
from outlap.files import Model, find_config, read_yaml, validate
from outlap.simulation.randomization import CameraRanges, CarRanges, LookRanges, PictureRanges, Randomization

RowName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")]


class Row(Model):
    """One disturbance: the keys of a randomization that it sets."""

    says: Annotated[str, Field(min_length=1, max_length=80)]  # what it stands for
    look: LookRanges | None = None
    camera: CameraRanges | None = None
    picture: PictureRanges | None = None
    car: CarRanges | None = None


class Suite(Model):
    """A suite file; ``config/evaluation/perturbations.yaml`` is the one that ships."""

    rows: Annotated[dict[RowName, Row], Field(min_length=1)]


def load_suite(name_or_path: str | Path = "perturbations") -> Suite:
    """Read a suite: a path, or the name of one in ``config/evaluation``.

    Raises:
        OutlapError: there is no such file, or it is refused; the message names file and key.
    """
    return read_yaml(find_config("evaluation", name_or_path, "suite"), Suite, "suite")


def chosen(suite: Suite, names: Sequence[str]) -> dict[str, Row]:
    """The rows of these names, in the suite's order; all without any name.

    Raises:
        OutlapError: the suite has no such row.
    """
    for name in names:
        if name not in suite.rows:
            raise OutlapError(f"the suite has no row {name!r}: choose from {', '.join(suite.rows)}.")
    return {name: row for name, row in suite.rows.items() if not names or name in names}


def disturbed(base: Randomization, name: str, row: Row) -> Randomization:
    """``base`` with the row's keys in place of its own.

    Raises:
        OutlapError: the two do not fit together.
    """
    content = base.model_dump(exclude_none=True)
    for section, keys in row.model_dump(exclude_none=True, exclude={"says"}).items():
        content[section] = {**content.get(section, {}), **keys}
    return validate(content, Randomization, f"row {name}", "randomization")
