"""One round of the search for the fastest line: what a path is worth, and the convex program that improves it.

The program's unknowns are, for each of N nodes, the move sideways (m), the square of the speed (m²/s²), and by how much
the borders (m) and the steering's limit (1/m) are missed, which costs more time than it saves. With squared speeds the
acceleration along an edge is linear; grip is a second-order cone at either end of each edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from outlap.errors import OutlapError
from outlap.track.path import Path
from outlap.track.speed import Limits, fastest_speeds, lap_time
from outlap.track.wheels import Wheels

Floats = NDArray[np.float64]
Matrix = sparse.csr_array

# Prices in s for missing a limit at one node: far above what it could save, so that limits are kept where they can be.
BORDER_PRICE = 30.0  # per m
STEERING_PRICE = 0.3  # per 1/m
# s·m³, of the square of the curvature's slope along the path: smooths over the corners of a border's polyline, and
# costs real routes less than 0.02 % of their lap time.
STEERING_CHANGE_PRICE = 6e-6
SLOWEST = 0.1  # m/s, keeps the slopes of the time finite
ACCURACY = 1e-6  # of the program, relative; the search goes on from whatever it finds


class Driven:
    """A path, driven as fast as the limits allow.

    Attributes:
        path: the nodes.
        progress: (N,) m along the lap, where the nodes are.
        speed: (N,) m/s at the nodes.
        time: s round the lap.
        room: see :meth:`Wheels.room`.
        beyond: m, by which the worst wheel misses its border and margin; zero if none does.
        hasty: s, the price of hasty steering.
        cost: s round the lap, and the price of all missed limits and of hasty steering.
    """

    def __init__(self, path: Path, near: Floats, wheels: Wheels, limits: Limits) -> None:
        """Drive ``path``, whose nodes are about ``near`` (N,) m along the lap."""
        self.path = path
        self.progress = wheels.progress(path.points, near)
        self.speed = fastest_speeds(path.length, path.curvature, limits)
        self.time = lap_time(path.length, self.speed)
        self.room = wheels.room(path, self.progress)
        beyond = np.zeros(len(path.points))
        np.maximum.at(beyond, self.room.node, -self.room.left)
        self.beyond = float(beyond.max())
        bent = np.maximum(np.abs(path.curvature) - limits.curvature, 0)
        self.cost = self.time + BORDER_PRICE * float(beyond.sum()) + STEERING_PRICE * float(bent.sum())
        self.hasty = STEERING_CHANGE_PRICE * float(np.sum(_jumps(path) ** 2 / path.length))
        self.cost += self.hasty


def improved(driven: Driven, limits: Limits, trust: float) -> tuple[Floats, float]:
    """Moves (N,) m to the left, none above ``trust``, that lower the cost most; and by how much they promise to (s)."""
    # Here, because no Linux distribution packages it: an install from apt lacks the fastest line only.
    import clarabel

    solver: Any = clarabel  # compiled, and tells no types
    quadratic, linear, constant = _time(driven)
    n = len(driven.speed)
    rows, bounds = _linear_limits(driven, limits, trust)
    cones, cone_bounds = _grip(driven, limits)
    settings = solver.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = ACCURACY
    settings.max_threads = 1  # the same numbers on every machine
    kinds = [solver.NonnegativeConeT(len(bounds)), *[solver.SecondOrderConeT(3)] * (2 * n)]
    solution = solver.DefaultSolver(
        sparse.csc_matrix(sparse.triu(quadratic)),
        linear,
        sparse.csc_matrix(sparse.vstack([rows, cones])),
        np.concatenate([bounds, cone_bounds]),
        kinds,
        settings,
    ).solve()
    found = np.array(solution.x)
    if not np.isfinite(found).all():
        raise OutlapError(f"the fastest line's program could not be solved ({solution.status}).")
    return found[:n], driven.cost - constant - float(solution.obj_val)


def _time(driven: Driven) -> tuple[Matrix, Floats, float]:
    """Second-order model of the lap time and the prices: its matrix, its slopes, and what does not change.

    What a move and a change of speed do together is left out, which would make the program not convex.
    """
    path, n = driven.path, len(driven.speed)
    one, after = _shifts(n)
    begin = np.maximum(driven.speed, SLOWEST)
    end, length = np.roll(begin, -1), path.length
    both = begin + end
    # An edge's time is 2 length / (begin + end), and speeds are roots of the unknowns.
    by_begin, by_end = 0.5 / begin, 0.5 / end
    slope = -2 * length / both**2
    bend = 4 * length / both**3
    straight = sparse.diags_array(bend * by_begin**2 - slope * 0.25 / begin**3)
    straight_end = sparse.diags_array(bend * by_end**2 - slope * 0.25 / end**3)
    mixed = sparse.diags_array(bend * by_begin * by_end) @ after
    speeds = straight + after.T @ straight_end @ after + mixed + mixed.T
    # An edge that is turned by moves of its ends grows by half the square of the turn.
    moves = path.edge_turn.T @ sparse.diags_array(length * 2 / both) @ path.edge_turn + 1e-6 * one
    jump = _jumps(path)
    price = sparse.diags_array(2 * STEERING_CHANGE_PRICE / path.length)
    jumps = (after - one) @ path.curvature_slope
    moves = moves + jumps.T @ price @ jumps
    quadratic = sparse.csr_array(sparse.block_diag([moves, speeds, 1e-9 * one, 1e-9 * one]))
    linear = np.concatenate(
        [
            path.length_slope.T @ (2 / both) + jumps.T @ (price @ jump),
            slope * by_begin + after.T @ (slope * by_end),
            np.full(n, BORDER_PRICE),
            np.full(n, STEERING_PRICE),
        ]
    )
    return quadratic, linear, driven.time + driven.hasty


def _linear_limits(driven: Driven, limits: Limits, trust: float) -> tuple[Matrix, Floats]:
    """Rows and bounds of: rows times the unknowns must not exceed the bounds."""
    path, n = driven.path, len(driven.speed)
    one, _ = _shifts(n)
    square = driven.speed**2
    pushing = _acceleration(path)
    push = pushing @ square
    bend = path.curvature_slope
    zero = np.zeros(n)
    room = driven.room
    count = len(room.left)
    missed = sparse.csr_array((np.ones(count), (np.arange(count), room.node)), shape=(count, n))
    rows: list[tuple[Matrix | None, Matrix | None, Matrix | None, Matrix | None]] = [
        (None, None, -one, None),
        (None, None, None, -one),
        (bend, None, None, -one),
        (-bend, None, None, -one),
        (None, one, None, None),
        (None, -one, None, None),
        (one, None, None, None),
        (-one, None, None, None),
        (None, pushing, None, None),
        (None, -pushing, None, None),
    ]
    bounds = [
        zero,
        zero,
        limits.curvature - path.curvature,
        limits.curvature + path.curvature,
        limits.speed**2 - square,
        square - min(SLOWEST, 0.5 * limits.speed) ** 2,
        zero + trust,
        zero + trust,
        limits.acceleration - push,
        limits.deceleration + push,
        room.left,
    ]
    inside = _row(n, (-room.slope, None, -missed, None), count)
    return sparse.csr_array(sparse.vstack([*(_row(n, row) for row in rows), inside])), np.concatenate(bounds)


def _grip(driven: Driven, limits: Limits) -> tuple[Matrix, Floats]:
    """Cones that hold (grip, force to the side, force along), per mass, at the beginning and the end of each edge."""
    path, n = driven.path, len(driven.speed)
    one, after = _shifts(n)
    square = driven.speed**2
    pushing = _acceleration(path)
    sideways = _row(
        n, (sparse.diags_array(square) @ path.curvature_slope, sparse.diags_array(path.curvature), None, None)
    )
    along = _row(n, (None, pushing, None, None))
    nothing = sparse.csr_array(along.shape)
    by_cone = np.arange(3 * n).reshape(3, n).T.ravel()  # the three rows of a cone stand together
    rows, bounds = [], []
    for at in (one, after):
        rows.append(sparse.csr_array(sparse.vstack([nothing, -(at @ sideways), -along]))[by_cone])
        force = np.stack([np.full(n, limits.grip), at @ (path.curvature * square), pushing @ square], axis=1)
        bounds.append(force.ravel())
    return sparse.csr_array(sparse.vstack(rows)), np.concatenate(bounds)


def _acceleration(path: Path) -> Matrix:
    """(N, N): squared speeds at the nodes to the acceleration along each edge, m/s²."""
    one, after = _shifts(len(path.length))
    return sparse.csr_array(sparse.diags_array(0.5 / path.length) @ (after - one))


def _shifts(n: int) -> tuple[Matrix, Matrix]:
    """(N, N) each: what belongs to a node, and what belongs to the node after it."""
    here = np.arange(n)
    return (
        sparse.csr_array((np.ones(n), (here, here)), shape=(n, n)),
        sparse.csr_array((np.ones(n), (here, np.roll(here, -1))), shape=(n, n)),
    )


def _row(n: int, blocks: tuple[Matrix | None, ...], height: int | None = None) -> Matrix:
    """Blocks of N columns side by side, one for each kind of unknown; None is zero."""
    nothing = sparse.csr_array((n if height is None else height, n))
    return sparse.csr_array(sparse.hstack([nothing if block is None else block for block in blocks]))


def _jumps(path: Path) -> Floats:
    """(N,) 1/m, by how much the curvature changes along each edge."""
    return np.diff(path.curvature, append=path.curvature[0])
