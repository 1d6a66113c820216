"""Shows recordings to a policy: every frame through the canonical view, with the memory that it has in a car."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlap.camera.warp import Warp
from outlap.errors import OutlapError
from outlap.footage.tub import Tub
from outlap.footage.yaw import YawMeter
from outlap.policy.observation import frames_to_tensor
from outlap.policy.runtime import Policy

FASTEST = 8.0  # rad/s; what would be faster is two pictures that do not match

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Footage:
    """A recording as a policy sees it.

    Attributes:
        tub: its usable records (n of them).
        views: (n, H, W) uint8 canonical views.
        yaw_rate: (n,) rad/s, left positive, as the pictures themselves say; NaN at the start of a stretch.
    """

    tub: Tub
    views: NDArray[np.uint8]
    yaw_rate: Floats


def watch(tub: Tub, warp: Warp) -> Footage:
    """Read all pictures of ``tub`` through ``warp``; unusable ones are left out and told of in the tub's problems.

    Raises:
        OutlapError: no picture is usable.
    """
    lens, view = warp.camera.lens, warp.view
    views = np.zeros((len(tub), view.height, view.width), np.uint8)
    yaw_rate = np.full(len(tub), np.nan)
    good = np.ones(len(tub), bool)
    problems: list[str] = []
    meter = YawMeter(warp.camera)
    before = -1  # row of the last good picture
    for row in range(len(tub)):
        picture = tub.picture(row)
        if not isinstance(picture, str) and picture.shape != (lens.height, lens.width):
            size = f"{picture.shape[1]}x{picture.shape[0]}"
            picture = f"{tub.images[row]}: the picture has {size} pixels instead of {lens.width}x{lens.height}"
        if isinstance(picture, str):
            problems.append(f"{tub.places[row]}: {picture}; the record is left out.")
            good[row] = False
            continue
        views[row] = warp(picture)
        turned = meter(picture)
        if before >= 0 and tub.segment[before] == tub.segment[row] and before == row - 1:
            rate = turned / (tub.stamp[row] - tub.stamp[before])
            yaw_rate[row] = rate if abs(rate) < FASTEST else np.nan
        before = row
    if not good.any():
        raise OutlapError(f"{tub.folder}: not one of the tub's {len(tub)} pictures is usable. First: {problems[0]}")
    return Footage(tub.keep(good, tuple(problems)), views[good], yaw_rate[good])


def steer(policy: Policy, footage: Footage) -> tuple[Floats, Floats]:
    """The curvature (n,) in 1/m, left positive, that ``policy`` wants in each frame; and of the mirrored frames.

    A policy remembers pictures and commands of fixed ages at its own rate, recordings have another. It is given the
    picture nearest in time to each age, and the command that was in force then. Every stretch of the recording starts
    as a drive does: the first picture stands in for earlier ones, the past commands are zero.
    """
    contract = policy.contract
    stamp, segment = footage.tub.stamp, footage.tub.segment
    starts = np.searchsorted(segment, np.arange(segment[-1] + 1))
    lengths = np.diff([*starts, len(segment)])
    first = starts[segment]
    ages = np.asarray(contract.observation.frame_offsets) / contract.rate_hz
    pictures = np.stack([_nearest(stamp, first, age) for age in ages], axis=1)  # (n, T) rows
    ages = np.arange(1, contract.observation.commands + 1) / contract.rate_hz
    commands = np.stack([_in_force(stamp, first, age) for age in ages], axis=1)  # (n, K) rows, -1 for none
    scale = np.array([contract.action.curvature_limit, contract.action.speed_limit], np.float32)
    wanted = np.zeros((2, len(stamp), 2), np.float32)  # plain and mirrored
    past = np.zeros((2, len(stamp) + 1, 2), np.float32)  # as parts of their limits; the last row stays zero
    order = starts[np.argsort(-lengths, kind="stable")]
    lengths = np.sort(lengths)[::-1]
    for step in range(int(lengths[0])):
        rows = order[: np.searchsorted(-lengths, -step)] + step  # the next frame of every stretch that long
        seen = footage.views[pictures[rows]]
        frames = frames_to_tensor(np.concatenate([seen, seen[..., ::-1]]))
        memory = past[:, commands[rows]]  # (2, B, K, 2)
        action = policy.infer(frames, memory.reshape(-1, *memory.shape[2:])).reshape(2, len(rows), 2)
        wanted[:, rows] = action
        past[:, rows] = np.nan_to_num(np.clip(action / scale, (-1, 0), (1, 1)))
    plain, mirrored = wanted[..., 0].astype(float)
    return plain, mirrored


def _nearest(stamp: Floats, first: Ints, age: float) -> Ints:
    """(n,) rows of the frames nearest to ``age`` s before each frame, none before the ``first`` of its stretch."""
    after = np.searchsorted(stamp, stamp - age)
    before = np.maximum(after - 1, 0)
    rows = np.where(stamp[after] - (stamp - age) < (stamp - age) - stamp[before], after, before)
    return np.clip(rows, first, np.arange(len(stamp)))


def _in_force(stamp: Floats, first: Ints, age: float) -> Ints:
    """(n,) rows of the frames whose command was in force ``age`` s before each frame; -1 where there was none."""
    rows = np.searchsorted(stamp, stamp - age, side="right") - 1
    rows = np.minimum(rows, np.arange(len(stamp)) - 1)
    return np.where(rows >= first, rows, -1)
