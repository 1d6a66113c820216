"""What a car sees its world made of: colours, lines, floor, walls, light and camera noise, one record a car."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlap.simulation.textures import FLOORS, WALLS

# Colours, by their row in Looks.colours; grey levels 0..255 of red, green, blue.
FLOOR, ROAD, LINE, CENTRE, JOINT, WALL_DARK, WALL_LIGHT, SKY = range(8)
BOXES = 6  # upright boxes around a track, the most that one car sees

SCALARS = np.dtype(
    [
        ("line_width", "f4"),  # m
        ("line_inset", "f4"),  # m from the road's edge inwards to the line's outer side; negative lies outside
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
        ("joint_rate", "f4"),  # floor joints per m, a square grid
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
            "line_width": 0.05, "left_line": 1, "right_line": 1, "centre_line": 1, "centre_half": 0.0125,
            "dash_rate": 2.5, "dash_duty": 0.5, "floor_grain": 6, "road_grain": 4, "grain_scale": 80,
            "joint_rate": 1, "joint_cos": 1, "wall_height": 1.5, "wall_scale": 60, "gain": 1,
            "vignette": 0.1, "noise": 1.5,
            "room_west": low[0] - 1.5, "room_east": high[0] + 1.5,
            "room_south": low[1] - 1.5, "room_north": high[1] + 1.5,
        }  # fmt: skip
        for name, value in values.items():
            looks.scalars[name] = value
        looks.colours[:] = [
            [96, 128, 100], [52, 52, 56], [235, 235, 235], [240, 160, 40],
            [80, 80, 80], [120, 118, 112], [205, 203, 198], [215, 222, 232],
        ]  # fmt: skip
        return looks

    def randomise(
        self,
        rows: NDArray[np.int64],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        box_places: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> None:
        """Draw new looks for ``rows``.

        Args:
            low, high: corners of each row's road, (k, 2) m.
            box_places: free places off the road where boxes may stand, (k, BOXES, 2) m; NaN for none.
            rng: source of every draw.
        """
        k = len(rows)
        scalars = np.zeros(k, SCALARS)

        def uniform(name: str, least: float, most: float) -> None:
            scalars[name] = rng.uniform(least, most, k)

        def chance(p: float) -> NDArray[np.bool_]:
            return rng.random(k) < p

        uniform("line_width", 0.02, 0.07)
        uniform("line_inset", -0.02, 0.03)
        colours, contrast, apart = _colours(k, rng)
        # One border line may be missing where the floor beside the road looks different: something must show the road.
        missing = np.where(chance(0.12) & (apart > 40), rng.integers(1, 3, k), 0)
        scalars["left_line"] = np.where(missing == 1, 0, rng.uniform(0.7, 1, k))
        scalars["right_line"] = np.where(missing == 2, 0, rng.uniform(0.7, 1, k))
        scalars["centre_line"] = np.where(chance(0.6), rng.uniform(0.5, 1, k), 0)
        uniform("centre_half", 0.008, 0.025)
        uniform("dash_rate", 1.2, 5)
        scalars["dash_duty"] = np.where(chance(0.1), 1.5, rng.uniform(0.3, 0.7, k))
        scalars["wear"] = np.where(chance(0.4), rng.uniform(0, 0.6, k), 0)
        scalars["floor_grain"] = 0.4 * contrast * rng.random(k) ** 2
        scalars["road_grain"] = 0.25 * contrast * rng.random(k) ** 2
        scalars["grain_scale"] = np.exp(rng.uniform(np.log(30), np.log(250), k))
        scalars["floor_tile"] = rng.integers(0, FLOORS, k)
        uniform("joint_rate", 0.5, 3.5)
        uniform("joint_half", 0.002, 0.012)
        scalars["joint"] = np.where(chance(0.3), rng.uniform(0.2, 0.9, k), 0)
        angle = rng.uniform(0, 2 * np.pi, k)
        scalars["joint_cos"], scalars["joint_sin"] = np.cos(angle), np.sin(angle)
        scalars["shadow"] = np.where(chance(0.4), rng.uniform(0.1, 0.5, k), 0)
        angle, rate = rng.uniform(0, 2 * np.pi, k), rng.uniform(0.15, 1.0, k)
        scalars["shadow_x"], scalars["shadow_y"] = rate * np.cos(angle), rate * np.sin(angle)
        uniform("shadow_duty", 0.1, 0.5)
        scalars["shade_x"], scalars["shade_y"] = rng.normal(0, 0.04, (2, k))
        for name, side, sign in (
            ("room_west", low[:, 0], -1), ("room_east", high[:, 0], 1),
            ("room_south", low[:, 1], -1), ("room_north", high[:, 1], 1),
        ):  # fmt: skip
            scalars[name] = side + sign * (0.3 + 4 * rng.random(k) ** 2)
        scalars["wall_height"] = np.where(chance(0.15), 0.02, np.exp(rng.uniform(np.log(0.2), np.log(3), k)))
        scalars["wall_scale"] = np.exp(rng.uniform(np.log(25), np.log(150), k))
        scalars["wall_tile"] = rng.integers(0, WALLS, k)
        # Exposure lifts the brighter of road and line to somewhere between dim and just burnt out.
        brightest = (colours[:, [ROAD, LINE]] @ [0.299, 0.587, 0.114]).max(axis=1)
        scalars["gain"] = np.clip(np.exp(rng.normal(0.1, 0.3, k)), 40 / contrast, 270 / brightest)
        scalars["curve"] = rng.uniform(-0.4, 0.5, k)
        uniform("vignette", 0, 0.5)
        scalars["noise"] = 6 * rng.random(k) ** 2
        self.scalars[rows] = scalars
        self.colours[rows] = colours
        box = np.zeros((k, BOXES, 7), np.float32)
        box[..., :2] = np.nan_to_num(box_places)
        box[..., 2:4] = rng.uniform(0.03, 0.3, (k, BOXES, 2))
        present = np.isfinite(box_places[..., 0]) & (rng.random((k, BOXES)) < 0.5)
        box[..., 4] = np.where(present, rng.uniform(0.05, 0.6, (k, BOXES)), 0)
        turn = rng.uniform(0, np.pi, (k, BOXES))
        box[..., 5], box[..., 6] = np.cos(turn), np.sin(turn)
        self.boxes[rows] = box
        self.box_colours[rows] = rng.uniform(10, 245, (k, BOXES, 3))


def _colours(k: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Colours of k looks, (k, 8, 3); how many grey levels apart line and road are, (k,), and floor and road, (k,)."""

    def tint(grey: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
        return np.clip(grey[:, None] + rng.normal(0, spread, (k, 3)), 0, 255)

    road = rng.uniform(15, 200, k)
    # Mostly bright lines on darker roads, as tape and paint are; sometimes dark lines on a bright road.
    bright = (rng.random(k) < 0.85) | (road < 90)
    contrast = rng.uniform(55, 160, k)
    line = np.where(bright, np.minimum(road + contrast, 255), np.maximum(road - contrast, 0))
    road = np.where(bright & (line - road < 55), line - 55, road)
    same = rng.random(k) < 0.3  # tape on one and the same floor
    floor = np.where(same, road, rng.uniform(10, 235, k))
    centre = np.where(rng.random(k) < 0.7, np.clip(road + rng.uniform(40, 160, k), 0, 255), rng.uniform(0, 255, k))
    joint = np.clip(floor + rng.normal(0, 50, k), 0, 255)
    dark = rng.uniform(5, 140, k)
    light = np.clip(dark + rng.uniform(20, 180, k), 0, 255)
    sky = rng.uniform(60, 255, k)
    road_colour = tint(road, 8)
    floor_colour = np.where(same[:, None], road_colour, tint(floor, 30))
    rows = [
        floor_colour,
        road_colour,
        tint(line, 12),
        tint(centre, 50),
        tint(joint, 8),
        tint(dark, 20),
        tint(light, 20),
        tint(sky, 10),
    ]
    return np.stack(rows, axis=1).astype(np.float32), np.abs(line - road), np.abs(floor - road)
