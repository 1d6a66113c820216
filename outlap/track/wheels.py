"""Where the wheels of a car that drives along a path are, and how far from the borders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from outlap.errors import OutlapError
from outlap.track.geometry import TrackSet
from outlap.track.path import Path, resampled
from outlap.track.track import Points, Track

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

PROBE = 1e-4  # m, to either side of a wheel, for the slope of its distance to the border
# m, between the places of an edge at which a wheel's distance is looked at. Where the inner border is a corner, a wheel
# may roll beyond it between two nodes.
CLOSE = 0.01
# m to a border, within which all of these places count; further away, those at the nodes are enough.
NEAR_BORDER = 0.05


@dataclass(frozen=True)
class Room:
    """What wheels have left to the borders beyond the margin, at M places of a path of N nodes."""

    left: Floats  # (M,) m, below zero where it is missed
    node: Indices  # (M,) node to whose edge the place belongs
    slope: sparse.csr_array  # (M, N) of that by the nodes' offsets


class Wheels:
    """Four wheels of a car on one track; a path is that of the rear axle's middle, and the car points along it.

    Args:
        track: the track.
        wheelbase, wheel_track: m, between the wheels.
        margin: m, that the wheels which count keep from the borders.
        count: 4 if all wheels stay between the borders, 1 if one is enough.

    Attributes:
        between: whether wheels are looked at between the nodes, too.
    """

    def __init__(self, track: Track, wheelbase: float, wheel_track: float, margin: float, count: int = 4) -> None:
        self._tracks = TrackSet([track])
        self._length = float(self._tracks.length[0])
        self._margin = margin
        self._least_width = wheel_track + 2 * margin
        half = wheel_track / 2
        self._ends = (0.0, wheelbase)
        # All wheels: each keeps clear of the border on its own side. One wheel: it is the last one to cross a border,
        # so one on the other side of the car; of the two there, that which is further inside.
        self._sides = [(half, True), (-half, False)] if count == 4 else [(-half, True), (half, False)]
        self._all = count == 4
        self.between = True

    def refuse_narrow_road(self) -> None:
        """Refuse a road without room for the car, even straight on.

        Raises:
            OutlapError: the sentence says where and by how much.
        """
        s = np.linspace(0, self._length, int(self._length / 0.05) + 16, endpoint=False)
        width = 2 * self._tracks.middle(0, s)[1]
        worst = int(width.argmin())
        if width[worst] < self._least_width:
            raise OutlapError(
                f"track {self._tracks.tracks[0].name}: the road is {width[worst]:.3f} m wide {s[worst]:.1f} m from the "
                f"start, and the car's wheels with a margin of {self._margin:.3f} m need {self._least_width:.3f} m."
            )

    def middle_of_the_road(self, spacing: float) -> tuple[Points, Floats]:
        """Nodes (N, 2) m along the middle of the road, about ``spacing`` m apart, and where about on the lap (N,) m."""
        # Coarsely, and a curve through it: what a route's rows are noisy by is no bend of the road.
        count = max(16, round(self._length / (2 * spacing)))
        s: Floats = np.linspace(0, self._length, count, endpoint=False)
        middle, _ = self._tracks.middle(0, s)
        apart = np.hypot(*(middle - np.roll(middle, 1, axis=0)).T) > 0.2 * spacing
        return self.spaced(middle[apart], s[apart], round(self._length / spacing))

    def spaced(self, points: Points, progress: Floats, count: int) -> tuple[Points, Floats]:
        """``count`` evenly spaced nodes (count, 2) m on the curve through ``points``, and where on the lap (count,) m.

        Args:
            points: (N, 2) m, a closed path.
            progress: (N,) m along the lap, of these points.
            count: how many.
        """
        nodes, between = resampled(points, count)
        onward = np.cumsum(self._onward(progress))
        lap = progress[0] + np.concatenate([[0.0], onward])
        return nodes, np.interp(between, np.arange(len(lap)), lap)

    def progress(self, points: Points, near: Floats) -> Floats:
        """Where nodes (N, 2) m are on the lap, (N,) m, no further than 1 m from ``near`` (N,) m."""
        return self._tracks.locate(0, points, near).s

    def room(self, path: Path, progress: Floats) -> Room:
        """What is left to the borders all along a path whose nodes are at ``progress`` (N,) m of the lap."""
        parts = max(1, round(float(path.length.mean()) / CLOSE)) if self.between else 1
        onward = self._onward(progress)
        rows: list[tuple[Floats, Indices, sparse.csr_array]] = []
        every = np.arange(len(path.points))
        for across, left in self._sides:
            nodes = _Places(path, np.zeros(len(every)), every)
            room, found = self._rows(path, nodes, progress, across, left, np.inf)
            rows += found
            # Within an edge a wheel comes nearer to a border than at its nodes by less than the edge's length.
            (edges,) = np.nonzero(np.minimum(room, np.roll(room, -1)) < NEAR_BORDER + path.length)
            if parts == 1:
                continue
            part = np.repeat(np.arange(1, parts) / parts, len(edges))
            edges = np.tile(edges, parts - 1)
            between = _Places(path, part, edges)
            hint = progress[edges] + part * onward[edges]
            rows += self._rows(path, between, hint, across, left, NEAR_BORDER)[1]
        return Room(
            np.concatenate([room for room, _, _ in rows]),
            np.concatenate([node for _, node, _ in rows]),
            sparse.csr_array(sparse.vstack([slope for _, _, slope in rows])),
        )

    def _rows(
        self, path: Path, places: _Places, hint: Floats, across: float, left: bool, within: float
    ) -> tuple[Floats, list[tuple[Floats, Indices, sparse.csr_array]]]:
        """Room (M,) of a side's wheels that count; and room, node and slope of those with less than ``within`` m."""
        rear, front = (self._distance(places.of(end, across), hint, left) - self._margin for end in self._ends)
        # Where one wheel is enough, it is the one that is further inside.
        room = np.minimum(rear, front) if self._all else np.maximum(rear, front)
        chosen = (rear < within, front < within) if self._all else (rear > front, rear <= front)
        rows = []
        for end, one, counts in zip(self._ends, (rear, front), chosen, strict=True):
            (row,) = np.nonzero(counts & (one < within))
            rows.append((one[row], places.edge[row], self._slope(path, places, row, end, across, hint, left)))
        return room, rows

    def _slope(
        self, path: Path, places: _Places, row: Indices, forward: float, across: float, hint: Floats, left: bool
    ) -> sparse.csr_array:
        """(M, N) how the distances of wheels to a border grow with the offsets of the path's nodes."""
        wheel, near = places.of(forward, across)[row], hint[row]
        gradient = np.stack(
            [
                self._distance(wheel + probe, near, left) - self._distance(wheel - probe, near, left)
                for probe in (np.array([PROBE, 0.0]), np.array([0.0, PROBE]))
            ],
            axis=1,
        ) / (2 * PROBE)
        return places.slope(path, row, gradient, forward, across)

    def _distance(self, place: Points, hint: Floats, left: bool) -> Floats:
        """Metres (N,) from places to the left border or the right one."""
        located = self._tracks.locate(0, place, hint)
        return located.left if left else located.right

    def _onward(self, progress: Floats) -> Floats:
        """Metres (N,) along the lap from each node to the next."""
        return (np.roll(progress, -1) - progress + self._length / 2) % self._length - self._length / 2


class _Places:
    """M places on edges of a path, ``part`` (M,) of the way to the next node, on a cubic curve through the nodes."""

    def __init__(self, path: Path, part: Floats, edge: Indices) -> None:
        self.edge = edge
        self._part, f = part, part
        after, length = (edge + 1) % len(path.points), path.length[edge]
        # Hermite's polynomials: how the two nodes, and their tangents times the edge's length, count.
        self._by_node = (1 - f) ** 2 * (1 + 2 * f), f * f * (3 - 2 * f)
        self._by_tangent = f * (1 - f) ** 2 * length, -f * f * (1 - f) * length
        self._point, self._along = np.zeros((len(edge), 2)), np.zeros((len(edge), 2))
        for end, (node, share) in enumerate(((edge, 1 - f), (after, f))):
            self._point += self._by_node[end][:, None] * path.points[node]
            self._point += self._by_tangent[end][:, None] * path.tangent[node]
            self._along += share[:, None] * path.tangent[node]
        self._along /= np.hypot(self._along[:, 0], self._along[:, 1])[:, None]
        self._across = np.stack([-self._along[:, 1], self._along[:, 0]], axis=1)

    def of(self, forward: float, left: float) -> Points:
        """Places (M, 2) m of a point of the car, m forward and to the left of the middle of its rear axle."""
        return self._point + forward * self._along + left * self._across

    def slope(self, path: Path, row: Indices, gradient: Points, forward: float, left: float) -> sparse.csr_array:
        """(K, N) by the offsets of the path's nodes, of what has ``gradient`` (K, 2) there at places ``row`` (K,)."""
        count, rows = len(path.points), np.arange(len(row))
        node = self.edge[row]
        after = (node + 1) % count
        turned = np.sum(gradient * (forward * self._across[row] - left * self._along[row]), axis=1)
        by_offset, by_heading = [], []
        for end, (which, share) in enumerate(((node, 1 - self._part[row]), (after, self._part[row]))):
            moved = np.sum(gradient * path.normal[which], axis=1)
            by_offset.append(self._by_node[end][row] * moved)
            by_heading.append(self._by_tangent[end][row] * moved + share * turned)
        at = np.concatenate([rows, rows]), np.concatenate([node, after])
        offsets, headings = (
            sparse.csr_array((np.concatenate(values), at), shape=(len(row), count))
            for values in (by_offset, by_heading)
        )
        return sparse.csr_array(offsets + headings @ path.heading_slope)
