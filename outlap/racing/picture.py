"""lap.png: the track from above, with the driven line coloured by speed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from outlap.files import write_atomic
from outlap.racing.result import Result
from outlap.track.track import Points, Track

CARRIED = 0.3  # m from one point of the line to the next, and nobody drove there


class Place(NamedTuple):
    """One point of the driven line."""

    x: float  # m
    y: float  # m
    speed: float  # m/s


def draw_lap(path: Path, track: Track, line: Sequence[Place], result: Result) -> None:
    """Draw the race to a PNG file.

    Raises:
        OutlapError: the folder cannot be written.
    """
    extent = np.ptp(np.concatenate([track.left, track.right]), axis=0)
    width = 9.0  # inches
    figure = Figure(figsize=(width, float(np.clip(width * extent[1] / extent[0], 3.5, 12)) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor="#dfe5dc")
    axes.add_patch(PathPatch(_road(track), facecolor="#55585e", edgecolor="none", zorder=1))
    for border in (track.left, track.right):
        axes.plot(*_closed(border).T, color="white", linewidth=1.5, zorder=2)
    axes.plot(*_closed(track.center).T, color="#f0c419", linewidth=0.8, linestyle=(0, (6, 6)), zorder=2)
    start = np.stack([track.left[0], track.right[0]])
    axes.plot(*start.T, color="white", linewidth=3, solid_capstyle="butt", zorder=3)
    outwards = (start[1] - start[0]) / np.hypot(*(start[1] - start[0]))
    axes.annotate("start", start[1] + 0.12 * outwards, ha="center", va="center", zorder=6, fontsize=9)
    _speed_line(figure, axes, line)
    axes.set_aspect("equal")
    axes.margins(0.04)
    axes.set_xlabel("x in m")
    axes.set_ylabel("y in m")
    axes.set_title(_title(result), fontsize=11)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150, bbox_inches="tight")
    write_atomic(path, content.getvalue())


def _speed_line(figure: Figure, axes, line: Sequence[Place]) -> None:
    if len(line) < 2:
        return
    places = np.array(line)
    pieces = np.stack([places[:-1, :2], places[1:, :2]], axis=1)
    driven = np.hypot(*(pieces[:, 1] - pieces[:, 0]).T) < CARRIED
    drawn = LineCollection(list(pieces[driven]), array=places[1:, 2][driven], cmap="turbo", linewidth=2, zorder=4)
    # The standing start would take half of the colours; what is slower than nearly all of the race shares one.
    slowest, fastest = np.percentile(places[:, 2], [3, 100])
    drawn.set_clim(slowest, max(fastest, slowest + 0.1))
    axes.add_collection(drawn)
    figure.colorbar(drawn, ax=axes, label="speed in m/s", shrink=0.8, extend="min")


def _title(result: Result) -> str:
    times = [f"{lap.time_s:.2f} s" + ("" if lap.clean else " (not clean)") for lap in result.laps]
    shown = times if len(times) <= 6 else [*times[:2], "…", *times[-3:]]
    return f"{result.track}, {result.car}\n" + ("laps: " + ", ".join(shown) if times else "no lap completed")


def _road(track: Track) -> Outline:
    """The area between the borders: one closed outline inside the other, wound the opposite way."""
    left, right = _closed(track.left), _closed(track.right)[::-1]
    codes = np.full(len(left), Outline.LINETO)
    codes[0] = Outline.MOVETO
    return Outline(np.concatenate([left, right]), np.concatenate([codes, codes]))


def _closed(points: Points) -> Points:
    return np.concatenate([points, points[:1]])
