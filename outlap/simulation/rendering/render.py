"""The batch renderer: what many cameras see, drawn from ground maps and looks.

Its compiled part is in :mod:`outlap.simulation.rendering.kernel`. A first picture on a machine compiles it, which takes
seconds;
:func:`warm` does that ahead, and so does ``python -m outlap.simulation.rendering.render``, beside other work.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlap.simulation.rendering import blocks
from outlap.simulation.rendering.blocks import ACROSS, DOWN, PIECE
from outlap.simulation.rendering.ground import GroundMaps
from outlap.simulation.rendering.kernel import KERNELS
from outlap.simulation.rendering.look import Looks
from outlap.simulation.rendering.textures import tiles

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as cv2.COLOR_RGB2GRAY
NOISE_TABLE = 1 << 16
SHARED = 4  # pictures, from which on threads share them
SHARES = 4  # of the work that each thread takes, so that one which is held up does not make the others wait

_tiles = cache(tiles)  # drawing them takes as long as a few thousand pictures


class Renderer:
    """Draws what any number of cars see through a lens, or each through one of several.

    Args:
        rays: (H, W, 3) unit rays of the lens in the optical frame, or (L, H, W, 3) those of L lenses.
        maps: ground maps of the tracks.
        channels: 3 for rgb8, 1 for mono8.
        seed: of the pixels' noise.
        parallel: share the cars among all cores; a live simulator with its one car must not wait for other threads.
    """

    def __init__(
        self, rays: NDArray[np.float64], maps: GroundMaps, channels: int, seed: int = 0, parallel: bool = True
    ) -> None:
        lenses = rays.reshape(-1, *rays.shape[-3:])
        self.lenses, self.height, self.width = lenses.shape[:3]
        self.channels = channels
        self.maps = maps
        self._kernel = KERNELS[channels]
        self._threads = len(os.sched_getaffinity(0)) if parallel else 1
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="render") if self._threads > 1 else None
        tables = [blocks.ray_table(lens) for lens in lenses]
        self._table, self._blocks = (np.stack(parts) for parts in zip(*tables, strict=True))
        # Both distances of a texel side by side, so that one load brings them.
        self._lines = np.stack([maps.edge, maps.centre], axis=1).view(np.int64).ravel()
        self._tiles = _tiles(0)
        self.rng = np.random.default_rng(seed)
        self._noise = self.rng.normal(size=NOISE_TABLE + self._table.shape[1] * PIECE).astype(np.float32)

    def draw(
        self,
        track: NDArray[np.int64],
        eye: NDArray[np.float64],
        rotation: NDArray[np.float64],
        looks: Looks,
        lens: NDArray[np.int64] | None = None,
        grain: NDArray[np.float64] | None = None,
    ) -> NDArray[np.uint8]:
        """Pictures of n cameras.

        Args:
            track: (n,) index into the ground maps.
            eye: (n, 3) m, where each camera stands in the world.
            rotation: (n, 3, 3), turns vectors of the optical frame into the world's.
            looks: what the n worlds are made of.
            lens: (n,) through which of the lenses each camera sees; the first without it.
            grain: (n,) 0 to 1, which noise each picture gets; drawn without it.

        Returns:
            (n, H, W, channels) uint8.

        Raises:
            IndexError: there are fewer lenses.
        """
        n = len(track)
        through = np.zeros(n, np.int64) if lens is None else np.ascontiguousarray(lens, dtype=np.int64)
        # The kernel does not check: an index beyond the lenses would read other memory.
        if n and not (through.min() >= 0 and through.max() < self.lenses):
            raise IndexError(f"lens index beyond 0..{self.lenses - 1}")
        colours, boxes = looks.colours, looks.box_colours
        if self.channels == 1:
            colours, boxes = (colours @ LUMA)[..., None], (boxes @ LUMA)[..., None]
        rows, columns = -(-self.height // DOWN), -(-self.width // ACROSS)
        out = np.empty((n, rows * DOWN, columns * ACROSS * self.channels), dtype=np.uint8)
        arguments = (
            self._table,
            self._blocks,
            through,
            rotation.astype(np.float32),
            eye.astype(np.float32),
            track.astype(np.int64),
            self._lines,
            self.maps.along,
            self.maps.start,
            self.maps.frame,
            self.maps.lap,
            self.maps.width,
            looks.scalars,
            colours,
            looks.boxes,
            boxes,
            self._tiles,
            self._noise,
            (NOISE_TABLE * (self.rng.random(n) if grain is None else grain)).astype(np.int64),
            out.view(np.int64),
        )
        self.share(n, self._kernel, *arguments)
        whole = out.reshape(n, rows * DOWN, columns * ACROSS, self.channels)
        return np.ascontiguousarray(whole[:, : self.height, : self.width])

    def share(self, n: int, kernel: Callable[..., None], *arguments: Any) -> None:
        """Call a compiled ``kernel`` with these arguments, and the first and last of ``n`` pictures, on all cores."""
        if self._pool is None or n < SHARED:
            kernel(*arguments, 0, n)
            return
        edges = np.linspace(0, n, SHARES * self._threads + 1).astype(int).tolist()
        for share in [self._pool.submit(kernel, *arguments, *ends) for ends in pairwise(edges)]:
            share.result()


def warm(channels: int = 1) -> None:
    """Have the renderer compiled and kept on disk, for pictures of ``channels`` channels.

    Later processes then load it in a moment. The compiler holds the interpreter's lock, so a thread that calls this
    stops all others; a child process does not::

        subprocess.Popen([sys.executable, "-m", "outlap.simulation.rendering.render"])
    """
    word = np.zeros(4, np.int32)
    corner, metres = np.array([[0, 0, 1, 1, 1]], np.float32), np.ones(1, np.float32)
    maps = GroundMaps(word, word, np.zeros(4, np.uint16), np.zeros(1, np.int64), corner, metres, metres)
    looks = Looks.plain(1, np.zeros(2), np.ones(2))
    ahead = np.broadcast_to([0.0, 0.0, 1.0], (DOWN, ACROSS, 3))
    level = np.array([[[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]])
    Renderer(ahead, maps, channels).draw(np.zeros(1, np.int64), np.array([[0.5, 0.5, 0.1]]), level, looks)


if __name__ == "__main__":
    warm()
