"""What a track measures: the figures that a person asks for first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlap.track.geometry import TrackSet
from outlap.track.polyline import signed_area
from outlap.track.track import Track

SPACING = 0.05  # m, between the places that are measured
STRAIGHT = 0.1  # 1/m, less curvature than this counts as straight


@dataclass(frozen=True)
class Measures:
    """Figures of one track."""

    length: float  # m, of the centre line
    mean_width: float  # m, between the borders, across the road
    least_width: float  # m
    greatest_width: float  # m
    tightest_radius: float  # m, of the centre line
    tightest_at: float  # m, progress at the tightest bend
    straight: float  # fraction of the lap that is straight
    counterclockwise: bool  # which way round the lap is driven


def measure(track: Track) -> Measures:
    """Measure a track."""
    tracks = TrackSet([track])
    s = np.arange(0.0, tracks.length[0], SPACING)
    center, _ = tracks.pose(0, s)
    bend = np.abs(tracks.locate(0, center, s).curvature)
    width = 2 * tracks.middle(0, s)[1]
    return Measures(
        length=float(tracks.length[0]),
        mean_width=float(width.mean()),
        least_width=float(width.min()),
        greatest_width=float(width.max()),
        tightest_radius=float(1 / bend.max()),
        tightest_at=float(s[bend.argmax()]),
        straight=float((bend < STRAIGHT).mean()),
        counterclockwise=signed_area(track.center) > 0,
    )
