"""Fits a lens to pictures of a board, drops bad pictures, and says how far it can be trusted.

Bundle adjustment by Levenberg and Marquardt: the lens is common to all pictures, each has a pose of its own, which the
Schur complement takes out of the equations. Residuals beyond a pixel count less (Huber). Models and derivatives are
OpenCV's, as in outlap.camera.model: Brown-Conrady (cv2.projectPoints) and Kannala-Brandt (cv2.fisheye.projectPoints).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.calibration.board import Seen
from outlap.errors import OutlapError
from outlap.vehicle.car import Lens

Array = NDArray[np.float64]
ModelName = Literal["pinhole", "fisheye"]

FEWEST = 8  # pictures
FOCALS = (0.3, 0.4, 0.5, 0.65, 0.85, 1.1, 1.5, 2.0, 3.0)  # picture widths, where the search begins
# Weak knowledge of the distortion, 1 sigma, so that what no picture shows stays near a plain lens.
USUAL = {"pinhole": (1.0, 1.0, 0.02, 0.02, 1.0), "fisheye": (0.3, 0.3, 0.3, 0.3)}
STEPS = 60
HUBER = 1.0  # pixels
OUTLIER, ALWAYS_KEPT = 3.0, 0.3  # times the median picture's error; pixels, below which a picture is never dropped
FOLDS = 4  # of the cross-validation
BETTER = 0.97  # of the cross-validated error, which a fisheye must reach to be taken instead of a pinhole
# What is refused.
LARGEST_RMS = 1.0  # pixels in a picture up to 640 wide, in proportion beyond
LARGEST_SIGMA = 0.01  # of the focal length
LEAST_COVERAGE = 0.5  # of the picture's cells
CELLS = (8, 6)  # across and down


@dataclass
class LensFit:
    """A lens, and how it fits."""

    lens: Lens
    rms: float  # pixels, of the pictures that were kept
    checked: float  # pixels, of pictures that it was not fitted to
    sigma: float  # of the focal length, 1 sigma, as a part of it
    kept: list[int]  # pictures
    coverage: float  # part of the picture's cells that hold corners

    @property
    def problems(self) -> list[str]:
        """Why it should not be used, and what to do; empty: it may be."""
        limit = LARGEST_RMS * max(self.lens.width / 640, 1.0)
        found = []
        if self.rms > limit:
            found.append(
                f"corners are off by {self.rms:.2f} pixels (at most {limit:.2f}): is the board flat, its size as "
                "given, and the camera not zooming or focusing by itself?"
            )
        elif self.checked > 2 * self.rms + 0.2:
            found.append(f"it does not hold for other pictures ({self.checked:.2f} pixels): take more of them")
        if self.sigma > LARGEST_SIGMA:
            found.append(
                f"the focal length is known to {100 * self.sigma:.1f}% only: tilt the board more, by 30 to 45° in all "
                "directions, and hold it nearer"
            )
        if self.coverage < LEAST_COVERAGE:
            found.append(f"only {self.coverage:.0%} of the picture were seen: move the board to its edges and corners")
        return found


def fit_lens(views: Sequence[Seen], size: tuple[int, int], model: ModelName) -> LensFit:
    """Fit a lens to views of a board in pictures of ``size`` (width, height).

    Raises:
        OutlapError: there are too few views, or no lens fits them.
    """
    kept = list(range(len(views)))
    if len(kept) < FEWEST:
        raise OutlapError(f"the board was found in {len(kept)} pictures: at least {FEWEST} are needed, better 20.")
    fit = _Bundle(views, size, model)
    fit.begin()
    while True:
        fit.refine()
        errors = fit.errors()
        bad = errors > max(OUTLIER * float(np.median(errors)), ALWAYS_KEPT)
        if not bad.any() or len(kept) - int(bad.sum()) < max(FEWEST, 2 * len(views) // 3):
            break
        kept = [number for number, dropped in zip(kept, bad, strict=True) if not dropped]
        fit = fit.part([place for place in range(len(bad)) if not bad[place]])
    return LensFit(
        lens=fit.lens(),
        rms=_rms(fit.errors()),
        checked=_cross_validated(fit),
        sigma=fit.sigma(),
        kept=kept,
        coverage=float((coverage([views[number] for number in kept], size) > 0).mean()),
    )


def fit_best(views: Sequence[Seen], size: tuple[int, int]) -> LensFit:
    """The model that holds better for pictures that it was not fitted to; a pinhole where that makes no difference.

    Raises:
        OutlapError: there are too few views, or no lens fits them.
    """
    pinhole, fisheye = fit_lens(views, size, "pinhole"), fit_lens(views, size, "fisheye")
    return fisheye if fisheye.checked < BETTER * pinhole.checked else pinhole


def coverage(views: Sequence[Seen], size: tuple[int, int]) -> NDArray[np.int64]:
    """How many corners lie in each cell of the picture, (rows, columns)."""
    across, down = CELLS
    pixels = np.concatenate([view.pixels for view in views]) if views else np.zeros((0, 2))
    counts, _, _ = np.histogram2d(
        pixels[:, 1], pixels[:, 0], bins=(down, across), range=((-0.5, size[1] - 0.5), (-0.5, size[0] - 0.5))
    )
    return counts.astype(np.int64)


class _Bundle:
    """The lens's numbers (fx fy cx cy and the distortion) and each picture's pose (rotation vector and place)."""

    def __init__(self, views: Sequence[Seen], size: tuple[int, int], model: ModelName) -> None:
        self.views, self.size = list(views), size
        self.model: ModelName = model
        width, height = size
        self.numbers = np.array([width, width, (width - 1) / 2, (height - 1) / 2, *([0.0] * len(USUAL[model]))], float)
        self.poses = np.zeros((len(self.views), 6))

    def part(self, places: Sequence[int]) -> _Bundle:
        """The same with some of the pictures only."""
        other = _Bundle([self.views[place] for place in places], self.size, self.model)
        other.numbers, other.poses = self.numbers.copy(), self.poses[list(places)].copy()
        return other

    def begin(self) -> None:
        """Find a focal length and poses to start from."""
        best = np.inf
        for focal in FOCALS:
            self.numbers[:2] = focal * self.size[0]
            poses = np.array([self._posed(view) for view in self.views])
            trial = self.part(range(len(self.views)))
            trial.poses = poses
            error = float(np.median(trial.errors()))
            if error < best:
                best, found = error, (self.numbers.copy(), poses)
        if not np.isfinite(best):
            raise OutlapError("no lens fits these pictures: are they of this board?")
        self.numbers, self.poses = found
        self.refine(free=np.arange(len(self.numbers)) < 2)

    def refine(self, free: NDArray[np.bool_] | None = None) -> None:
        """Improve lens and poses; of the lens only what is ``free``."""
        mask = np.ones(len(self.numbers), bool) if free is None else free
        damping, cost = 1e-3, self._cost()
        for _ in range(STEPS):
            step, poses = self._step(damping, mask)
            before = self.numbers, self.poses
            self.numbers, self.poses = self.numbers + step, self.poses + poses
            new = self._cost()
            if not new < cost:
                self.numbers, self.poses = before
                damping *= 10
                if damping > 1e8:
                    return
                continue
            done = cost - new < 1e-9 * cost
            cost, damping = new, max(damping / 10, 1e-9)
            if done:
                return

    def errors(self) -> Array:
        """Root mean square error of each picture in pixels; infinite where the board would not be seen at all."""
        found = np.array([_rms(self._residuals(place)[0]) * np.sqrt(2) for place in range(len(self.views))])
        return np.where(np.isfinite(found), found, np.inf)

    def sigma(self) -> float:
        """Standard deviation of the focal length, as a part of it."""
        lens, *_ = self._equations(0.0)
        noise = max(_rms(self.errors()) / np.sqrt(2), 0.05)  # pixels, each way; no picture is better than that
        return float(noise * np.sqrt(np.linalg.inv(lens)[0, 0]) / self.numbers[0])

    def lens(self) -> Lens:
        """What was found.

        Raises:
            OutlapError: it is no lens that a car file could hold.
        """
        fx, fy, cx, cy, *distortion = (round(float(number), 6) for number in self.numbers)
        if not (fx > 0 and fy > 0):
            raise OutlapError("no lens fits these pictures: are they of this board?")
        width, height = self.size
        return Lens(
            model=self.model, width=width, height=height, fx=fx, fy=fy, cx=cx, cy=cy, distortion=tuple(distortion)
        )

    def _posed(self, view: Seen) -> Array:
        """The pose of a picture by the present lens."""
        normal = (view.pixels - self.numbers[2:4]) / self.numbers[:2]
        if self.model == "fisheye":
            angle = np.linalg.norm(normal, axis=1, keepdims=True)
            normal = normal * np.where(angle > 1e-9, np.tan(np.minimum(angle, 1.45)) / np.maximum(angle, 1e-9), 1.0)
        found, turned, place = cv2.solvePnP(view.points, normal, np.eye(3), None, flags=cv2.SOLVEPNP_IPPE)
        if not found:
            return np.full(6, np.nan)
        return np.concatenate([turned.ravel(), place.ravel()]).astype(np.float64)

    def _residuals(self, place: int) -> tuple[Array, Array, Array]:
        """Seen less expected (2n,), and the derivatives of what is expected by lens (2n, p) and pose (2n, 6)."""
        view, pose = self.views[place], self.poses[place]
        count = 2 * len(view.points)
        if not np.all(np.isfinite(pose)):
            return np.full(count, np.inf), np.zeros((count, len(self.numbers))), np.zeros((count, 6))
        fx, fy, cx, cy, *distortion = self.numbers
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
        if self.model == "fisheye":
            pixels, slopes = cv2.fisheye.projectPoints(
                view.points.reshape(1, -1, 3), pose[:3], pose[3:], matrix, np.array(distortion)
            )
            lens, turn = slopes[:, :8], slopes[:, 8:14]
        else:
            pixels, slopes = cv2.projectPoints(view.points, pose[:3], pose[3:], matrix, np.array(distortion))
            lens, turn = slopes[:, 6:15], slopes[:, :6]
        return (view.pixels - pixels.reshape(-1, 2)).ravel(), np.asarray(lens, float), np.asarray(turn, float)

    def _cost(self) -> float:
        total = float(np.sum((self.numbers[4:] / np.array(USUAL[self.model])) ** 2)) / 2
        for place in range(len(self.views)):
            size = np.abs(self._residuals(place)[0])
            total += float(np.sum(np.where(size < HUBER, size**2 / 2, HUBER * (size - HUBER / 2))))
        return total if np.isfinite(total) else np.inf

    def _equations(self, damping: float) -> tuple[Array, Array, Array, Array, Array]:
        """Normal equations of the lens with the poses taken out: matrix, right side, and what leads back to them."""
        p = len(self.numbers)
        prior = np.zeros(p)
        prior[4:] = 1 / np.array(USUAL[self.model]) ** 2
        matrix, right = np.diag(prior), -prior * self.numbers
        back, own = np.zeros((len(self.views), 6, p)), np.zeros((len(self.views), 6))
        for place in range(len(self.views)):
            residual, lens, turn = self._residuals(place)
            weight = np.minimum(1.0, HUBER / np.maximum(np.abs(residual), 1e-12))
            mixed, pose = turn.T @ (weight[:, None] * lens), turn.T @ (weight[:, None] * turn)
            pose += damping * np.diag(np.diag(pose)) + 1e-12 * np.eye(6)
            back[place], own[place] = np.linalg.solve(pose, mixed), np.linalg.solve(pose, turn.T @ (weight * residual))
            matrix += lens.T @ (weight[:, None] * lens) - mixed.T @ back[place]
            right += lens.T @ (weight * residual) - mixed.T @ own[place]
        return matrix, right, back, own, prior

    def _step(self, damping: float, free: NDArray[np.bool_]) -> tuple[Array, Array]:
        matrix, right, back, own, _ = self._equations(damping)
        step = np.zeros(len(right))
        if free.any():
            part = matrix[np.ix_(free, free)]
            step[free] = np.linalg.solve(part + damping * np.diag(np.diag(part)), right[free])
        return step, own - back @ step


def _cross_validated(fit: _Bundle) -> float:
    """Error in pixels of pictures whose poses alone were fitted, by a lens from the others."""
    errors = []
    for fold in range(FOLDS):
        places = range(len(fit.views))
        others = fit.part([place for place in places if place % FOLDS != fold])
        others.refine()
        left = fit.part([place for place in places if place % FOLDS == fold])
        left.numbers = others.numbers
        left.refine(free=np.zeros(len(left.numbers), bool))
        errors.append(left.errors())
    return _rms(np.concatenate(errors))


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
