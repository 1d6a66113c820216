"""Where the wheels of a car that drives along a path are, and how far from the borders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from outlap.errors import OutlapError
from outlap.track.geometry import TrackSet
from outlap.track.path import Path, resampled
from outlap.track.track import Points, Track

Floats = NDArray[np.float64]

PROBE = 1e-4  # m, to either side of a wheel, for the slope of its distance to the border


class Wheels:
    """Four wheels of a car on one track; a path is that of the rear axle's middle, and the car points along it.

    Args:
        track: the track.
        wheelbase, wheel_track: m, between the wheels.
        margin: m, that the wheels which count keep from the borders.
        count: 4 if all wheels stay between the borders, 1 if one is enough.
    """

    def __init__(self, track: Track, wheelbase: float, wheel_track: float, margin: float, count: int = 4) -> None:
        self._tracks = TrackSet([track])
        self._margin = margin
        self._least_width = wheel_track + 2 * margin
        half = wheel_track / 2
        self._ends = (0.0, wheelbase)
        # All wheels: each keeps clear of the border on its own side. One wheel: it is the last one to cross a border,
        # so one on the other side of the car; of the two there, that which is further inside.
        self._sides = [(half, 1.0), (-half, -1.0)] if count == 4 else [(-half, 1.0), (half, -1.0)]
        self._all = count == 4

    def refuse_narrow_road(self) -> None:
        """Refuse a road without room for the car, even straight on.

        Raises:
            OutlapError: the sentence says where and by how much.
        """
        length = float(self._tracks.length[0])
        s = np.linspace(0, length, int(length / 0.05) + 16, endpoint=False)
        width = 2 * self._tracks.middle(0, s)[1]
        worst = int(width.argmin())
        if width[worst] < self._least_width:
            raise OutlapError(
                f"track {self._tracks.tracks[0].name}: the road is {width[worst]:.3f} m wide {s[worst]:.1f} m from the "
                f"start, and the car's wheels with a margin of {self._margin:.3f} m need {self._least_width:.3f} m."
            )

    def middle_of_the_road(self, spacing: float) -> Points:
        """Nodes (N, 2) m along the middle of the road, about ``spacing`` m apart."""
        length = float(self._tracks.length[0])
        # Coarsely, and a curve through it: what a route's rows are noisy by is no bend of the road.
        count = max(16, round(length / (2 * spacing)))
        middle, _ = self._tracks.middle(0, np.arange(count) * (length / count))
        apart = np.hypot(*(middle - np.roll(middle, 1, axis=0)).T) > 0.2 * spacing
        return resampled(middle[apart], round(length / spacing))

    def room(self, path: Path) -> list[tuple[Floats, sparse.csr_array]]:
        """What is left to the borders beyond the margin, (N,) m, and the slopes of that by the offsets.

        Four of these, one a wheel, where all wheels count; otherwise two, one a border.
        """
        hint = self._tracks.locate(0, path.points).s
        found = []
        for left, border in self._sides:
            rear, front = (self._room(path, forward, left, border, hint) for forward in self._ends)
            if self._all:
                wheels = [rear, front]
            else:
                wheels = [
                    tuple(np.where(rear[0] > front[0], one, other) for one, other in zip(rear, front, strict=True))
                ]
            for room, by_offset, by_heading in wheels:
                slope = sparse.diags_array(by_offset) + sparse.diags_array(by_heading) @ path.heading_slope
                found.append((room, sparse.csr_array(slope)))
        return found

    def _room(
        self, path: Path, forward: float, left: float, border: float, hint: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Of one wheel: metres to a border beyond the margin, and how they grow by the offset, and by the heading."""
        place = path.points + forward * path.tangent + left * path.normal
        gradient = np.stack(
            [
                self._distance(place + probe, hint, border) - self._distance(place - probe, hint, border)
                for probe in (np.array([PROBE, 0.0]), np.array([0.0, PROBE]))
            ],
            axis=1,
        ) / (2 * PROBE)
        by_heading = np.sum(gradient * (forward * path.normal - left * path.tangent), axis=1)
        by_offset = np.sum(gradient * path.normal, axis=1)
        return self._distance(place, hint, border) - self._margin, by_offset, by_heading

    def _distance(self, place: Points, hint: Floats, border: float) -> Floats:
        """Metres (N,) from places to the left border (1) or the right one (-1)."""
        located = self._tracks.locate(0, place, hint)
        return located.left if border > 0 else located.right
