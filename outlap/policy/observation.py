"""From camera frames to the network's input: the one function that trainer, evaluator and policy node all call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Grey levels. A floor with less contrast than this (fog, a hand before the lens, the constant where nothing is seen) is
# mostly sensor noise of 1 to 3 levels: dividing by its own deviation would blow that noise up into a scene.
DEVIATION_FLOOR = 4.0
GROUND = 0.25  # part of the rows, from the top, that show the room rather than the floor
BRIGHTEST = 4.0  # deviations, beyond which lamps and windows are cut off
CHUNK = 1 << 17  # pixels handled at once: 0.5 MB of float32, so that every pass stays inside the cache


def frames_to_tensor(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Level each picture and bring its floor to unit contrast, so that exposure, light and the room do not matter.

    Every row loses its mean; then all is divided by the deviation of the lower rows, those that show the floor, and cut
    off at 4. A dark floor under a bright window so keeps its lines, and light that fades with distance does not count.

    Args:
        frames: (..., H, W) uint8 grey levels, any number of leading axes.

    Returns:
        (..., H, W) float32, without unit. A picture's result does not depend on its neighbours in the batch.
    """
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim < 2:
        raise TypeError(f"frames must be uint8 of shape (..., H, W), not {frames.dtype} of shape {frames.shape}")
    height, width = frames.shape[-2:]
    first = int(height * GROUND)
    pixels = (height - first) * width
    tensor = frames.astype(np.float32, order="C")
    pictures = tensor.reshape(-1, height, width)
    count = max(CHUNK // max(height * width, 1), 1)
    for begin in range(0, len(pictures), count):
        part = pictures[begin : begin + count]
        part -= part.mean(axis=2, keepdims=True)
        ground = part[:, first:]
        deviation = np.sqrt(np.einsum("ijk,ijk->i", ground, ground) / np.float32(pixels))
        part *= (1 / np.maximum(deviation, np.float32(DEVIATION_FLOOR)))[:, None, None]
        np.clip(part, -BRIGHTEST, BRIGHTEST, out=part)
    return tensor
