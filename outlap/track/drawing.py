"""Pictures of a track from above."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from outlap.track.fastest import FastestLine
from outlap.track.geometry import TrackSet
from outlap.track.measure import measure
from outlap.track.polyline import arc_lengths
from outlap.track.track import Points, Track

ROAD, BORDER, DASHES, START = "#d9d9dc", "#303038", "#e0922e", "#2a8f4f"
INCHES = 9.0  # the longer side of a picture
DOTS_PER_INCH = 120
ARROW = 0.025  # of the lap, length of the arrow that shows the direction of travel


def draw_track(axes: Axes, track: Track) -> None:
    """Draw the road, its borders, the centre line, and the start with the direction of travel."""
    left, right = _closed(track.left), _closed(track.right)
    codes = np.full(len(left), Outline.LINETO)
    codes[0], codes[-1] = Outline.MOVETO, Outline.CLOSEPOLY
    # One outline wound one way and the other the other way leaves the ring between them.
    ring = Outline(np.concatenate([left, right[::-1]]), np.concatenate([codes, codes]))
    axes.add_patch(PathPatch(ring, facecolor=ROAD, edgecolor="none", zorder=0))
    for border in (left, right):
        axes.plot(*border.T, color=BORDER, linewidth=1.2, zorder=2)
    axes.plot(*_closed(track.center).T, color=DASHES, linewidth=0.9, linestyle=(0, (5, 4)), zorder=1)
    # Not simply the first row: real routes pair the rows of the centre and the borders up to a metre askew.
    axes.plot(*np.concatenate(TrackSet([track]).border(0, 0.0)).T, color=START, linewidth=2.5, zorder=3)
    arc = arc_lengths(track.center)
    tip = track.center[int(np.searchsorted(arc, ARROW * arc[-1])) % len(track.center)]
    axes.annotate(
        "",
        xy=(tip[0], tip[1]),
        xytext=(track.center[0, 0], track.center[0, 1]),
        arrowprops={"arrowstyle": "-|>", "color": START, "linewidth": 2},
        zorder=4,
    )
    axes.set_aspect("equal")
    axes.set_xlabel("x / m")
    axes.set_ylabel("y / m")
    axes.autoscale_view()


def draw_speed(
    axes: Axes, pieces: NDArray[np.floating], speed: NDArray[np.floating], width: float = 2.0, slow: float = 0.0
) -> None:
    """Draw a line's pieces (N, 2 ends, 2) in m, coloured by speed (N,) in m/s, with the scale beside it.

    The slowest ``slow`` percent share one colour: a standing start would take half of them.
    """
    drawn = LineCollection(list(pieces), array=speed, cmap="turbo", linewidth=width, zorder=5)
    if len(speed):
        slowest, fastest = np.percentile(speed, [slow, 100])
        drawn.set_clim(min(slowest, fastest - 0.1), fastest)
    axes.add_collection(drawn)
    axes.figure.colorbar(drawn, ax=axes, label="speed in m/s", shrink=0.8, extend="min" if slow else "neither")


def track_picture(track: Track) -> bytes:
    """A PNG of the track with its figures in the title."""
    figure, axes = _sheet(track)
    figures = measure(track)
    axes.set_title(
        f"{track.name}: {figures.length:.1f} m long, {figures.mean_width:.2f} m wide, "
        f"tightest radius {figures.tightest_radius:.2f} m"
    )
    return _png(figure)


def line_picture(track: Track, line: FastestLine) -> bytes:
    """A PNG of the fastest line on the track, coloured by speed."""
    figure, axes = _sheet(track)
    points = _closed(line.points)
    speed = 0.5 * (line.speed + np.roll(line.speed, -1))
    draw_speed(axes, np.stack([points[:-1], points[1:]], axis=1), speed)
    axes.set_title(f"{track.name}: fastest lap {line.lap_time:.2f} s, {line.length:.1f} m")
    return _png(figure)


def _sheet(track: Track) -> tuple[Figure, Axes]:
    size = np.ptp(np.concatenate([track.left, track.right]), axis=0)
    figure = Figure(figsize=(INCHES, INCHES * float(np.clip(size[1] / size[0], 0.4, 1.6)) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw_track(axes, track)
    return figure, axes


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return buffer.getvalue()


def _closed(points: Points) -> Points:
    return np.concatenate([points, points[:1]])
