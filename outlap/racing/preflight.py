"""What must be right before a race's processes are started, so that a mistake is told in one sentence at once."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from outlap.errors import OutlapError
from outlap.launching.programs import require_ros
from outlap.policy.file import load_policy
from outlap.racing.result import RESULT_FILES
from outlap.track.formats import load_track
from outlap.vehicle.car import load_car


def check_race(policy: Path, track: str, laps: int, json: Path | None, out: Path, car: str) -> None:
    """See that ``policy`` may drive ``car`` on ``track``, and that the results can be written.

    Raises:
        OutlapError: the first thing that is wrong.
    """
    load_policy(policy, car=load_car(car))
    check_surroundings(track, laps, json, out, car)


def check_surroundings(track: str, laps: int, json: Path | None, out: Path, car: str) -> None:
    """See that all but the policy is right for a race; what a demo checks before it trains one.

    Raises:
        OutlapError: the first thing that is wrong.
    """
    if laps < 1:
        raise OutlapError(f"a race is over {laps} laps? Give at least 1.")
    load_car(car)
    load_track(track)  # takes longer
    _check_writable(out)
    if json is not None:
        check_file(json)
    require_ros()


def clear_results(out: Path) -> None:
    """Remove an earlier race's results from ``out``, lest they pass for this one's.

    Raises:
        OutlapError: one of them cannot be removed.
    """
    for path in (out / name for name in RESULT_FILES):
        if path.is_dir():
            raise OutlapError(f"{path} is a folder where a race's result belongs: remove it, or choose another --out.")
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutlapError(f"cannot remove {path}: {error.strerror or error}.") from error


def check_file(path: Path) -> None:
    """See that a result can be written to ``path``.

    Raises:
        OutlapError: it is a folder, or its folder cannot be written.
    """
    if path.is_dir():
        raise OutlapError(f"{path} is a folder: give a file name for the result.")
    _check_writable(path.parent)


def _check_writable(folder: Path) -> None:
    made: list[Path] = []
    try:
        made += [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutlapError(f"cannot write to {folder}: {error.strerror or error}.") from error
    finally:
        # Only tried: a later check may still refuse, and nothing should be left then.
        with contextlib.suppress(OSError):
            for path in made:
                path.rmdir()
