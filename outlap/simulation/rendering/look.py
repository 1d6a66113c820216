"""What a car sees its world made of: colours, lines, floor, walls, light and camera noise, one record a car."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

# Colours, by their row in Looks.colours; grey levels 0..255 of red, green, blue.
FLOOR, ROAD, LINE, CENTRE, JOINT, WALL_DARK, WALL_LIGHT, SKY = range(8)
BOXES = 6  # upright boxes around a track, the most that one car sees

SCALARS = np.dtype(
    [
        ("line_width", "f4"),  # m
        ("line_inset", "f4"),  # m from the road's edge inwards to the line's outer side; negative lies outside
        ("line_bend", "f4"),  # m, deviation of the road's edges from their place, in waves as long as the floor tile's
        ("left_line", "f4"),  # 0 missing .. 1 solid paint
        ("right_line", "f4"),
        ("centre_line", "f4"),
        ("centre_half", "f4"),  # m, half the centre line's width
        ("dash_rate", "f4"),  # dashes per m
        ("dash_duty", "f4"),  # painted part of a dash's period; 1 and more is a full line
        ("wear", "f4"),  # 0 fresh paint .. 1 patches worn through
        ("floor_grain", "f4"),  # grey levels of the floor tile's contrast beside the road
        ("road_grain", "f4"),  # and on it
        ("grain_scale", "f4"),  # texels per m
        ("floor_tile", "i4"),  # which floor tile
        ("joint_rate", "f4"),  # floor joints per m
        ("joint_cross", "f4"),  # 1 a square grid of them, 0 parallel ones only
        ("joint_half", "f4"),  # m, half a joint's width
        ("joint", "f4"),  # 0 none .. 1 full colour
        ("joint_cos", "f4"),  # direction of the joints
        ("joint_sin", "f4"),
        ("shadow", "f4"),  # part of the light that bands of shadow take, 0 .. 1
        ("shadow_x", "f4"),  # wave vector of the bands, per m
        ("shadow_y", "f4"),
        ("shadow_duty", "f4"),  # part of a band's period that lies in shadow
        ("shade_x", "f4"),  # gradient of the light over the floor, per m
        ("shade_y", "f4"),
        ("room_west", "f4"),  # m, world x of the walls
        ("room_east", "f4"),
        ("room_south", "f4"),  # m, world y of the walls
        ("room_north", "f4"),
        ("wall_height", "f4"),  # m
        ("wall_scale", "f4"),  # texels per m
        ("wall_tile", "i4"),  # which wall tile
        ("gain", "f4"),  # exposure
        ("curve", "f4"),  # bend of the tone curve: positive lifts the middle tones, negative sinks them
        ("vignette", "f4"),  # part of the light lost towards rays at a right angle to the axis
        ("noise", "f4"),  # grey levels, deviation of each pixel's noise
    ]
)


@dataclass
class Looks:
    """The looks of n cars; a row may be overwritten when its car starts anew."""

    STATE: ClassVar = {name: name for name in ("scalars", "colours", "boxes", "box_colours")}

    scalars: NDArray[np.void]  # (n,) of SCALARS
    colours: NDArray[np.float32]  # (n, 8, 3) grey levels 0..255
    boxes: NDArray[np.float32]  # (n, BOXES, 7) x, y, half length, half width (m), height (0: none), cos, sin of its yaw
    box_colours: NDArray[np.float32]  # (n, BOXES, 3)

    @classmethod
    def plain(cls, n: int, low: NDArray[np.float64], high: NDArray[np.float64]) -> Looks:
        """A tidy lab around ``low`` .. ``high`` (m): dark road, white borders, orange dashes, plain floor."""
        looks = cls(
            np.zeros(n, SCALARS),
            np.zeros((n, 8, 3), np.float32),
            np.zeros((n, BOXES, 7), np.float32),
            np.zeros((n, BOXES, 3), np.float32),
        )
        values = {
            "line_width": 0.05,
            "left_line": 1,
            "right_line": 1,
            "centre_line": 1,
            "centre_half": 0.0125,
            "dash_rate": 2.5,
            "dash_duty": 0.5,
            "floor_grain": 6,
            "road_grain": 4,
            "grain_scale": 80,
            "joint_rate": 1,
            "joint_cross": 1,
            "joint_cos": 1,
            "wall_height": 1.5,
            "wall_scale": 60,
            "gain": 1,
            "vignette": 0.1,
            "noise": 1.5,
            "room_west": low[0] - 1.5,
            "room_east": high[0] + 1.5,
            "room_south": low[1] - 1.5,
            "room_north": high[1] + 1.5,
        }
        for name, value in values.items():
            looks.scalars[name] = value
        looks.colours[:] = [
            [96, 128, 100],
            [52, 52, 56],
            [235, 235, 235],
            [240, 160, 40],
            [80, 80, 80],
            [120, 118, 112],
            [205, 203, 198],
            [215, 222, 232],
        ]
        return looks

    def put(self, rows: NDArray[np.int64], other: Looks, others: NDArray[np.int64] | slice) -> None:
        """Overwrite ``rows`` with rows ``others`` of another."""
        self.scalars[rows], self.colours[rows] = other.scalars[others], other.colours[others]
        self.boxes[rows], self.box_colours[rows] = other.boxes[others], other.box_colours[others]

    def part(self, rows: NDArray[np.int64] | slice) -> Looks:
        """A copy of some rows."""
        return Looks(
            self.scalars[rows].copy(), self.colours[rows].copy(), self.boxes[rows].copy(), self.box_colours[rows].copy()
        )
