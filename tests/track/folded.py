"""Tracks whose inner border folds: wide roads round corners whose centre-line radius is below half of the width."""

from __future__ import annotations

import numpy as np
import shapely

from outlap.track.check import checked_track
from outlap.track.track import Points, Track

WIDTH = 1.07  # m, that of most real routes
RADIUS = 0.45  # m, of a centre line: less than half of the width
SPACING = 0.3  # m, between rows on straights, as in real routes

Shape = tuple[list[tuple[float, float]], list[float]]

# Corners of centre lines, m, counterclockwise, and the radius of each. The L has one corner whose inner border folds,
# the comb six, two of them within 2 m, and hairpins between them that nearly do.
L_SHAPE: Shape = ([(0, 0), (8, 0), (8, 3), (4, 3), (4, 8), (0, 8)], [1.5, 1.5, 1.5, RADIUS, 1.5, 1.5])
COMB: Shape = (
    [(0, 0), (9, 0), (9, 6), (7.4, 6), (7.4, 3), (5.4, 3), (5.4, 6), (3.8, 6), (3.8, 3), (1.6, 3), (1.6, 6), (0, 6)],
    [RADIUS, 1.0, 0.75, 0.75, 0.5, 0.5, 0.75, 0.75, 0.4, RADIUS, 0.75, 0.75],
)


def folded(shape: Shape = L_SHAPE, uneven: bool = False) -> Track:
    """A road of even width about a rounded polygon.

    Row k of a border is the point nearest to the centre's row k, so that rows repeat in a fold; ``uneven`` spaces each
    border's rows evenly instead, so that they lie up to a metre before or behind the centre's.
    """
    center = _rounded(*shape)
    road = shapely.Polygon(center)
    lines = [center]
    for offset in (-WIDTH / 2, WIDTH / 2):
        ring = shapely.LinearRing(shapely.geometry.polygon.orient(road.buffer(offset, quad_segs=16)).exterior)
        at = np.asarray(shapely.line_locate_point(ring, shapely.points(center)))
        if uneven:
            at = (at[0] + np.linspace(0, ring.length, len(center), endpoint=False)) % ring.length
        lines.append(shapely.get_coordinates(shapely.line_interpolate_point(ring, at)))
    return checked_track("folded", *lines)


def _rounded(corners: list[tuple[float, float]], radii: list[float]) -> Points:
    """Closed rows along a polygon whose corners are rounded."""
    at = np.array(corners, dtype=np.float64)
    rows: list[Points] = []
    end = None
    for k in range(len(at) + 1):  # the first corner again, to close the line
        before, here, after = (at[(k + beside) % len(at)] for beside in (-1, 0, 1))
        into: Points = (here - before) / np.linalg.norm(here - before)
        out: Points = (after - here) / np.linalg.norm(after - here)
        turn = float(np.arctan2(into[0] * out[1] - into[1] * out[0], into @ out))
        radius = radii[k % len(at)]
        cut = radius * np.tan(abs(turn) / 2)
        begin = here - cut * into
        if end is not None:
            count = max(1, round(float(np.linalg.norm(begin - end)) / SPACING))
            rows.append(end + (begin - end) * (np.arange(count) / count)[:, None])
        if k < len(at):
            side = (1.0 if turn > 0 else -1.0) * np.array([-into[1], into[0]])
            middle = begin + radius * side
            angles = np.linspace(0, abs(turn), max(3, round(radius * abs(turn) / 0.15)) + 1)[:-1, None]
            rows.append(middle - radius * (np.cos(angles) * side - np.sin(angles) * into))
        end = here + cut * out
    return np.concatenate(rows)
