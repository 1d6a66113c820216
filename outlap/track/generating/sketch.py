"""Sketches of random laps: closed polygons, counterclockwise, whose corners a generator then rounds."""

from __future__ import annotations

import math

import numpy as np

from outlap.track.polyline import first_crossing
from outlap.track.track import Points


def sketch(rng: np.random.Generator, length: float, apart: float, tightness: float) -> Points:
    """Corners (N, 2) m of a random lap about ``length`` m long, its parts about ``apart`` m from each other.

    Either a ring of corners about a middle (ovals, triangles, stars) or the outline of a patch of squares (hairpins,
    parallel straights, right angles), pulled about. ``tightness`` 0 to 1 sets how many corners there are.
    """
    # In a ring the straights grow with the lap, and real long tracks have more bends rather than longer straights.
    ring = rng.uniform() < min(0.4, 6.0 / length) * (1.2 - tightness)
    corners = _ring(rng, length, tightness) if ring else _patch(rng, length, apart, tightness)
    corners = _stretched(rng, corners)
    corners = corners * (length / _perimeter(corners))
    for _ in range(rng.poisson((0.2 + 1.0 * tightness) * length / 20)):
        corners = _with_chicane(rng, corners, apart)
        corners = corners * (length / _perimeter(corners))
    return np.ascontiguousarray(corners)


def _perimeter(corners: Points) -> float:
    return float(np.hypot(*(np.roll(corners, -1, axis=0) - corners).T).sum())


def _stretched(rng: np.random.Generator, corners: Points) -> Points:
    """Stretched one way, by up to two, and turned to any heading."""
    corners = corners * np.array([rng.uniform(1.0, 2.0), 1.0])
    angle = rng.uniform(0, 2 * math.pi)
    cosine, sine = math.cos(angle), math.sin(angle)
    return corners @ np.array([[cosine, sine], [-sine, cosine]])


def _ring(rng: np.random.Generator, length: float, tightness: float) -> Points:
    """Corners at uneven angles and distances round a middle."""
    count = int(rng.integers(3, 6 + round(5 * tightness + length / 15)))
    angles = (np.arange(count) + rng.uniform(-0.35, 0.35, count)) * (2 * math.pi / count)
    radii = rng.uniform(1.0 - 0.35 - 0.4 * tightness, 1.0, count)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]


def _patch(rng: np.random.Generator, length: float, apart: float, tightness: float) -> Points:
    """Outline of a random patch of squares that touches itself nowhere, its corners pulled about, some left out."""
    most = max(4, int(length / (1.15 * apart)))  # edges of the outline, as many as there is room for
    edges = 4 + (min(most, 60) - 4) * rng.uniform(0.3 + 0.4 * tightness, 0.6 + 0.4 * tightness)
    cells = _grown(rng, int(edges), branchy=rng.uniform())
    corners = _outline(cells)
    wanted = rng.uniform(0.0, 0.25)
    for i in reversed(range(len(corners))):
        if len(corners) > 4 and rng.uniform() < wanted:
            corners = np.delete(corners, i, axis=0)
    pulled = corners + rng.uniform(-1.0, 1.0, corners.shape) * rng.uniform(0.0, 0.35)
    return corners if first_crossing(pulled, pulled, True)[0] >= 0 else pulled


def _grown(rng: np.random.Generator, edges: int, branchy: float) -> set[tuple[int, int]]:
    """Squares grown from one until their outline has at least ``edges`` edges; without holes or touching corners."""
    cells = {(0, 0)}
    outline = 4
    for _ in range(12 * edges):
        if outline >= edges:
            break
        order = sorted(cells)
        x, y = order[rng.integers(len(order))]
        dx, dy = ((1, 0), (0, 1), (-1, 0), (0, -1))[rng.integers(4)]
        new = (x + dx, y + dy)
        if new in cells:
            continue
        beside = [(new[0] + a, new[1] + b) in cells for a, b in _AROUND]
        # Once round the new square: one single run of neighbours keeps the patch free of holes and touching corners.
        runs = sum(beside[i] and not beside[i - 1] for i in range(8))
        shared = sum(beside[::2])
        if runs == 1 and (shared == 1 or rng.uniform() > branchy):
            # A lone diagonal neighbour in the run touches at a corner unless the square between is there too.
            if any(beside[i] and not (beside[i - 1] or beside[(i + 1) % 8]) for i in (1, 3, 5, 7)):
                continue
            cells.add(new)
            outline += 4 - 2 * shared
    return cells


# The square beside, and where the edge towards it starts and ends.
_EDGES = (
    ((0, -1), (0, 0), (1, 0)),
    ((1, 0), (1, 0), (1, 1)),
    ((0, 1), (1, 1), (0, 1)),
    ((-1, 0), (0, 1), (0, 0)),
)
# The eight squares round one, in order.
_AROUND = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))


def _outline(cells: set[tuple[int, int]]) -> Points:
    """Corners of the patch's outline, counterclockwise."""
    # Every edge with a square of the patch on its left and none on its right.
    follows = {
        (x + a, y + b): (x + c, y + d)
        for x, y in cells
        for (dx, dy), (a, b), (c, d) in _EDGES
        if (x + dx, y + dy) not in cells
    }
    first = min(follows)
    points, place = [first], follows[first]
    while place != first:
        points.append(place)
        place = follows[place]
    line = np.array(points, dtype=np.float64)
    before, after = line - np.roll(line, 1, axis=0), np.roll(line, -1, axis=0) - line
    return line[np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > 0.5]


def _with_chicane(rng: np.random.Generator, corners: Points, apart: float) -> Points:
    """The longest edge with a few corners swerving to either side put in, if there is room."""
    after = np.roll(corners, -1, axis=0)
    edges = np.hypot(*(after - corners).T)
    i = int(edges.argmax())
    swerves = int(rng.integers(2, 6))
    if edges[i] < (swerves + 1) * apart:
        return corners
    along = np.linspace(0, 1, swerves + 2)[1:-1]
    direction = (after[i] - corners[i]) / edges[i]
    normal = np.array([-direction[1], direction[0]])
    sides = rng.choice([-1.0, 1.0]) * (-1.0) ** np.arange(swerves) * rng.uniform(0.15, 0.5, swerves) * apart
    inserted = corners[i] + along[:, None] * (after[i] - corners[i]) + sides[:, None] * normal
    return np.insert(corners, i + 1, inserted, axis=0)
