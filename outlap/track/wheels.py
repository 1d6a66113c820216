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
    """Four wheels of a car on one track; a path is that of the rear axle's middle, and the car points along it."""

    def __init__(self, track: Track, wheelbase: float, wheel_track: float, margin: float) -> None:
        self._tracks = TrackSet([track])
        self._margin = margin
        self._least_width = wheel_track + 2 * margin
        half = wheel_track / 2
        # Rear left, rear right, front left, front right; each keeps clear of the border on its own side.
        self._places = [(forward, left) for forward in (0.0, wheelbase) for left in (half, -half)]

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
        """What each wheel has left to its border beyond the margin, (N,) m, and the slopes of that by the offsets."""
        hint = self._tracks.locate(0, path.points).s
        found = []
        for forward, left in self._places:
            place = path.points + forward * path.tangent + left * path.normal
            gradient = np.stack(
                [
                    self._distance(place + probe, hint, left) - self._distance(place - probe, hint, left)
                    for probe in (np.array([PROBE, 0.0]), np.array([0.0, PROBE]))
                ],
                axis=1,
            ) / (2 * PROBE)
            swing = np.sum(gradient * (forward * path.normal - left * path.tangent), axis=1)
            slope = sparse.diags_array(np.sum(gradient * path.normal, axis=1))
            slope = slope + sparse.diags_array(swing) @ path.heading_slope
            found.append((self._distance(place, hint, left) - self._margin, sparse.csr_array(slope)))
        return found

    def _distance(self, place: Points, hint: Floats, left: float) -> Floats:
        located = self._tracks.locate(0, place, hint)
        return located.left if left > 0 else located.right
