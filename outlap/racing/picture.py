"""lap.png: the track from above, with the driven line coloured by speed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from outlap.files import write_atomic
from outlap.racing.result import Result
from outlap.track.drawing import draw_speed, draw_track
from outlap.track.track import Track

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
    axes = figure.add_subplot()
    draw_track(axes, track)
    _speed_line(axes, line)
    axes.set_title(_title(result), fontsize=11)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150, bbox_inches="tight")
    write_atomic(path, content.getvalue())


def _speed_line(axes: Axes, line: Sequence[Place]) -> None:
    if len(line) < 2:
        return
    places = np.array(line)
    pieces = np.stack([places[:-1, :2], places[1:, :2]], axis=1)
    driven = np.hypot(*(pieces[:, 1] - pieces[:, 0]).T) < CARRIED
    draw_speed(axes, pieces[driven], places[1:, 2][driven], slow=3)


def _title(result: Result) -> str:
    times = [f"{lap.time_s:.2f} s" + ("" if lap.clean else " (not clean)") for lap in result.laps]
    shown = times if len(times) <= 6 else [*times[:2], "…", *times[-3:]]
    return f"{result.track}, {result.car}\n" + ("laps: " + ", ".join(shown) if times else "no lap completed")
