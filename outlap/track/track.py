"""A closed track as its rows of centre, left border and right border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """A closed track; direction of travel is the order of the rows, the last row is not the first repeated.

    The road is what lies between the two borders; the centre line need not be midway. Build one with
    :func:`outlap.track.check.checked_track`, which refuses what cannot be driven.
    """

    name: str
    center: Points  # (N, 2) m, the route's own centre line
    left: Points  # (N, 2) m, border on the left in the direction of travel, row by row beside the centre
    right: Points  # (N, 2) m, border on the right
    backwards: bool = False  # driven against the order of its file's rows; of a generated one: clockwise

    def reversed(self) -> Track:
        """The same road, driven the other way from the same start."""
        rows = np.roll(np.arange(len(self.center))[::-1], 1)
        return Track(self.name, self.center[rows], self.right[rows], self.left[rows], not self.backwards)
