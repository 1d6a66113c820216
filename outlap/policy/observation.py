"""From camera frames to the network's input: the one function that trainer, evaluator and policy node all call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Grey levels. A picture with less contrast than this (fog, a hand before the lens, the constant where nothing is seen)
# is mostly sensor noise of 1 to 3 levels: dividing by its own deviation would blow that noise up into a scene.
DEVIATION_FLOOR = 8.0
CHUNK = 1 << 17  # pixels handled at once: 0.5 MB of float32, so that every pass stays inside the cache


def frames_to_tensor(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Standardise each picture to zero mean and unit deviation, so that exposure and contrast do not matter.

    Args:
        frames: (..., H, W) uint8 grey levels, any number of leading axes.

    Returns:
        (..., H, W) float32, without unit. A picture's result does not depend on its neighbours in the batch.
    """
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim < 2:
        raise TypeError(f"frames must be uint8 of shape (..., H, W), not {frames.dtype} of shape {frames.shape}")
    pixels = frames.shape[-2] * frames.shape[-1]
    tensor = frames.astype(np.float32, order="C")
    pictures = tensor.reshape(-1, pixels)
    rows = max(CHUNK // max(pixels, 1), 1)
    for first in range(0, len(pictures), rows):
        part = pictures[first : first + rows]
        part -= part.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.einsum("ij,ij->i", part, part) / np.float32(pixels))
        part *= (1 / np.maximum(deviation, np.float32(DEVIATION_FLOOR)))[:, None]
    return tensor
