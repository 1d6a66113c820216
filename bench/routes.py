"""Width, fastest line and laps of `line` on every track of a folder: what docs/fastest-line.md says of real routes.

For each track: the road's width, the time-optimal lap with nodes 6 cm and 3 cm apart and in the other direction,
whether a line crosses itself or drives a full circle, and laps of the pilot `line` with what they take of the optimal
lap. It measures no speed but its own: the seconds that a line takes to find, on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np

from outlap.driving.choice import LineDriver
from outlap.errors import OutlapError
from outlap.evaluation.assess import Plan, assess
from outlap.evaluation.report import TrackResult
from outlap.evaluation.sharing import cores
from outlap.simulation.randomization import OFF
from outlap.simulation.yardstick import limits_of
from outlap.track.fastest import SPACING, FastestLine, fastest_line
from outlap.track.gathering import gather_tracks
from outlap.track.measure import measure
from outlap.track.polyline import first_crossing
from outlap.track.speed import Limits
from outlap.track.track import Track
from outlap.vehicle.car import load_car

COLUMNS = (
    "track",
    "width m: least, mean, greatest",
    "lap s",
    "3 cm",
    "reversed",
    "crosses",
    "s of a core",
    "`line` clean",
    "÷ optimal",
)


def main() -> None:
    """Print a table in Markdown, and the largest differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tracks", nargs="*", help="tracks, or folders of them; by default those that ship")
    parser.add_argument("--speed", type=float, default=2.0, help="m/s, at most")
    parser.add_argument("--trials", type=int, default=4, help="laps of `line` a track; 0 for none")
    parser.add_argument("--jobs", type=int, default=cores(), help="processes that drive the laps")
    options = parser.parse_args()
    tracks, car = gather_tracks(options.tracks), load_car()
    laps: dict[str, TrackResult] = {}
    if options.trials:
        plan = Plan(tracks, options.trials, [0], "off", OFF, {})
        laps = {one.track: one for one in assess(LineDriver(options.speed), car, plan, options.jobs).evaluation.tracks}
    limits = limits_of(car, options.speed)
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    differences = np.array([_row(track, limits, laps.get(track.name)) for track in tracks])
    halved, turned = 100 * np.abs(differences).max(axis=0)
    print(f"\nlargest difference of laps: {halved:.3f} % with half the spacing, {turned:.3f} % in the other direction")


def _row(track: Track, limits: Limits, result: TrackResult | None) -> tuple[float, float]:
    """Print a track's row; by how much its lap differs with half the spacing, and in the other direction."""
    width, begin = measure(track), time.process_time()
    line = fastest_line(track, limits)
    took = time.process_time() - begin
    half, back = fastest_line(track, limits, SPACING / 2), fastest_line(track.reversed(), limits)
    halved, turned = half.lap_time / line.lap_time - 1, back.lap_time / line.lap_time - 1
    driven = "| – | – |"
    if result is not None:
        ratio = "beaten" if result.beaten else "–" if result.over_flying is None else f"{result.over_flying:.3f}"
        driven = f"| {result.clean}/{result.laps} | {ratio} |"
    print(
        f"| {track.name} | {width.least_width:.2f}, {width.mean_width:.2f}, {width.greatest_width:.2f} "
        f"| {line.lap_time:.3f} | {100 * halved:+.3f} % | {100 * turned:+.3f} % | {_crossings((line, half, back))} "
        f"| {took:.1f} {driven}",
        flush=True,
    )
    return halved, turned


def _crossings(lines: Sequence[FastestLine]) -> int:
    """How many of the lines cross themselves."""
    points = [np.ascontiguousarray(line.points) for line in lines]
    return sum(first_crossing(one, one, True)[0] >= 0 for one in points)


if __name__ == "__main__":
    try:
        main()
    except OutlapError as error:
        sys.exit(f"error: {error}")
