"""The ground of a world as one picture, drawn by the built-in renderer from straight above, and its walls' picture."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from outlap.simulation.rendering.ground import GroundMaps, bounds
from outlap.simulation.rendering.look import WALL_DARK, WALL_LIGHT, Looks
from outlap.simulation.rendering.render import Renderer
from outlap.simulation.rendering.textures import tiles
from outlap.simulation.rendering.tile_set import FLOORS, SIZE
from outlap.track.track import Track

Picture = NDArray[np.uint8]

FINEST = 0.005  # m a pixel: a border line is ten wide, and the car's camera sees its nearest ground as coarsely
LARGEST = 4096  # pixels a side: what every graphics card takes
AROUND = 1.5  # m of floor around the road that are drawn; further out it is one colour
PATCH = 480  # pixels a side that one camera draws; a multiple of the renderer's blocks both ways
HEIGHT = 6.0  # m, of these cameras: high enough that all their rays come down nearly upright
# Looking down with the picture's top towards north: optical x is east, optical y south, optical z down.
DOWNWARD = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Ground:
    """A picture of the ground; its first row is the northern edge, its first column the western one."""

    picture: Picture  # (rows, columns, 3) rgb8
    west: float  # m, world x of the first column's outer edge
    north: float  # m, world y of the first row's outer edge
    pixel: float  # m

    @property
    def size(self) -> tuple[float, float]:
        """m from west to east and from south to north."""
        return self.picture.shape[1] * self.pixel, self.picture.shape[0] * self.pixel

    @property
    def middle(self) -> tuple[float, float]:
        """m, world x and y of the picture's middle."""
        return self.west + self.size[0] / 2, self.north - self.size[1] / 2


def plain_looks(track: Track) -> Looks:
    """What the built-in live simulator shows a track as, of one car."""
    return Looks.plain(1, *bounds(track))


def draw_ground(track: Track, looks: Looks) -> Ground:
    """The floor with all that is painted on it, as the one row of ``looks`` says.

    Boxes, light that depends on where the car is, and what a camera adds (exposure, tone, noise …) are left out.
    """
    flat = looks.part(slice(0, 1))
    room = flat.scalars[0]
    low, high = bounds(track)
    west, south = np.maximum(low - AROUND, [room["room_west"], room["room_south"]]).tolist()
    east, north = np.minimum(high + AROUND, [room["room_east"], room["room_north"]]).tolist()
    for name, value in {"shade_x": 0, "shade_y": 0, "gain": 1, "curve": 0, "vignette": 0, "noise": 0}.items():
        flat.scalars[name] = value
    for name, value in {"room_west": -1e3, "room_east": 1e3, "room_south": -1e3, "room_north": 1e3}.items():
        flat.scalars[name] = value
    flat.boxes[:] = 0
    pixel = max(FINEST, (east - west) / LARGEST, (north - south) / LARGEST)
    columns, rows = round((east - west) / pixel), round((north - south) / pixel)
    across, down = -(-columns // PATCH), -(-rows // PATCH)
    step = (np.arange(PATCH) - (PATCH - 1) / 2) * pixel / HEIGHT
    x, y = np.meshgrid(step, step)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)
    renderer = Renderer(rays / np.linalg.norm(rays, axis=-1, keepdims=True), GroundMaps.of([track]), channels=3)
    row, column = (grid.ravel() for grid in np.mgrid[:down, :across])
    eye = np.stack(
        [
            west + (column + 0.5) * PATCH * pixel,
            north - (row + 0.5) * PATCH * pixel,
            np.full(len(row), HEIGHT),
        ],
        axis=1,
    )
    n = len(eye)
    patches = renderer.draw(
        np.zeros(n, np.int64), eye, np.broadcast_to(DOWNWARD, (n, 3, 3)), flat.part(np.zeros(n, np.int64))
    )
    whole = patches.reshape(down, across, PATCH, PATCH, 3).swapaxes(1, 2).reshape(down * PATCH, across * PATCH, 3)
    return Ground(np.ascontiguousarray(whole[:rows, :columns]), west, north, pixel)


def draw_wall(looks: Looks, longest: float) -> Picture:
    """A stretch of wall as one sees it from inside the room, up to ``longest`` m long; (rows, columns, 3) rgb8.

    A pixel is ``1 / wall_scale`` m wide and high; the stretch is no longer than the built-in renderer's tile, which
    comes again and again along a wall.
    """
    look = looks.scalars[0]
    scale = float(look["wall_scale"])
    rows = max(round(float(look["wall_height"]) * scale), 1)
    columns = int(np.clip(np.ceil(longest * scale), 1, SIZE))
    words = tiles()[(FLOORS + int(look["wall_tile"])) * SIZE**2 :][: SIZE**2].reshape(SIZE, SIZE)
    level = (words & 255)[np.arange(-rows, 0) % SIZE, :columns, None] / 255
    dark, bright = looks.colours[0, WALL_DARK], looks.colours[0, WALL_LIGHT]
    return np.round(np.clip(dark + level * (bright - dark), 0, 255)).astype(np.uint8)


def png(picture: Picture) -> bytes:
    """An rgb8 picture as a PNG of at most 256 colours, a third of what all of them take."""
    buffer = io.BytesIO()
    # The octree keeps the few pixels of a line's colour, which other ways of choosing give up for the floor's grain.
    Image.fromarray(picture).quantize(method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        buffer, "PNG", optimize=True
    )
    return buffer.getvalue()
