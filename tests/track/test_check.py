"""What cannot be driven is refused in one sentence that names file and row; odd but sound routes are put in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.track.check import checked_track
from outlap.track.polyline import signed_area

Rows = np.ndarray  # (N, 6): centre, one border, the other border


def circle(rows: int = 60, radius: float = 2.0, half_width: float = 0.4) -> Rows:
    angle = 2 * np.pi * np.arange(rows) / rows
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([unit * r for r in (radius, radius - half_width, radius + half_width)], axis=1)


def check(rows: Rows):
    return checked_track("round", rows[:, 0:2], rows[:, 2:4], rows[:, 4:6], where="round.npy")


@pytest.mark.parametrize("clockwise", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_borders_are_put_on_the_left_and_the_right_of_travel(clockwise: bool, swapped: bool) -> None:
    rows = circle()[::-1] if clockwise else circle()
    inner, outer = rows[:, 2:4], rows[:, 4:6]
    track = check(rows[:, [0, 1, 4, 5, 2, 3]] if swapped else rows)
    # Driving counterclockwise, the inside is on the left.
    np.testing.assert_array_equal(track.left, outer if clockwise else inner)
    np.testing.assert_array_equal(track.right, inner if clockwise else outer)


def test_repeated_rows_and_the_closing_row_are_merged() -> None:
    rows = circle()
    crowded = np.concatenate([rows[:7], rows[6:7], rows[6:], rows[:1]])
    np.testing.assert_array_equal(check(crowded).center, rows[:, :2])


def test_a_route_that_is_closed_without_a_closing_row_is_read() -> None:
    assert len(check(circle()).center) == 60


def test_reversed_track_starts_at_the_same_place_and_swaps_its_borders() -> None:
    track = check(circle())
    back = track.reversed()
    np.testing.assert_array_equal(back.center[0], track.center[0])
    np.testing.assert_array_equal(back.center[1], track.center[-1])
    np.testing.assert_array_equal(back.left[0], track.right[0])
    assert signed_area(back.center) == pytest.approx(-signed_area(track.center))
    again = back.reversed()
    np.testing.assert_array_equal(again.center, track.center)
    np.testing.assert_array_equal(again.left, track.left)


def nan(rows: Rows) -> Rows:
    rows[17, 3] = np.nan
    return rows


def infinite(rows: Rows) -> Rows:
    rows[17, 0] = np.inf
    return rows


def another_unit(rows: Rows) -> Rows:
    return rows * 1e5


def two_points(rows: Rows) -> Rows:
    return rows[:2]


def nothing(rows: Rows) -> Rows:
    return rows[:0]


def one_place(rows: Rows) -> Rows:
    return np.repeat(rows[:1], 20, axis=0)


def unclosed(rows: Rows) -> Rows:
    return rows[:45]


def border_across_the_centre(rows: Rows) -> Rows:
    rows[20:25, 2:4] = rows[20:25, 0:2] * 1.1
    return rows


def zero_width(rows: Rows) -> Rows:
    rows[30:33, 2:4] = rows[30:33, 0:2] * 0.999
    rows[30:33, 4:6] = rows[30:33, 0:2] * 1.001
    return rows


def border_on_the_centre(rows: Rows) -> Rows:
    rows[30, 2:4] = rows[30, 0:2]
    return rows


def both_borders_on_one_side(rows: Rows) -> Rows:
    rows[:, 4:6] = rows[:, 0:2] * 0.6
    return rows


def figure_of_eight(rows: Rows) -> Rows:
    angle = 2 * np.pi * np.arange(len(rows)) / len(rows) + 0.01
    center = np.stack([4 * np.sin(angle), 2 * np.sin(2 * angle)], axis=1)
    return np.concatenate([center, center + np.array([0, 0.4]), center - np.array([0, 0.4])], axis=1)


def border_that_crosses_itself(rows: Rows) -> Rows:
    rows[[40, 44], 4:6] = rows[[44, 40], 4:6]
    return rows


def resting_border(rows: Rows) -> Rows:
    rows[:, 2:4] = 0.0
    return rows


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (nan, "row 17 holds a number that is no place"),
        (infinite, "row 17 holds a number that is no place"),
        (another_unit, "row 0 holds a number that is no place in metres"),
        (two_points, "only 2 different rows"),
        (nothing, "only 0 different rows"),
        (one_place, "only 1 different rows"),
        (unclosed, "not closed: its last row (44) ends"),
        (border_across_the_centre, "first border crosses the centre line, between rows 19 and 20"),
        (zero_width, "only 0.0"),
        (border_on_the_centre, "first border crosses the centre line"),
        (both_borders_on_one_side, "both borders lie on the left"),
        (figure_of_eight, "crosses"),
        (border_that_crosses_itself, "second border crosses itself"),
        (resting_border, "first border has only 0 different points"),
    ],
)
def test_refused(spoil: Callable[[Rows], Rows], says: str) -> None:
    with pytest.raises(OutlapError) as refusal:
        check(spoil(circle()))
    sentence = str(refusal.value)
    assert sentence.startswith("round.npy: ")
    assert says in sentence
    assert "\n" not in sentence


def test_the_gap_of_an_unclosed_line_is_told() -> None:
    with pytest.raises(OutlapError, match=r"ends 2\.9\d m from its first"):
        check(unclosed(circle()))


def test_the_narrow_row_is_told() -> None:
    with pytest.raises(OutlapError, match=r"m wide at row 3[0-2]; at least 0\.10 m"):
        check(zero_width(circle()))


@pytest.mark.parametrize(
    "points", [np.zeros((5, 3)), np.zeros(8), np.zeros((4, 2), dtype=complex), "abc", [["a", "b"]]]
)
def test_what_is_no_line_of_points_is_refused(points: Any) -> None:
    good = circle()[:, :2]
    with pytest.raises(OutlapError, match=r"^round: "):
        checked_track("round", points, good, good, where="round")


def test_lines_of_different_lengths_are_refused() -> None:
    rows = circle()
    with pytest.raises(OutlapError, match="as many rows"):
        checked_track("round", rows[:, 0:2], rows[:-1, 2:4], rows[:, 4:6])
