"""Draws looks: the numbers of a :class:`Looks` from the distributions of a randomization file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outlap.simulation.randomization import LookRanges
from outlap.simulation.rendering.look import BOXES, CENTRE, FLOOR, JOINT, LINE, ROAD, SKY, WALL_DARK, WALL_LIGHT, Looks
from outlap.track.geometry import TrackSet

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
REDRAWS = 4  # times that looks in which nobody could see the lines are drawn anew
SPARE = 8  # looks that are drawn then beyond twice as many as are needed
LEAST_CONTRAST = 40.0  # grey levels of a line against its road that a person makes out on a clean picture
DIMMEST = 80.0  # grey levels that the lighter of line and road at least has
FULL_WIDTH = 0.035  # m, narrower lines look paler in the distance
NOISE_CONTRAST = 5.0  # and at least so many deviations of the noise
GRAIN_CONTRAST = 3.0  # and of the floor's texture
CORNER = 0.35  # 1 - cos² of the angle off the axis at which lines mostly stand, for the vignette
CLEAR = 0.4  # m, from a border, within which no box may stand


def draw_looks(ranges: LookRanges, n: int, rng: np.random.Generator) -> Looks:
    """``n`` looks, each with a road that a person could follow.

    Walls and boxes come as distances, which :func:`settle` turns into places.
    """
    looks = _draw(ranges, n, rng)
    hidden = np.flatnonzero(~visible(looks))
    for _ in range(REDRAWS):
        if not len(hidden):
            break
        # More than are needed, since a draw takes long by itself, however many it draws.
        others = _draw(ranges, 2 * len(hidden) + SPARE, rng)
        better = np.flatnonzero(visible(others))[: len(hidden)]
        looks.put(hidden[: len(better)], others, better)
        hidden = hidden[len(better) :]
    return looks


def visible(looks: Looks) -> NDArray[np.bool_]:
    """Whether a person would see by each look where the road goes, (n,), in light and in shadow."""
    s = looks.scalars
    floor, road, line, centre = (looks.colours[:, row] @ LUMA for row in (FLOOR, ROAD, LINE, CENTRE))
    borders = np.stack([s["left_line"], s["right_line"]])
    paint = np.where(borders > 0, borders, 1).min(axis=0) * (1 - 0.6 * s["wear"])
    paint = paint * np.minimum(s["line_width"] / FULL_WIDTH, 1)
    grain = GRAIN_CONTRAST * s["gain"] * np.maximum(s["floor_grain"], s["road_grain"])
    needed = np.maximum(np.maximum(LEAST_CONTRAST, NOISE_CONTRAST * s["noise"]), grain)
    seen = np.ones(len(s), dtype=bool)
    for light in (s["gain"], s["gain"] * (1 - s["shadow"]) * (1 - CORNER * s["vignette"])):
        painted = paint * line + (1 - paint) * road
        middle = s["centre_line"] * centre + (1 - s["centre_line"]) * road
        levels = [np.minimum(grey * light, 255) for grey in (road, painted, floor, middle)]
        levels = [value + s["curve"] * value * (1 - value / 255) for value in levels]
        seen &= (np.abs(levels[1] - levels[0]) >= needed) & (np.maximum(*levels[:2]) >= DIMMEST)
        # A border without a line needs something else: another floor, or a centre line to keep to.
        seen &= (borders > 0).all(axis=0) | (np.abs(np.stack(levels[2:]) - levels[0]) >= needed).any(axis=0)
    return seen


def settle(looks: Looks, tracks: TrackSet, track: Rows, s: Floats, low: Floats, high: Floats) -> None:
    """Put walls round each look's track and boxes beside it, in place.

    Args:
        looks: k of them, from :func:`draw_looks`.
        tracks: the tracks.
        track: (k,) index of the track of each.
        s: (k,) m, progress around which the boxes stand.
        low, high: corners of the road of each track, (T, 2) m.
    """
    scalars = looks.scalars
    scalars["room_west"], scalars["room_south"] = (low[track] - _pair(scalars, "room_west", "room_south")).T
    scalars["room_east"], scalars["room_north"] = (high[track] + _pair(scalars, "room_east", "room_north")).T
    row, box = np.nonzero(looks.boxes[..., 4])
    if not len(row):
        return
    at, on = s[row] + looks.boxes[row, box, 0], track[row]
    middle, half_width = tracks.middle(on, at)
    _, heading = tracks.pose(on, at)
    side = looks.boxes[row, box, 1]
    side = np.sign(side) * half_width + side
    places = middle + side[:, None] * np.stack([-np.sin(heading), np.cos(heading)], axis=1)
    located = tracks.locate(on, places)
    looks.boxes[row, box, :2] = places
    # Where the road winds, it may be near on another side.
    blocked = np.minimum(located.left, located.right) > -CLEAR
    looks.boxes[row[blocked], box[blocked], 4] = 0


def _draw(ranges: LookRanges, n: int, rng: np.random.Generator) -> Looks:
    looks = Looks.plain(n, np.zeros(2), np.zeros(2))
    scalars = looks.scalars

    def drawn(name: str, *more: int) -> Floats | None:
        given = getattr(ranges, name)
        return None if given is None else given.draw(rng, n * int(np.prod(more))).reshape(n, *more)

    contrast = _colours(looks, drawn)
    for name, field in (
        ("line_width", "line_width"),
        ("line_inset", "line_inset"),
        ("line_bend", "line_bend"),
        ("wear", "wear"),
        ("centre_line", "centre_line"),
        ("dash_part", "dash_duty"),
        ("floor_tile", "floor_tile"),
        ("grain_scale", "grain_scale"),
        ("joint", "joint"),
        ("shadow", "shadow"),
        ("shadow_part", "shadow_duty"),
        ("wall_height", "wall_height"),
        ("wall_scale", "wall_scale"),
        ("wall_tile", "wall_tile"),
        ("gain", "gain"),
        ("tone_curve", "curve"),
        ("vignette", "vignette"),
        ("noise", "noise"),
    ):
        if (values := drawn(name)) is not None:
            scalars[field] = values
    for name, field, scale in (("centre_width", "centre_half", 0.5), ("joint_width", "joint_half", 0.5)):
        if (values := drawn(name)) is not None:
            scalars[field] = scale * values
    for name, field in (("dash_spacing", "dash_rate"), ("joint_spacing", "joint_rate")):
        if (values := drawn(name)) is not None:
            scalars[field] = 1 / values
    for name in ("floor_grain", "road_grain"):
        if (values := drawn(name)) is not None:
            scalars[name] = values * contrast
    if (values := drawn("line_paint", 2)) is not None:
        scalars["left_line"], scalars["right_line"] = values.T
    if (values := drawn("missing_line")) is not None:
        left = rng.random(n) < 0.5
        scalars["left_line"][(values > 0.5) & left] = 0
        scalars["right_line"][(values > 0.5) & ~left] = 0
    if (values := drawn("joint_parallel")) is not None:
        scalars["joint_cross"] = values < 0.5
    angle = rng.uniform(0, 2 * np.pi, n)
    scalars["joint_cos"], scalars["joint_sin"] = np.cos(angle), np.sin(angle)
    if (values := drawn("shadow_spacing")) is not None:
        angle = rng.uniform(0, 2 * np.pi, n)
        scalars["shadow_x"], scalars["shadow_y"] = np.cos(angle) / values, np.sin(angle) / values
    if (values := drawn("light_gradient", 2)) is not None:
        scalars["shade_x"], scalars["shade_y"] = values.T
    sides = drawn("wall_distance", 4)
    for k, name in enumerate(("room_west", "room_east", "room_south", "room_north")):
        scalars[name] = 1.5 if sides is None else sides[:, k]
    _boxes(looks, drawn, rng)
    return looks


def _colours(looks: Looks, drawn) -> Floats:
    """Draws all colours but the boxes'; returns how many grey levels line and road are apart, (n,)."""
    colours = looks.colours
    n = len(colours)
    road = drawn("road_grey")
    if road is not None:
        colours[:, ROAD] = road[:, None]
    road = colours[:, ROAD] @ LUMA
    if (contrast := drawn("line_contrast")) is not None:
        bright = drawn("bright_line")
        up = np.where(np.ones(n) if bright is None else bright > 0.5, 1, -1)
        # Where there is no room above the road for a lighter line, it is darker, and the other way round.
        room = np.where(up > 0, 255 - road, road)
        up = np.where(room < LEAST_CONTRAST * 1.5, -up, up)
        colours[:, LINE] = np.clip(road + up * contrast, 0, 255)[:, None]
    if (grey := drawn("floor_grey")) is not None:
        colours[:, FLOOR] = grey[:, None]
    if (contrast := drawn("centre_contrast")) is not None:
        colours[:, CENTRE] = np.clip(road + contrast, 0, 255)[:, None]
    if (grey := drawn("wall_grey")) is not None:
        colours[:, WALL_DARK] = grey[:, None]
    if (contrast := drawn("wall_contrast")) is not None:
        colours[:, WALL_LIGHT] = np.minimum(colours[:, WALL_DARK] + contrast[:, None], 255)
    if (grey := drawn("sky_grey")) is not None:
        colours[:, SKY] = grey[:, None]
    if (tint := drawn("tint", 8, 3)) is not None:
        colours[:] += tint - (tint @ LUMA)[..., None]
    if (same := drawn("same_floor")) is not None:
        colours[same > 0.5, FLOOR] = colours[same > 0.5, ROAD]
    if (contrast := drawn("joint_contrast")) is not None:
        colours[:, JOINT] = colours[:, FLOOR] + contrast[:, None]
    if (balance := drawn("white_balance", 3)) is not None:
        colours *= (balance / (balance @ LUMA)[:, None])[:, None]
    np.clip(colours, 0, 255, out=colours)
    return np.abs((colours[:, LINE] - colours[:, ROAD]) @ LUMA)


def _boxes(looks: Looks, drawn, rng: np.random.Generator) -> None:
    """Boxes at distances along and beside the road, which :func:`settle` turns into places."""
    n = len(looks.boxes)
    there, distance = drawn("box", BOXES), drawn("box_distance", BOXES)
    size, height, grey = drawn("box_size", BOXES, 2), drawn("box_height", BOXES), drawn("box_grey", BOXES)
    if there is None:
        return
    box = looks.boxes
    box[..., 0] = rng.uniform(-1, 6, (n, BOXES))
    box[..., 1] = rng.choice([-1, 1], (n, BOXES)) * (1.0 if distance is None else distance)
    box[..., 2:4] = 0.1 if size is None else size / 2
    box[..., 4] = np.where(there > 0.5, 0.2 if height is None else height, 0)
    turn = rng.uniform(0, np.pi, (n, BOXES))
    box[..., 5], box[..., 6] = np.cos(turn), np.sin(turn)
    looks.box_colours[:] = 128 if grey is None else grey[..., None]


def _pair(scalars: NDArray[np.void], one: str, other: str) -> Floats:
    return np.stack([scalars[one], scalars[other]], axis=1).astype(np.float64)
