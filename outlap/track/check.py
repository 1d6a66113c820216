"""Turns rows of points into a track, or says in one sentence what about them cannot be driven."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import ArrayLike

from outlap.errors import OutlapError
from outlap.track.polyline import REPEATED, arc_lengths, distinct_rows, first_crossing, local_distances, signed_area
from outlap.track.track import Points, Track

MIN_ROWS = 4  # fewer cannot go round
MAX_ROWS = 20_000  # above it the checks, quadratic in the rows, would take seconds
MIN_WIDTH = 0.10  # m, about half of a 1/18 car's width: no car can keep its wheels on less
MAX_COORDINATE = 10_000.0  # m, from the origin: further is surely another unit
PAIRING_REACH = 2.0  # m along the lap, by how much real routes pair centre and border rows askew (up to 1 m), and more


def checked_track(
    name: str, center: ArrayLike, left: ArrayLike, right: ArrayLike, *, where: str | None = None
) -> Track:
    """Build a track from the rows of a closed route.

    Repeated rows are merged and a first row repeated as the last is dropped. The borders may be given in either order:
    they are put on the left and the right of the direction of travel, which is the order of the rows.

    Args:
        name: the track's name; characters other than letters, digits, ``_.-`` become ``_``.
        center: (N, 2) m, centre line.
        left: (N, 2) m, one border.
        right: (N, 2) m, the other border.
        where: what opens the error messages, such as the file; the name if not given. Rows count from 0.

    Raises:
        OutlapError: the rows are no closed road; the sentence names the row.
    """
    where = where or f"track {name}"
    lines = [_points(points, where) for points in (center, left, right)]
    if len({len(line) for line in lines}) > 1:
        counts = ", ".join(str(len(line)) for line in lines)
        raise OutlapError(f"{where}: the centre line and both borders must have as many rows each, not {counts}.")
    rows = np.concatenate(lines, axis=1)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1) | (np.abs(rows) > MAX_COORDINATE).any(axis=1))
    if len(bad):
        raise OutlapError(f"{where}: row {bad[0]} holds a number that is no place in metres ({_text(rows[bad[0]])}).")
    number = np.arange(len(rows))
    keep = np.concatenate([np.full(min(1, len(rows)), True), np.hypot(*np.diff(rows[:, :2], axis=0).T) > REPEATED])
    rows, number = rows[keep], number[keep]
    if len(rows) > 1 and np.hypot(*(rows[0, :2] - rows[-1, :2])) <= REPEATED:
        rows, number = rows[:-1], number[:-1]
    if len(rows) < MIN_ROWS:
        raise OutlapError(
            f"{where}: only {len(rows)} different rows of points, and a closed track needs at least {MIN_ROWS}."
        )
    _refuse_open(rows[:, :2], number, where)
    return _oriented(name, rows, number, where)


def _points(points: ArrayLike, where: str) -> Points:
    try:
        array = np.asarray(points)
        if array.dtype.kind not in "iuf":
            raise ValueError
        array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise OutlapError(f"{where}: the points must be real numbers.") from error
    if array.ndim != 2 or array.shape[1] != 2:
        raise OutlapError(f"{where}: a line of points must have the shape (rows, 2), not {array.shape}.")
    if len(array) > MAX_ROWS:
        raise OutlapError(f"{where}: {len(array)} rows are refused, thin them out to at most {MAX_ROWS}.")
    return array


def _refuse_open(center: Points, number: np.ndarray, where: str) -> None:
    gap = float(np.hypot(*(center[0] - center[-1])))
    longest = float(np.hypot(*np.diff(center, axis=0).T).max())
    if gap > 2 * longest:
        raise OutlapError(
            f"{where}: the line is not closed: its last row ({number[-1]}) ends {gap:.2f} m from its first, while "
            f"no two other neighbours are more than {longest:.2f} m apart; repeat the first row as the last."
        )


def _oriented(name: str, rows: np.ndarray, number: np.ndarray, where: str) -> Track:
    center, one, other = (np.ascontiguousarray(rows[:, i : i + 2]) for i in (0, 2, 4))
    for what, border in (("first", one), ("second", other)):
        i, j = first_crossing(center, border, False)
        if i >= 0:
            raise OutlapError(
                f"{where}: the {what} border crosses the centre line, between rows {number[i]} and "
                f"{number[(i + 1) % len(number)]} of the centre and at row {number[j]} of the border."
            )
    for what, line in (("centre line", center), ("first border", one), ("second border", other)):
        kept = distinct_rows(line)
        distinct = np.ascontiguousarray(line[kept])
        if len(distinct) < 3:
            raise OutlapError(f"{where}: the {what} has only {len(distinct)} different points.")
        i, j = first_crossing(distinct, distinct, True)
        if i >= 0:
            raise OutlapError(f"{where}: the {what} crosses itself, at rows {number[kept[i]]} and {number[kept[j]]}.")
    _refuse_narrow(center, one, other, number, where)
    sides = _side(center, one), _side(center, other)
    if sides[0] == sides[1]:
        side = "left" if sides[0] else "right"
        raise OutlapError(f"{where}: both borders lie on the {side} of the centre line; one must lie on either side.")
    left, right = (one, other) if sides[0] else (other, one)
    return Track(re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:64] or "track", center, left, right)


def _refuse_narrow(center: Points, one: Points, other: Points, number: np.ndarray, where: str) -> None:
    arc = arc_lengths(center)
    kept = distinct_rows(other)
    line = np.ascontiguousarray(other[kept])
    line_arc = np.concatenate([arc[kept], arc[-1:]])
    width = local_distances(one, arc[:-1], line, line_arc, PAIRING_REACH)
    # A pair of equal rows is a road of no width however oddly its neighbours lie.
    width = np.minimum(width, np.hypot(*(one - other).T))
    narrow = int(width.argmin())
    if width[narrow] < MIN_WIDTH:
        raise OutlapError(
            f"{where}: the road is only {width[narrow]:.3f} m wide at row {number[narrow]}; "
            f"at least {MIN_WIDTH:.2f} m are needed."
        )


def _side(center: Points, border: Points) -> bool:
    """Whether ``border``, which does not cross the closed ``center``, runs on its left."""
    inside = _encloses(center, border[0])
    return inside == (signed_area(center) > 0)


def _encloses(points: Points, place: Points) -> bool:
    """Whether the polygon encloses the place: how often a ray to the right crosses it is odd."""
    a, b = points, np.roll(points, -1, axis=0)
    spans = (a[:, 1] > place[1]) != (b[:, 1] > place[1])
    x = a[spans, 0] + (place[1] - a[spans, 1]) * (b[spans, 0] - a[spans, 0]) / (b[spans, 1] - a[spans, 1])
    return bool(np.count_nonzero(x > place[0]) % 2)


def _text(row: np.ndarray) -> str:
    return ", ".join(f"{value:g}" for value in row)
