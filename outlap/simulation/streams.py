"""Random numbers that many cars draw at once, each from a stream of its own, whoever else draws.

What befalls a car then does not depend on how many others there are, which its row is, and which of them have finished.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

# SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
STEP = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
PER_UNIT = 2.0**-53  # doubles have 53 bits


@dataclass
class Streams:
    """n streams."""

    STATE: ClassVar = {"place": "place"}

    place: NDArray[np.uint64]  # (n,) where each is

    @classmethod
    def of(cls, n: int) -> Streams:
        """n streams, all alike until they are seeded."""
        return cls(np.zeros(n, np.uint64))

    def seed(self, rows: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Begin the streams of ``rows`` anew, at places drawn by ``rng``."""
        self.place[rows] = rng.integers(0, 1 << 64, len(rows), dtype=np.uint64)

    def keep(self, rows: NDArray[np.int64]) -> None:
        """From now on there are only the streams ``rows`` (k,), in this order."""
        self.place = self.place[rows]

    def random(self, k: int) -> NDArray[np.float64]:
        """The next ``k`` numbers of each stream, (k, n), evenly from 0 up to but not including 1."""
        bits = self.place + STEP * np.arange(1, k + 1, dtype=np.uint64)[:, None]
        self.place = bits[-1].copy()
        bits = (bits ^ (bits >> np.uint64(30))) * FIRST
        bits = (bits ^ (bits >> np.uint64(27))) * SECOND
        bits = (bits ^ (bits >> np.uint64(31))) >> np.uint64(11)
        return bits.astype(np.float64) * PER_UNIT

    def normal(self, k: int) -> NDArray[np.float64]:
        """The next ``k`` normally distributed numbers of each stream, (k, n), of mean 0 and deviation 1."""
        even = self.random(2 * k)
        return np.sqrt(-2 * np.log1p(-even[:k])) * np.cos(2 * np.pi * even[k:])  # Box and Muller
