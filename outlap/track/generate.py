"""Random closed tracks: straights joined by arcs, winding outlines with hairpins, and smooth wiggles.

A sketch (a polygon's corners, see :mod:`outlap.track.sketch`) is scaled to the wanted length, then either its corners
are rounded by arcs or it is smoothed as a whole, and the result is kept if the road nowhere bends too sharply for its
width and nowhere comes too close to itself. What is not given is drawn at random from the spread of real model-car
tracks.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy.interpolate import CubicHermiteSpline
from scipy.ndimage import gaussian_filter1d

from outlap.errors import OutlapError
from outlap.track.polyline import arc_lengths, clear_of_itself
from outlap.track.sketch import sketch
from outlap.track.track import Points, Track

LENGTHS = (14.0, 70.0)  # m, drawn evenly in the logarithm when no length is given
WIDTHS = (0.55, 1.5)  # m, likewise
GAP = 0.15  # m, the least between two parts of the road
INNER_RADIUS = 0.05  # m, the least radius that the inner border of a bend keeps
SPACING = 0.10  # m, between the rows of a generated track
START_STRETCH = 1.0  # m, deviation of the Gaussian over the bends when the straightest stretch is sought
ATTEMPTS = 600  # sketches tried before the wish is called impossible


def generate_track(
    rng: np.random.Generator,
    *,
    name: str = "generated",
    length: float | None = None,
    width: float | None = None,
    min_radius: float | None = None,
    tightness: float | None = None,
    width_variation: float | None = None,
) -> Track:
    """Make one random track; the same state of ``rng`` makes the same track.

    Args:
        rng: where all randomness comes from.
        name: the track's name.
        length: m, of the centre line, exact to a few millimetres; by default 14 to 70.
        width: m, mean distance between the borders; by default 0.55 to 1.5.
        min_radius: m, the tightest that the centre line bends; by default half the width and 0.05 to 0.6 more.
        tightness: 0 (few wide bends) to 1 (as many bends, as tight, as fit); by default any.
        width_variation: fraction of the width by which it swells and narrows along the lap; by default none for half
            of the tracks, else up to 0.25.

    Raises:
        OutlapError: no such track exists, or none was found in several hundred tries.
    """
    length = _drawn(rng, LENGTHS) if length is None else length
    # Short tracks have no room for wide roads: a real one is at least 16 road widths long.
    width = _drawn(rng, (WIDTHS[0], min(WIDTHS[1], max(WIDTHS[0] + 0.01, length / 16)))) if width is None else width
    tightness = rng.uniform() ** 0.6 if tightness is None else tightness
    if width_variation is None:
        width_variation = 0.0 if rng.uniform() < 0.5 else rng.uniform(0.0, 0.25)
    _refuse_nonsense(length, width, min_radius, tightness, width_variation)
    widest = 0.5 * width * (1 + width_variation)
    if min_radius is None:
        min_radius = widest + max(INNER_RADIUS, 0.6 * rng.uniform() ** 2 * (1.1 - tightness))
        # Half of the lap at most goes into one tightest turn, or a short track would have to be a circle.
        min_radius = max(widest + INNER_RADIUS, min(min_radius, length / (4 * math.pi)))
    min_radius = max(min_radius, widest + INNER_RADIUS)
    for _ in range(ATTEMPTS):
        center = _center(rng, length, 2 * widest, min_radius, tightness)
        if center is None:
            continue
        points, tangents = center
        arc = arc_lengths(points)
        half = 0.5 * width * _swelling(rng, arc, width_variation)
        if clear_of_itself(points, arc, half, GAP):
            return _track(name, points, tangents, half, reverse=rng.uniform() < 0.5)
    raise OutlapError(
        f"no track of {length:g} m length, {width:g} m width and {min_radius:.2f} m least radius was found in "
        f"{ATTEMPTS} tries: make it longer, narrower or less tight."
    )


def _drawn(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return math.exp(rng.uniform(math.log(limits[0]), math.log(limits[1])))


def _refuse_nonsense(length: float, width: float, min_radius: float | None, tightness: float, variation: float) -> None:
    for what, value, low, high in (
        ("length", length, 1.0, 1000.0),
        ("width", width, 0.1, 10.0),
        ("tightness", tightness, 0.0, 1.0),
        ("width_variation", variation, 0.0, 0.5),
        ("min_radius", min_radius if min_radius is not None else 1.0, 0.0, 100.0),
    ):
        if not low <= value <= high:
            raise OutlapError(f"a track's {what} must be between {low:g} and {high:g}, not {value:g}.")
    least = 2 * math.pi * max(min_radius or 0.0, 0.5 * width * (1 + variation) + INNER_RADIUS)
    if length < least:
        raise OutlapError(
            f"a track {width:g} m wide that bends no tighter than asked is at least {least:.1f} m long, "
            f"not {length:g} m."
        )


def _center(
    rng: np.random.Generator, length: float, width: float, min_radius: float, tightness: float
) -> tuple[Points, Points] | None:
    """A centre line of the given length, evenly spaced points and unit tangents, or None if the sketch did not fit."""
    corners = sketch(rng, length, max(2 * min_radius, width + GAP), tightness)
    smooth = rng.uniform() < 0.45
    spread = min_radius * 0.45 * 6.0 ** rng.uniform()  # from corners just rounded to bend upon bend
    # Drawn evenly in the logarithm; a round lap draws from the upper end only, so that arc follows upon arc.
    widest = max(min_radius * 1.01, min(6.0, length / 6) * (1.2 - 0.8 * tightness))
    roundness = rng.uniform(0.0, 0.9) if rng.uniform() < 0.6 else 0.0
    radii = min_radius * (widest / min_radius) ** rng.uniform(roundness, 1.0, len(corners))
    count = max(32, math.ceil(length / SPACING))
    line = None
    for _ in range(3):  # rounding shortens a lap, so scale and round again
        if smooth:
            line = _smoothed(corners, spread, min_radius, count)
        else:
            fitted = _fitted(corners, radii, min_radius)
            line = _rounded(corners, fitted, count) if len(fitted) else None
        if line is None:
            return None
        corners = corners * (length / line[2])
    points, tangents, total = line
    scale = length / total
    if abs(scale - 1) > 0.03:
        return None
    points = points * scale
    return (points, tangents) if _least_radius(points, tangents) > 0.98 * min_radius else None


@njit(cache=True)
def _least_radius(points, tangents):
    """Radius of the tightest bend between neighbouring points, m."""
    n = len(points)
    least = np.inf
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        step = np.hypot(points[j, 0] - points[i, 0], points[j, 1] - points[i, 1])
        cross = tangents[i, 0] * tangents[j, 1] - tangents[i, 1] * tangents[j, 0]
        dot = tangents[i, 0] * tangents[j, 0] + tangents[i, 1] * tangents[j, 1]
        turn = abs(np.arctan2(cross, dot))
        if turn > 1e-9:
            least = min(least, step / turn)
    return least


@njit(cache=True)
def _fitted(corners, radii, min_radius):
    """Radii that the polygon's edges have room for, or none at all if one would be below ``min_radius``."""
    n = len(corners)
    room = np.empty(n)  # tangent length per radius at each corner
    edge = np.empty(n)  # from each corner to the next
    for i in range(n):
        a, b, c = corners[i - 1], corners[i], corners[(i + 1) % n]
        ux, uy, vx, vy = b[0] - a[0], b[1] - a[1], c[0] - b[0], c[1] - b[1]
        turn = abs(np.arctan2(ux * vy - uy * vx, ux * vx + uy * vy))
        room[i] = np.tan(0.5 * min(turn, 3.0))
        edge[i] = np.hypot(vx, vy)
    fitted = radii.copy()
    for _ in range(8):
        for i in range(n):
            j = (i + 1) % n
            used = fitted[i] * room[i] + fitted[j] * room[j]
            spare = edge[i] - min_radius * (room[i] + room[j])
            if spare < 0.0:
                return np.empty(0)
            if used > edge[i]:  # both give way, in proportion to what they have above the least
                extra = used - min_radius * (room[i] + room[j])
                fitted[i] = min_radius + (fitted[i] - min_radius) * spare / extra
                fitted[j] = min_radius + (fitted[j] - min_radius) * spare / extra
    return fitted


@njit(cache=True)
def _rounded(corners, radii, count):
    """The polygon with arcs for corners: ``count`` evenly spaced points, their tangents, and the length."""
    n = len(corners)
    # Pieces: an arc at each corner, then the straight to the next one. Columns: x, y, heading, curvature, length.
    pieces = np.empty((2 * n, 5))
    cut, turn, heading, edge = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        b, c = corners[i], corners[(i + 1) % n]
        heading[i] = np.arctan2(c[1] - b[1], c[0] - b[0])
        edge[i] = np.hypot(c[0] - b[0], c[1] - b[1])
    for i in range(n):
        turn[i] = (heading[i] - heading[i - 1] + np.pi) % (2 * np.pi) - np.pi
        cut[i] = radii[i] * np.tan(0.5 * abs(turn[i]))
    for i in range(n):
        before = heading[i - 1]
        pieces[2 * i, 0] = corners[i, 0] - cut[i] * np.cos(before)
        pieces[2 * i, 1] = corners[i, 1] - cut[i] * np.sin(before)
        pieces[2 * i, 2] = before
        pieces[2 * i, 3] = np.sign(turn[i]) / radii[i]
        pieces[2 * i, 4] = radii[i] * abs(turn[i])
        pieces[2 * i + 1, 0] = corners[i, 0] + cut[i] * np.cos(heading[i])
        pieces[2 * i + 1, 1] = corners[i, 1] + cut[i] * np.sin(heading[i])
        pieces[2 * i + 1, 2] = heading[i]
        pieces[2 * i + 1, 3] = 0.0
        pieces[2 * i + 1, 4] = max(0.0, edge[i] - cut[i] - cut[(i + 1) % n])
    total = pieces[:, 4].sum()
    points, tangents = np.empty((count, 2)), np.empty((count, 2))
    piece, begun = 0, 0.0
    for k in range(count):
        s = total * k / count
        while piece < 2 * n - 1 and s - begun > pieces[piece, 4]:
            begun += pieces[piece, 4]
            piece += 1
        d, h, curvature = s - begun, pieces[piece, 2], pieces[piece, 3]
        now = h + curvature * d
        if abs(curvature) > 1e-9:
            points[k, 0] = pieces[piece, 0] + (np.sin(now) - np.sin(h)) / curvature
            points[k, 1] = pieces[piece, 1] - (np.cos(now) - np.cos(h)) / curvature
        else:
            points[k, 0] = pieces[piece, 0] + d * np.cos(h)
            points[k, 1] = pieces[piece, 1] + d * np.sin(h)
        tangents[k, 0], tangents[k, 1] = np.cos(now), np.sin(now)
    return points, tangents, total


def _smoothed(corners: Points, spread: float, min_radius: float, count: int) -> tuple[Points, Points, float] | None:
    """The polygon blurred by a Gaussian of at least ``spread`` m deviation until it bends no tighter than ``min_radius``.

    Returns points, tangents and length, or None if it would need more than a little over twice the blur.
    """
    arc = arc_lengths(corners)
    even = np.linspace(0.0, arc[-1], count, endpoint=False)
    closed = np.concatenate([corners, corners[:1]])
    line = np.stack([np.interp(even, arc, closed[:, axis]) for axis in (0, 1)], axis=1)
    step = arc[-1] / count
    for rounder in (1.0, 1.35, 1.8, 2.4):
        smooth = gaussian_filter1d(line, rounder * spread / step, axis=0, mode="wrap")
        points, tangents, total = _evenly(smooth, count)
        if _least_radius(points, tangents) > 1.05 * min_radius:
            return points, tangents, total
    return None


def _evenly(line: Points, count: int) -> tuple[Points, Points, float]:
    """A closed line of close points as ``count`` evenly spaced ones, with tangents and its length."""
    arc = arc_lengths(line)
    ahead, behind = np.diff(arc)[:, None], np.roll(np.diff(arc), 1)[:, None]
    onward, backward = np.roll(line, -1, axis=0) - line, line - np.roll(line, 1, axis=0)
    slope = (onward / ahead * behind + backward / behind * ahead) / (ahead + behind)
    curve = CubicHermiteSpline(arc, np.concatenate([line, line[:1]]), np.concatenate([slope, slope[:1]]))
    at = np.linspace(0.0, arc[-1], count, endpoint=False)
    tangents = curve.derivative()(at)
    return curve(at), tangents / np.hypot(tangents[:, 0], tangents[:, 1])[:, None], float(arc[-1])


def _swelling(rng: np.random.Generator, arc: np.ndarray, variation: float) -> np.ndarray:
    """Factor on the width along the lap, (N,): between 1 - variation and 1 + variation, changing slowly."""
    lap = 2 * math.pi * arc[:-1] / arc[-1]
    waves = rng.integers(1, max(2, int(arc[-1] / 6)) + 1, size=2)
    phases = rng.uniform(0, 2 * math.pi, size=2)
    return 1.0 + 0.5 * variation * (np.sin(waves[0] * lap + phases[0]) + np.sin(waves[1] * lap + phases[1]))


def _track(name: str, points: Points, tangents: Points, half: np.ndarray, reverse: bool) -> Track:
    # Cars start from rest: the lap begins in the middle of its straightest stretch.
    bend = np.hypot(*(np.roll(tangents, -1, axis=0) - tangents).T)
    start = int(gaussian_filter1d(bend, START_STRETCH / SPACING, mode="wrap").argmin())
    points, tangents, half = (np.roll(rows, -start, axis=0) for rows in (points, tangents, half))
    # Sketches run counterclockwise: half of the tracks are driven the other way.
    normal = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1) * half[:, None]
    center = points - points.min(axis=0)
    track = Track(name, center, center + normal, center - normal)
    return track.reversed() if reverse else track
