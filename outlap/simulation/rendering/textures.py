"""Tiles that give floors and walls something to look at, packed so that one fetch brings a bilinear neighbourhood."""

from __future__ import annotations

import cv2
import numpy as np
from numba import float32 as f4
from numba import int32 as i4
from numpy.typing import NDArray

from outlap.simulation.rendering.compiling import part
from outlap.simulation.rendering.tile_set import FLOORS, SIZE, WALLS

RECTANGLES = 160  # in a room: chairs, legs and window frames as well as doors and cupboards


def tiles(seed: int = 0) -> NDArray[np.int32]:
    """All tiles, floors first, shape ((FLOORS + WALLS) * SIZE * SIZE,).

    Each word holds a texel and its right, lower and lower right neighbours (8 bits each, lowest first), wrapping at the
    tile's edge.
    """
    rng = np.random.default_rng(seed)
    pictures = [_floor(rng, kind) for kind in range(FLOORS)] + [_room(rng) for _ in range(WALLS)]
    return np.concatenate([_quads(picture).ravel() for picture in pictures])


@part
def texture(word, x, y):
    """The grey level at ``x``, ``y`` (0 .. 1) between the four texels of a tile's word."""
    # Said to be 32 bits wide at each step: Numba makes integers of 64, which take twice the SIMD registers.
    a, b = f4(i4(word & 255)), f4(i4((word >> 8) & 255))
    c, d = f4(i4((word >> 16) & 255)), f4(i4((word >> 24) & 255))
    upper, lower = a + x * (b - a), c + x * (d - c)
    return upper + y * (lower - upper)


def _quads(picture: NDArray[np.uint8]) -> NDArray[np.int32]:
    here = picture.astype(np.uint32)
    right = np.roll(here, -1, axis=1)
    packed = here | right << 8 | np.roll(here, -1, axis=0) << 16 | np.roll(right, -1, axis=0) << 24
    return packed.view(np.int32)


def _smooth_noise(rng: np.random.Generator, scale: float, stretch: float = 1.0) -> NDArray[np.float64]:
    """Tileable Gaussian noise of zero mean and unit deviation, features of ``scale`` pixels, longer along y."""
    frequency = np.fft.fftfreq(SIZE)
    keep = np.exp(-0.5 * (2 * np.pi * scale / 2) ** 2 * (frequency[None] ** 2 + (stretch * frequency[:, None]) ** 2))
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIZE, SIZE))) * keep).real
    return (noise - noise.mean()) / noise.std()


def _eight_bit(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.round(128 + 42 * values), 0, 255).astype(np.uint8)


def _floor(rng: np.random.Generator, kind: int) -> NDArray[np.uint8]:
    noise = 0.5 * _smooth_noise(rng, 2) + 0.6 * _smooth_noise(rng, 12) + 0.6 * _smooth_noise(rng, 60)
    if kind % 4 == 1:  # boards along y, each of its own shade
        noise = 0.8 * _smooth_noise(rng, 2, stretch=12) + np.repeat(rng.normal(size=8), SIZE // 8)[None]
    elif kind % 4 == 2:  # speckles of a carpet or terrazzo
        noise = 1.4 * _smooth_noise(rng, 1.5) + 0.4 * _smooth_noise(rng, 40)
    elif kind % 4 == 3:  # square slabs of slightly different shades
        slabs = np.kron(rng.normal(size=(4, 4)), np.ones((SIZE // 4, SIZE // 4)))
        noise = 0.6 * slabs + 0.5 * _smooth_noise(rng, 4)
    return _eight_bit(noise / max(noise.std(), 1e-6))


def _room(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Furniture, doors, windows and legs, as a pile of rectangles over a blurry ground."""
    picture = _eight_bit(0.5 * _smooth_noise(rng, 40)).astype(np.int32)
    for _ in range(RECTANGLES):
        width, height = np.exp(rng.uniform(np.log(2), np.log(64), size=2)).astype(int)
        x, y = rng.integers(0, SIZE, size=2)
        columns = np.arange(x, x + width) % SIZE
        rows = np.arange(y, y + height) % SIZE
        picture[np.ix_(rows, columns)] = int(rng.integers(0, 256))
    blurred = cv2.GaussianBlur(picture.astype(np.uint8), (0, 0), 0.6, borderType=cv2.BORDER_WRAP)
    return np.asarray(blurred, dtype=np.uint8)
