"""Closed paths of nodes: how their lengths and curvatures change as the nodes move sideways.

The edges of a path of N nodes lead from node i to node i + 1, the last to the first. Nodes move along their normals
only, by N offsets; a change of one node moves quantities of at most three nodes, so that all derivatives are sparse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.interpolate import CubicSpline

from outlap.track.polyline import arc_lengths
from outlap.track.track import Points

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """A closed path, its geometry, and the derivatives of that by the nodes' offsets to the left."""

    points: Points  # (N, 2) m
    tangent: Points  # (N, 2) unit, at the nodes
    normal: Points  # (N, 2) unit, to the left of the tangent
    length: Floats  # (N,) m, of the edge that begins at each node
    curvature: Floats  # (N,) 1/m, at the nodes, left positive
    length_slope: sparse.csr_array  # (N, N) by the offsets
    curvature_slope: sparse.csr_array  # (N, N) 1/m², by the offsets
    edge_turn: sparse.csr_array  # (N, N) rad/m, of the edges' directions, by the offsets
    heading_slope: sparse.csr_array  # (N, N) rad/m, of the tangent, by the offsets

    def moved(self, offset: Floats) -> Points:
        """The nodes (N, 2) m, each ``offset`` (N,) m to the left of where it is."""
        return self.points + offset[:, None] * self.normal


def path_of(points: Points) -> Path:
    """The path through ``points`` (N, 2) m, about evenly spaced."""
    n = len(points)
    here = np.arange(n)
    after, before = np.roll(here, -1), np.roll(here, 1)
    edge = points[after] - points
    length = np.hypot(edge[:, 0], edge[:, 1])
    along = edge / length[:, None]
    tangent = along * length[before, None] + along[before] * length[:, None]  # of the circle through three nodes
    tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    normal = _left(tangent)
    # An edge grows as its ends part, and turns as they move to either side of it.
    grows_begin, grows_end = -np.sum(along * normal, axis=1), np.sum(along * normal[after], axis=1)
    across = _left(along)
    turns_begin = -np.sum(across * normal, axis=1) / length
    turns_end = np.sum(across * normal[after], axis=1) / length
    rows = np.concatenate([here, here])
    columns = np.concatenate([here, after])
    length_slope = sparse.csr_array((np.concatenate([grows_begin, grows_end]), (rows, columns)), shape=(n, n))
    edge_turn = sparse.csr_array((np.concatenate([turns_begin, turns_end]), (rows, columns)), shape=(n, n))
    back = sparse.csr_array((np.ones(n), (here, before)), shape=(n, n))  # takes what belongs to the edge before
    share = 0.5 * (length + length[before])
    turn = np.arctan2(
        along[before, 0] * along[:, 1] - along[before, 1] * along[:, 0], np.sum(along[before] * along, axis=1)
    )
    curvature = turn / share
    by_share = 0.5 * (length_slope + back @ length_slope)
    curvature_slope = _scaled(1 / share, edge_turn - back @ edge_turn) - _scaled(curvature / share, by_share)
    heading_slope = 0.5 * (edge_turn + back @ edge_turn)
    return Path(points, tangent, normal, length, curvature, length_slope, curvature_slope, edge_turn, heading_slope)


def resampled(points: Points, count: int) -> tuple[Points, Floats]:
    """``count`` evenly spaced nodes (count, 2) m on the smooth closed curve through ``points``, from the same start.

    Also between which points each lies, (count,): 3.25 is a quarter of the way from the fourth to the fifth.
    """
    arc = arc_lengths(points)
    curve = CubicSpline(arc, np.concatenate([points, points[:1]]), bc_type="periodic")
    fine = np.linspace(0, arc[-1], 8 * count + 1)
    walked = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(curve(fine), axis=0).T))])
    at = np.interp(np.arange(count) * walked[-1] / count, walked, fine)
    return curve(at), np.interp(at, arc, np.arange(len(arc)))


def _left(vectors: Points) -> Points:
    return np.stack([-vectors[:, 1], vectors[:, 0]], axis=1)


def _scaled(factor: Floats, matrix: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array(sparse.diags_array(factor) @ matrix)
