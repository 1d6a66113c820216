"""replay.png: curvature and speed over time, as recorded and as a policy wants them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from outlap.files import write_atomic
from outlap.recording.replay import Curves, Result, source_words

RECORDED, WANTED = "#c98a00", "#0077cc"


def draw_curves(path: Path, result: Result, curves: Curves) -> None:
    """Write the picture as PNG.

    Raises:
        OutlapError: the folder cannot be written.
    """
    figure = Figure(figsize=(13, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(3, 1, sharex=True)
    idle = ~curves.compared
    parts = ((rows[0], 0, "curvature in 1/m, left positive"), (rows[1], 1, "speed in m/s"))
    for axes, column, label in parts:
        axes.plot(curves.time, curves.recorded[:, column], color=RECORDED, lw=1.6, label=source_words(result.against))
        axes.plot(curves.time, curves.wanted[:, column], color=WANTED, lw=1.0, label="policy")
        axes.set_ylabel(label)
    gap = np.where(idle, np.nan, curves.wanted[:, 0] - curves.recorded[:, 0])
    rows[2].plot(curves.time, gap, color="#aa2222", lw=1.0)
    rows[2].axhline(0, color="black", lw=0.6)
    rows[2].set_ylabel("policy − recorded, 1/m")
    rows[2].set_xlabel("time in s")
    for number, place in enumerate(result.worst, 1):
        rows[2].annotate(
            str(number), (place.time_s, place.curvature[1] - place.curvature[0]), fontsize=9, weight="bold"
        )
    for axes in rows:
        axes.grid(alpha=0.3)
        grey = {"color": "grey", "alpha": 0.15, "lw": 0, "label": "not compared: at rest"}
        axes.fill_between(curves.time, 0, 1, where=idle, transform=axes.get_xaxis_transform(), **grey)
    rows[0].legend(loc="upper right", ncols=3)
    rows[0].set_title(
        f"{Path(result.recording).name} and {Path(result.policy).name}: "
        f"curvature differs by {result.curvature_rms:.3f} 1/m (rms), speed by {result.speed_rms:.3f} m/s"
    )
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    write_atomic(path, content.getvalue())
