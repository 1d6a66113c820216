"""Random closed tracks: straights joined by arcs, winding outlines with hairpins, and smooth wiggles.

A sketch (a polygon's corners, :mod:`outlap.track.generating.sketch`) is scaled to the wanted length, then either its
corners are rounded by arcs or it is smoothed as a whole, and the result is kept if the road nowhere bends too sharply
for its width and nowhere comes too close to itself. What is not given is drawn at random from the spread of real
model-car tracks.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter1d

from outlap.errors import OutlapError
from outlap.track.generating.rounding import clear_of_itself, fitted, least_radius, rounded, smoothed
from outlap.track.generating.sketch import sketch
from outlap.track.polyline import arc_lengths
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
    if tightness is None:
        tightness = math.pow(rng.uniform(), 0.6)  # more winding tracks than plain ones: they teach more
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
    # From corners just rounded to bend upon bend.
    spread = min_radius * 0.45 * 6.0 ** rng.uniform(0.0, 1.0 - 0.6 * tightness)
    # Drawn evenly in the logarithm; a round lap draws from the upper end only, so that arc follows upon arc.
    widest = max(min_radius * 1.01, min(6.0, length / 6) * (1.2 - 0.8 * tightness))
    roundness = rng.uniform(0.0, 0.9) if rng.uniform() < 0.6 else 0.0
    radii = min_radius * (widest / min_radius) ** rng.uniform(roundness, 1.0, len(corners))
    count = max(32, math.ceil(length / SPACING))
    line: tuple[Points, Points, float] | None = None
    for _ in range(3):  # rounding shortens a lap, so scale and round again
        if smooth:
            line = smoothed(corners, spread, min_radius, count)
        else:
            fits = fitted(corners, radii, min_radius)
            line = rounded(corners, fits, count) if len(fits) else None
        if line is None:
            return None
        corners = corners * (length / line[2])
    assert line is not None
    points, tangents, total = line
    scale = length / total
    if abs(scale - 1) > 0.03:
        return None
    points = points * scale
    return (points, tangents) if least_radius(points, tangents) > 0.98 * min_radius else None


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
