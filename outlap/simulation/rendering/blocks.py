"""The renderer's blocks of pixels: a lens cut into them, and what a camera's pose says of a whole block at once."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from numba import float32 as f4
from numpy.typing import NDArray

from outlap.simulation.rendering.compiling import part

ACROSS, DOWN = 16, 12  # pixels of a block; a whole number of SIMD registers across, of 64-bit words in a row of it
PIECE = ACROSS * DOWN  # a constant, so that the compiler sees that buffers of so many pixels do not overlap
STEEPEST = -0.003  # a ray's least downward slope for the floor: 40 m away at 0.12 m height
LANES = 32  # blocks that are surveyed at once
SIGHT = 5.0  # m, boxes further away are not drawn
# What the renderer is compiled from besides kernel.py, which is all that Numba's cache looks at.
PARTS = ("blocks.py", "compiling.py", "ground.py", "look.py", "textures.py", "tile_set.py")
SOURCES = zlib.crc32(b"".join(Path(__file__).with_name(name).read_bytes() for name in PARTS))

# Rows of a lens's table of blocks, each LANES wide; corners are four x, four y and four z.
AXIS_X, AXIS_Y, AXIS_Z, COSINE, SINE, WIDEST, CORNERS, LENS_ROWS = 0, 1, 2, 3, 4, 5, 6, 18
# Rows of a survey.
HIGHEST, LOWEST, REACH, BROAD, TEXEL_AT, BESIDE_X, BESIDE_Y, SURVEY_ROWS = 3, 4, 5, 6, 7, 8, 9, 10


def ray_table(rays: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rays of a lens in the renderer's order: blocks of DOWN rows and ACROSS columns, those at the edges padded.

    Args:
        rays: unit rays through the pixels in the optical frame, (H, W, 3), from :func:`outlap.camera.model.rays`.

    Returns:
        (blocks, 4 * PIECE): x, y, z of the rays and 1 / the angle between neighbouring pixels (1/rad); and
        (groups, LENS_ROWS * LANES), of each block, LANES blocks a group: axis, cosine and sine of the half angle of a
        cone that holds its rays, the largest angle between neighbouring pixels (rad), and its corners' rays.
    """
    across = np.linalg.norm(np.gradient(rays, axis=1), axis=-1)
    down = np.linalg.norm(np.gradient(rays, axis=0), axis=-1)
    # Where the lens sees nothing, all pixels have the ray of its rim.
    angle = np.maximum(np.sqrt(across * down), 1e-6)[..., None]
    height, width = rays.shape[:2]
    padded = np.pad(np.concatenate([rays, angle], axis=-1), ((0, -height % DOWN), (0, -width % ACROSS), (0, 0)), "edge")
    rows, columns = padded.shape[0] // DOWN, padded.shape[1] // ACROSS
    blocks = padded.reshape(rows, DOWN, columns, ACROSS, 4).transpose(0, 2, 4, 1, 3).reshape(rows * columns, 4, PIECE)
    axis = blocks[:, :3].mean(axis=2)
    axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)
    nearest = np.einsum("bi,bip->bp", axis, blocks[:, :3]).min(axis=1)
    half = np.minimum(np.arccos(np.clip(nearest, -1, 1)) + 1e-3, np.pi)
    corners = blocks[:, :3][:, :, [0, ACROSS - 1, PIECE - ACROSS, PIECE - 1]].reshape(-1, 12)
    lens = np.concatenate([axis, np.stack([np.cos(half), np.sin(half), blocks[:, 3].max(axis=1)], 1), corners], axis=1)
    lens = np.concatenate([lens, np.repeat(lens[-1:], -len(lens) % LANES, axis=0)])
    lens = lens.reshape(-1, LANES, LENS_ROWS).transpose(0, 2, 1).reshape(-1, LENS_ROWS * LANES)
    blocks[:, 3] = 1 / blocks[:, 3]
    return blocks.reshape(-1, 4 * PIECE).astype(np.float32), np.ascontiguousarray(lens, dtype=np.float32)


@part
def survey(lens, rotation, eye, frame):
    """What one camera's pose says of its lens's blocks, (groups, SURVEY_ROWS * LANES).

    The axis of the block's cone in the world; the highest and lowest slope of a ray in it; how far it reaches on the
    floor from where its axis meets it, and its broadest footprint (m); and the texel there, with the place in it.

    Args:
        lens: the table of blocks, from :func:`ray_table`.
        rotation, eye: of the camera in the world, (3, 3) and (3,).
        frame: (5,) of the track, see GroundMaps.
    """
    zero, half, one, margin = f4(0), f4(0.5), f4(1), f4(1.1)
    r00, r01, r02 = rotation[0, 0], rotation[0, 1], rotation[0, 2]
    r10, r11, r12 = rotation[1, 0], rotation[1, 1], rotation[1, 2]
    r20, r21, r22 = rotation[2, 0], rotation[2, 1], rotation[2, 2]
    ez, per_m, last_column, last_row = eye[2], frame[2], frame[3], frame[4]
    eye_column, eye_row = (eye[0] - frame[0]) * per_m, (eye[1] - frame[1]) * per_m
    found = np.empty((lens.shape[0], SURVEY_ROWS * LANES), np.float32)
    for group in range(lens.shape[0]):
        at, to = lens[group], found[group]
        for b in range(LANES):
            x, y, z = at[AXIS_X * LANES + b], at[AXIS_Y * LANES + b], at[AXIS_Z * LANES + b]
            ax, ay, az = r00 * x + r01 * y + r02 * z, r10 * x + r11 * y + r12 * z, r20 * x + r21 * y + r22 * z
            to[AXIS_X * LANES + b], to[AXIS_Y * LANES + b], to[AXIS_Z * LANES + b] = ax, ay, az
            cosine = at[COSINE * LANES + b]
            level = np.sqrt(max(one - az * az, zero)) * at[SINE * LANES + b]
            to[HIGHEST * LANES + b] = one if az > cosine else az * cosine + level
            to[LOWEST * LANES + b] = -one if -az > cosine else az * cosine - level
            t = -ez / min(az, f4(STEEPEST))
            gx, gy, reach, far = t * ax, t * ay, zero, t
            for corner in range(4):
                k = (CORNERS + corner) * LANES + b
                x, y, z = at[k], at[k + 4 * LANES], at[k + 8 * LANES]
                t = -ez / min(r20 * x + r21 * y + r22 * z, f4(STEEPEST))
                dx, dy = t * (r00 * x + r01 * y + r02 * z) - gx, t * (r10 * x + r11 * y + r12 * z) - gy
                reach, far = max(reach, dx * dx + dy * dy), max(far, t)
            to[REACH * LANES + b] = margin * np.sqrt(reach)
            to[BROAD * LANES + b] = margin * far * far / ez * at[WIDEST * LANES + b]
            mx = min(max(gx * per_m + eye_column, zero), last_column)
            my = min(max(gy * per_m + eye_row, zero), last_row)
            fx, fy = np.floor(mx), np.floor(my)
            to[TEXEL_AT * LANES + b] = fy * (last_column + one) + fx
            to[BESIDE_X * LANES + b], to[BESIDE_Y * LANES + b] = mx - fx - half, my - fy - half
    return found


@part
def cones_around(boxes, eye):
    """Cones from a camera around the boxes of its world, (BOXES, 5): axis, sine and cosine of the half angle.

    The sine is negative where there is no box or it is too far off to be drawn, and 1 where the camera is within its
    sphere, so that it may be seen in every direction.
    """
    cones = np.empty((boxes.shape[0], 5), np.float32)
    for k in range(boxes.shape[0]):
        along, across, up = boxes[k, 2], boxes[k, 3], f4(0.5) * boxes[k, 4]
        x, y, z = boxes[k, 0] - eye[0], boxes[k, 1] - eye[1], up - eye[2]
        seen = up > f4(0) and np.sqrt(x * x + y * y) - along - across < f4(SIGHT)
        distance = max(np.sqrt(x * x + y * y + z * z), f4(1e-3))
        sine = min(np.sqrt(along * along + across * across + up * up) / distance, f4(1))
        cones[k, 0], cones[k, 1], cones[k, 2] = x / distance, y / distance, z / distance
        cones[k, 3], cones[k, 4] = sine if seen else f4(-1), np.sqrt(f4(1) - sine * sine)
    return cones
