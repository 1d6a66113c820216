"""Track files: Outlap's own ``track.yaml`` and DeepRacer's ``.npy`` routes, read and written."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from outlap.errors import OutlapError
from outlap.files import Model, read_bytes, read_yaml, share_directory, write_atomic
from outlap.track.check import checked_track
from outlap.track.polyline import signed_area
from outlap.track.track import Track

TRACK_FILE = "track.yaml"  # in a track's folder
COLUMNS = 6  # centre x y, and x y of either border

HEADER = """\
# An Outlap track: a closed road given by its centre line and its two borders.
format: 1 # version of this file's layout
name: {name} # letters, digits, dot, dash and underscore
closed: true # the road leads from the last row back to the first; only closed tracks are known
direction: forward # "forward" drives the rows in their order, "reverse" against it
rows: # m; each row [centre x, centre y, left border x, y, right border x, y], left and right as the rows run
"""


class TrackFile(Model):
    """What a track.yaml holds."""

    format: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    closed: Literal[True]
    direction: Literal["forward", "reverse"] = "forward"
    rows: list[Annotated[list[float], Field(min_length=COLUMNS, max_length=COLUMNS)]]


def track_names() -> list[str]:
    """Names of the tracks that ship with Outlap."""
    return sorted(path.parent.name for path in (share_directory() / "worlds").glob(f"*/{TRACK_FILE}"))


def load_track(name_or_path: str | Path) -> Track:
    """Read a track: a shipped name, a folder that holds a track.yaml, a .yaml file, or a DeepRacer .npy route.

    Raises:
        OutlapError: there is no such track, or its file is refused; the sentence names file and row.
    """
    path = track_file(name_or_path)
    return _load_route(path) if path.suffix == ".npy" else _load_yaml(path)


def track_file(name_or_path: str | Path) -> Path:
    """The file that :func:`load_track` reads for this name or path; a named one need not exist.

    Raises:
        OutlapError: it is neither a file of a known kind, nor a folder with a track.yaml, nor a shipped name.
    """
    path = Path(name_or_path)
    if path.suffix in (".npy", ".yaml", ".yml"):
        return path
    if _is_file(path / TRACK_FILE):
        return path / TRACK_FILE
    if _is_file(path):
        raise OutlapError(f"{path}: a track file must end in .yaml (Outlap's own) or .npy (a DeepRacer route).")
    shipped = share_directory() / "worlds" / path / TRACK_FILE
    if _is_file(shipped):
        return shipped
    if path.is_dir():
        raise OutlapError(f"{path}: the folder holds no {TRACK_FILE}.")
    raise OutlapError(
        f"there is no track {str(name_or_path)!r}: give a track.yaml, its folder, a DeepRacer .npy route, "
        f"or one of {', '.join(track_names())}."
    )


def save_track(track: Track, path: Path) -> None:
    """Write a track as ``.yaml`` or, for DeepRacer, as ``.npy``; nothing half-written is ever left.

    Raises:
        OutlapError: another suffix, or the folder cannot be written.
    """
    rows = np.concatenate([track.center, track.left, track.right], axis=1)
    if path.suffix in (".yaml", ".yml"):
        lines = [f"- [{', '.join(f'{value:.4f}' for value in row)}]\n" for row in rows]
        write_atomic(path, HEADER.format(name=track.name) + "".join(lines))
    elif path.suffix == ".npy":
        write_atomic(path, _route(track))
    else:
        raise OutlapError(f"{path}: a track is written as .yaml or .npy, not as {path.suffix or 'a name without one'}.")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # such as a name that is too long
        raise OutlapError(f"{path}: cannot look for a track there: {error.strerror or error}.") from error


def _load_yaml(path: Path) -> Track:
    file = read_yaml(path, TrackFile, "track file")
    rows = np.array(file.rows, dtype=np.float64).reshape(-1, COLUMNS)
    track = checked_track(file.name, rows[:, 0:2], rows[:, 2:4], rows[:, 4:6], where=str(path))
    return track if file.direction == "forward" else track.reversed()


def _load_route(path: Path) -> Track:
    data = read_bytes(path, "route")
    if not data:
        raise OutlapError(f"{path}: the route is an empty file.")
    try:
        # Never a pickle: a route from the internet must not run code.
        rows = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # NumPy's reader raises a dozen kinds on a damaged header
        reason = "it holds pickled Python objects" if "allow_pickle" in str(error) else "it is no NumPy array file"
        raise OutlapError(f"{path}: the route is refused: {reason}; a (rows, 6) array of numbers is needed.") from error
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != COLUMNS or rows.dtype.kind not in "iuf":
        found = f"{rows.dtype} {rows.shape}" if isinstance(rows, np.ndarray) else "an archive"
        raise OutlapError(
            f"{path}: the route must be an array of shape (rows, 6), centre, inner and outer border x and y in metres, "
            f"not {found}."
        )
    return checked_track(path.stem, rows[:, 0:2], rows[:, 2:4], rows[:, 4:6], where=str(path))


def _route(track: Track) -> bytes:
    """DeepRacer's layout: centre, inner, outer, and the first row again as the last."""
    # The outer border is the one that encloses the other.
    left_is_outer = abs(signed_area(track.left)) > abs(signed_area(track.right))
    inner, outer = (track.right, track.left) if left_is_outer else (track.left, track.right)
    rows = np.concatenate([track.center, inner, outer], axis=1)
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate([rows, rows[:1]]).astype(np.float64), allow_pickle=False)
    return buffer.getvalue()
