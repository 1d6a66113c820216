"""What an evaluation looks like: a picture a track, and one of how each disturbance cost clean laps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from outlap.evaluation.assess import Assessment
from outlap.evaluation.laps import CURVATURE, REWARD, SPEED, WANTED_SPEED, S, Trace, Trial, X, Y
from outlap.evaluation.report import RowResult, by_track
from outlap.files import write_atomic
from outlap.track.drawing import draw_speed, draw_track
from outlap.track.fastest import FastestLine
from outlap.track.geometry import TrackSet
from outlap.track.track import Track

CARRIED = 0.3  # m from one point of a line to the next, and nobody drove there: the car was put back
CELL = 0.1  # m, side of the reward map's cells
SPACING = 0.05  # m, at which the track's own curvature is drawn
LEFT_ROAD = "#d3202f"
DOTS_PER_INCH = 110


def draw_all(folder: Path, tracks: Sequence[Track], found: Assessment) -> int:
    """Draw all pictures of an evaluation, whose traces were kept, into ``folder``; returns how many.

    Raises:
        OutlapError: the folder cannot be written.
    """
    trials, rows = by_track(found.evaluation.trials), found.evaluation.perturbations
    for track in tracks:
        traces = [trace for trace in found.traces if trace.track == track.name]
        picture = track_picture(track, trials[track.name], traces, found.fastest.get(track.name))
        write_atomic(folder / f"{track.name.replace(' ', '_')}.png", picture)
    if rows:
        write_atomic(folder / "perturbations.png", suite_picture(rows))
    return len(tracks) + bool(rows)


def track_picture(track: Track, trials: Sequence[Trial], traces: Sequence[Trace], fastest: FastestLine | None) -> bytes:
    """A PNG: driven lines by speed with where the road was left, mean reward over the road, and actions over the lap.

    Args:
        track: as it was driven.
        trials: the laps on it.
        traces: of the same laps.
        fastest: the time-optimal lap, for comparison.
    """
    size = np.ptp(np.concatenate([track.left, track.right]), axis=0)
    tall = float(np.clip(7 * size[1] / size[0], 3, 8)) + 0.8  # inches, of the two maps
    figure = Figure(figsize=(15, tall + 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.add_gridspec(2, 1, height_ratios=[tall, 4.2])
    above, below = figure.add_subfigure(above), figure.add_subfigure(below)
    lines, rewards = above.subplots(1, 2)
    draw_track(lines, track)
    _speed_lines(lines, traces)
    _left_road(lines, trials)
    lines.set_title(_title(track, trials), fontsize=11)
    draw_track(rewards, track)
    _reward_map(rewards, traces)
    rewards.set_title("mean reward of a step", fontsize=11)
    bend, pace = below.subplots(2, 1, sharex=True)
    _actions(bend, pace, track, traces, fastest)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_PER_INCH)
    return content.getvalue()


def suite_picture(rows: Sequence[RowResult]) -> bytes:
    """A PNG: clean laps under each row of the suite, with 95 % intervals."""
    figure = Figure(figsize=(9, 0.28 * len(rows) + 1.3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places = np.arange(len(rows))
    clean = np.array([row.clean_fraction for row in rows])
    low, high = np.array([row.clean_interval for row in rows]).T
    axes.barh(places, 100 * clean, color="#3b7dd8", height=0.7)
    axes.hlines(places, 100 * low, 100 * high, color="#202028", linewidth=1.4)
    axes.set_yticks(places, [row.name for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("clean laps in % (line: 95 % interval)")
    axes.grid(axis="x", alpha=0.4)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_PER_INCH)
    return content.getvalue()


def _title(track: Track, trials: Sequence[Trial]) -> str:
    clean = sum(trial.clean for trial in trials)
    times = [trial.lap_time_s for trial in trials if trial.lap_time_s is not None]
    mean = f", mean lap {np.mean(times):.2f} s" if times else ""
    what = "laps" if all(len(trial.laps) <= 1 for trial in trials) else "trials"
    return f"{track.name}: {clean} of {len(trials)} {what} clean{mean}"


def _speed_lines(axes: Axes, traces: Sequence[Trace]) -> None:
    pieces, speeds = [], []
    for trace in traces:
        places = trace.rows[:, [X, Y]]
        each = np.stack([places[:-1], places[1:]], axis=1)
        driven = np.hypot(*(each[:, 1] - each[:, 0]).T) < CARRIED
        pieces.append(each[driven])
        speeds.append(trace.rows[1:, SPEED][driven])
    draw_speed(axes, np.concatenate(pieces), np.concatenate(speeds), width=1.1, slow=4)


def _left_road(axes: Axes, trials: Sequence[Trial]) -> None:
    places = np.array([place for trial in trials for place in trial.left_road_at]).reshape(-1, 3)
    if len(places):
        label = f"left the road ({len(places)} times)"
        axes.plot(
            places[:, 1], places[:, 2], "x", color=LEFT_ROAD, markersize=9, markeredgewidth=2, label=label, zorder=8
        )
        axes.legend(loc="upper right", fontsize=9)


def _reward_map(axes: Axes, traces: Sequence[Trace]) -> None:
    rows = np.concatenate([trace.rows for trace in traces])
    low, high = rows[:, [X, Y]].min(axis=0), rows[:, [X, Y]].max(axis=0)
    edges = [np.arange(low[i], high[i] + 2 * CELL, CELL) for i in (0, 1)]
    count, *_ = np.histogram2d(rows[:, X], rows[:, Y], edges)
    total, *_ = np.histogram2d(rows[:, X], rows[:, Y], edges, weights=rows[:, REWARD])
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    # A crash's penalty in one cell would leave one colour for all others.
    shades = LinearSegmentedColormap.from_list("reward", ["#7f1d1d", "#e8a33d", "#2f9e44", "#0b3d91"])
    drawn = axes.pcolormesh(*edges, mean.T, cmap=shades, zorder=3)
    drawn.set_clim(*np.nanpercentile(mean, [2, 98]))
    axes.figure.colorbar(drawn, ax=axes, label="reward", shrink=0.8, extend="both")


def _broken_at_the_line(rows: NDArray[np.float32], length: float) -> NDArray[np.float32]:
    """Rows of a trace (N, 7) in the order driven, with a row of NaN wherever the place on the lap begins anew."""
    over = np.flatnonzero(np.abs(np.diff(rows[:, S])) > length / 2) + 1
    return np.insert(rows, over, np.nan, axis=0)


def _actions(bend: Axes, pace: Axes, track: Track, traces: Sequence[Trace], fastest: FastestLine | None) -> None:
    """Commands over the lap, a thin line a lap; the track's own curvature and the fastest lap's speed behind them."""
    tracks = TrackSet([track])
    length = float(tracks.length[0])
    s = np.arange(0, length, SPACING)
    center, _ = tracks.pose(0, s)
    bend.plot(s, tracks.locate(0, center, s).curvature, color="#b8b8c0", linewidth=2.5, label="centre line")
    if fastest is not None:
        order = np.argsort(fastest.progress)
        pace.plot(
            fastest.progress[order], fastest.speed[order], color="#b8b8c0", linewidth=2.5, label="time-optimal lap"
        )
    first = True
    for trace in traces:
        rows = _broken_at_the_line(trace.rows, length)
        light = min(1.0, 3 / len(traces))
        bend.plot(
            rows[:, S],
            rows[:, CURVATURE],
            color="#1f5fbf",
            linewidth=0.7,
            alpha=light,
            label="asked" if first else None,
        )
        pace.plot(
            rows[:, S],
            rows[:, WANTED_SPEED],
            color="#1f5fbf",
            linewidth=0.7,
            alpha=light,
            label="asked" if first else None,
        )
        pace.plot(
            rows[:, S], rows[:, SPEED], color="#c2571a", linewidth=0.7, alpha=light, label="driven" if first else None
        )
        first = False
    bend.set_ylabel("curvature in 1/m")
    pace.set_ylabel("speed in m/s")
    pace.set_xlabel("place on the lap in m")
    pace.set_xlim(0, length)
    for axes in (bend, pace):
        axes.grid(alpha=0.4)
        legend = axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=9, frameon=False)
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1)
