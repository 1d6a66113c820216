"""Crossings and distances of lines, against plain loops over all pairs of segments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from outlap.track.polyline import BLOCK, arc_lengths, first_crossing, local_distances

Points = np.ndarray


def side(p: Points, q: Points, r: Points) -> float:
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])


def meet(p: Points, q: Points, r: Points, s: Points) -> bool:
    """Whether the segments from p to q and from r to s have a point in common."""
    apart = any(max(p[k], q[k]) < min(r[k], s[k]) or max(r[k], s[k]) < min(p[k], q[k]) for k in (0, 1))
    return not apart and side(p, q, r) * side(p, q, s) <= 0 and side(r, s, p) * side(r, s, q) <= 0


def first_of_all(a: Points, b: Points, same: bool) -> tuple[int, int]:
    n, m = len(a), len(b)
    for i in range(n):
        for j in range(i + 2 if same else 0, m):
            if same and (i, j) == (0, n - 1):
                continue
            if meet(a[i], a[(i + 1) % n], b[j], b[(j + 1) % m]):
                return i, j
    return -1, -1


def loop(rng: np.random.Generator, rows: int, noise: float, radius: float = 1.0) -> Points:
    angle = np.sort(rng.uniform(0, 2 * np.pi, rows))
    return (radius + rng.normal(0, noise, rows))[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05, 0.5])
def test_the_first_crossing_is_that_of_a_plain_search(noise: float) -> None:
    rng = np.random.default_rng(1)
    found = []
    for rows in (3, 4, BLOCK - 1, BLOCK, BLOCK + 1, 70, 100):
        a, b = loop(rng, rows, noise), loop(rng, int(rng.integers(3, 90)), noise, 1.1)
        for one, other, same in ((a, b, False), (b, a, False), (a, a, True), (b, b, True)):
            found.append(first_crossing(one, other, same))
            assert found[-1] == first_of_all(one, other, same)
    if noise == 0.5:
        assert sum(pair[0] >= 0 for pair in found) > 10


def test_touching_counts_as_crossing() -> None:
    square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    assert first_crossing(square, np.array([[2.0, 0], [3, 1], [1, 1]]), False) == (0, 0)
    assert first_crossing(square, np.array([[2.0, 0.1], [3, 1], [1, 1]]), False) == (-1, -1)


@pytest.mark.parametrize("reach", [0.0, 0.3, 2.0, 100.0])
def test_distances_are_those_of_a_plain_search(reach: float) -> None:
    rng = np.random.default_rng(2)
    center = loop(rng, 80, 0.0)
    arc, line, places = arc_lengths(center), 1.2 * center, 0.9 * center + rng.normal(0, 0.02, (80, 2))
    expected = []
    for place, at in zip(places, arc[:-1], strict=True):
        best = math.inf
        for j in range(80):
            gap = abs(arc[j] - at)
            if min(gap, arc[-1] - gap) <= reach:
                begin, edge = line[j], line[(j + 1) % 80] - line[j]
                t = min(max((place - begin) @ edge / (edge @ edge), 0), 1)
                best = min(best, math.hypot(*(place - begin - t * edge)))
        expected.append(best)
    np.testing.assert_allclose(local_distances(places, arc[:-1], line, arc, reach), expected, rtol=1e-12)
