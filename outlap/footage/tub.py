"""Reads Donkeycar tubs (version 2): the recordings of real cars that a policy is measured against.

A tub is a folder with ``manifest.json`` (JSON lines; the last names the catalogs in ``paths`` and the erased records in
``deleted_indexes``), the catalogs (JSON lines, one a record) and ``images/``. A record that cannot be used is left out
and told of by file and line; the recording then goes on as a new stretch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.errors import OutlapError
from outlap.files import read_bytes
from outlap.policy.runtime import MAX_GAP

Picture = NDArray[np.uint8]

MANIFEST = "manifest.json"
DRIVEN = "user"  # user/mode of a record in which a person steered; in the others a program did
IMAGE_BYTES = 8 * 1024 * 1024
CATALOG_BYTES = 256 * 1024 * 1024  # a record takes some 200 bytes, a catalog holds 1,000 of them
LARGEST = 1e15  # of a number in a record; in ms that is the year 33658


@dataclass(frozen=True)
class Tub:
    """One recording in which a person drove; arrays are over its usable records, in the order of their time.

    Attributes:
        folder: of the tub.
        stamp: (n,) s since the first record.
        steering: (n,) the human's, left positive, from -1 to 1 (the tub's own ``user/angle`` is right positive).
        segment: (n,) number of the stretch that a record belongs to; within one no record lacks, and no two are
            further apart than 0.5 s.
        images: picture files.
        places: catalog file and line of each record, for messages.
        problems: one sentence for each record left out, by file and line.
        others: records left out because a program steered.
    """

    folder: Path
    stamp: NDArray[np.float64]
    steering: NDArray[np.float64]
    segment: NDArray[np.int64]
    images: tuple[Path, ...]
    places: tuple[str, ...]
    problems: tuple[str, ...] = ()
    others: int = 0

    def __len__(self) -> int:
        return len(self.stamp)

    def picture(self, row: int) -> Picture | str:
        """The picture (H, W) of grey levels, or in a few words why there is none."""
        path = self.images[row]
        try:
            content = read_bytes(path, "picture", IMAGE_BYTES)
        except OutlapError as error:
            return str(error).rstrip(".")
        if content[:2] == b"\xff\xd8" and b"\xff\xd9" not in content[-64:]:  # a JPEG's first and last marker
            return f"{path}: the picture is cut short"
        try:
            picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) if content else None
        except cv2.error:
            picture = None
        return f"{path}: the picture cannot be decoded" if picture is None else picture.astype(np.uint8, copy=False)

    def keep(self, mask: NDArray[np.bool_], problems: tuple[str, ...] = ()) -> Tub:
        """The records of ``mask`` (n,) bool only; a stretch ends where one lacks."""
        rows = np.flatnonzero(mask)
        new = np.ones(len(rows), bool)
        new[1:] = (np.diff(rows) > 1) | (np.diff(self.segment[rows]) > 0)
        return replace(
            self,
            stamp=self.stamp[rows],
            steering=self.steering[rows],
            segment=np.cumsum(new) - 1,
            images=tuple(self.images[row] for row in rows),
            places=tuple(self.places[row] for row in rows),
            problems=self.problems + problems,
        )

    def part(self, fraction: float, block: float = 20.0) -> Tub:
        """Evenly spread blocks of ``block`` s that make up about ``fraction`` of the recording."""
        if fraction >= 1:
            return self
        return self.keep((self.stamp / block) % (1 / fraction) < 1)


def find_tubs(folder: Path) -> list[Path]:
    """The tubs at or under ``folder``, in alphabetical order.

    Raises:
        OutlapError: there is none.
    """
    if (folder / MANIFEST).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.rglob(MANIFEST)) if folder.is_dir() else []
    if not found:
        raise OutlapError(f"{folder}: no Donkeycar tub (a folder with {MANIFEST}) is there or under it.")
    return found


def read_tub(folder: Path) -> Tub:
    """Read a tub's records; pictures are read when they are asked for.

    Raises:
        OutlapError: the manifest or a catalog cannot be read, or no record is usable.
    """
    paths, deleted = _manifest(folder / MANIFEST)
    records: dict[int, tuple[float, float, str, Path, str]] = {}  # by index
    problems: list[str] = []
    others = 0
    for name in paths:
        for place, line in _lines(folder / name):
            record = _record(line, folder)
            if isinstance(record, str):
                problems.append(f"{place}: {record}; the record is left out.")
            elif record.index in deleted:
                continue
            elif record.mode != DRIVEN:
                others += 1
            elif record.index in records:
                problems.append(f"{place}: record {record.index} has come before; the later one is left out.")
            else:
                records[record.index] = (record.stamp, record.steering, record.session, record.image, place)
    if not records:
        first = f" First: {problems[0]}" if problems else ""
        raise OutlapError(
            f"{folder}: the tub holds no record in which a person drove ({len(deleted)} erased, {others} driven by a "
            f"program, {len(problems)} broken).{first}"
        )
    index = np.array(sorted(records))
    rows = [records[i] for i in index.tolist()]
    stamp = np.array([row[0] for row in rows])
    session = [row[2] for row in rows]
    step = np.diff(stamp)
    stamp = stamp[0] + np.concatenate([[0.0], np.cumsum(np.where(step > 0, step, 2 * MAX_GAP))])  # a clock set back
    new = np.ones(len(rows), bool)
    new[1:] = (np.diff(index) > 1) | (step <= 0) | (step > MAX_GAP)
    new[1:] |= [one != other for one, other in pairwise(session)]
    return Tub(
        folder=folder,
        stamp=stamp - stamp[0],
        steering=np.array([row[1] for row in rows]),
        segment=np.cumsum(new) - 1,
        images=tuple(row[3] for row in rows),
        places=tuple(row[4] for row in rows),
        problems=tuple(problems),
        others=others,
    )


@dataclass(frozen=True)
class _Record:
    index: int
    stamp: float  # s
    session: str
    mode: str
    steering: float  # left positive
    image: Path


def _record(line: str, folder: Path) -> _Record | str:
    """One line of a catalog, or in a few words what is wrong with it."""
    try:
        content: Any = json.loads(line)
    except (ValueError, RecursionError):
        return "not a line of JSON"
    if not isinstance(content, dict):
        return "not a JSON object"
    index, image = content.get("_index"), content.get("cam/image_array")
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        return "no whole number in _index"
    stamp, angle = (_number(content.get(key)) for key in ("_timestamp_ms", "user/angle"))
    if stamp is None or angle is None:
        return f"no number in {'_timestamp_ms' if stamp is None else 'user/angle'}"
    if abs(angle) > 1:
        return f"user/angle {angle:g} is not within -1 and 1"
    if not isinstance(image, str) or not image or Path(image).name != image:
        return "no file name in cam/image_array"
    mode, session = content.get("user/mode", DRIVEN), content.get("_session_id", "")
    return _Record(index, stamp / 1000, str(session), str(mode), -angle, folder / "images" / image)


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > LARGEST:
        return None
    return float(value) if math.isfinite(value) else None


def _manifest(path: Path) -> tuple[list[str], frozenset[int]]:
    """The catalogs' names and the erased indexes."""
    content: Any = None
    for _, line in _lines(path):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and "paths" in found:
            content = found
    if content is None:
        raise OutlapError(f"{path}: no line of JSON with paths: this is not the manifest of a Donkeycar tub (v2).")
    paths, deleted = content["paths"], content.get("deleted_indexes", [])
    if not isinstance(paths, list) or not paths or not all(isinstance(p, str) and Path(p).name == p for p in paths):
        raise OutlapError(f"{path}: paths must list the names of catalogs in the same folder.")
    if not isinstance(deleted, list) or not all(isinstance(index, int) for index in deleted):
        raise OutlapError(f"{path}: deleted_indexes must list whole numbers.")
    return paths, frozenset(deleted)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Place and text of every line that is not empty."""
    text = read_bytes(path, "tub's file", CATALOG_BYTES).decode(errors="replace")
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{path}, line {number}", line
