"""What a camera sees, computed the slow and plain way: every pixel is many rays, every ray ends on one paint.

Shares nothing with the renderer but the car file's and the looks' meaning. Only for looks without texture and noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlap.simulation.rendering.look import CENTRE, FLOOR, LINE, ROAD, SKY, WALL_LIGHT, Looks
from outlap.track.track import Track
from outlap.vehicle.car import Lens

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """Where a camera stands (m) and looks (rad): yaw left positive from x, pitch down, roll (not drawn slowly)."""

    x: float
    y: float
    height: float
    yaw: float
    pitch: float
    roll: float = 0.0


def bare(looks: Looks) -> Looks:
    """The looks without texture, joints, noise and dark corners; walls in one colour."""
    for name in ("floor_grain", "road_grain", "joint", "noise", "vignette", "curve", "shadow", "wear"):
        looks.scalars[name] = 0
    looks.colours[:, WALL_LIGHT - 1] = looks.colours[:, WALL_LIGHT]
    return looks


def slow_picture(
    track: Track, lens: Lens, pose: Pose, looks: Looks, finer: int = 4, rows: slice = slice(None)
) -> NDArray[np.float64]:
    """(rows, W, 3) grey levels: the mean of ``finer`` × ``finer`` rays a pixel."""
    fraction = (np.arange(finer) + 0.5) / finer - 0.5
    v = (np.arange(lens.height)[rows, None] + fraction).ravel()
    u = (np.arange(lens.width)[:, None] + fraction).ravel()
    right, down = np.meshgrid((u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy)
    if lens.model == "fisheye":  # equidistant: as far from the middle as the angle is large
        assert not any(lens.distortion)
        angle = np.hypot(right, down)
        right, down, ahead = np.sinc(angle / np.pi) * right, np.sinc(angle / np.pi) * down, np.cos(angle)
    else:
        ahead = np.ones_like(right)
    # Nod down by the pitch, turn left by the yaw: x ahead, y left, z up.
    cosine, sine = np.cos(pose.pitch), np.sin(pose.pitch)
    forward, up = ahead * cosine - down * sine, -ahead * sine - down * cosine
    x = forward * np.cos(pose.yaw) + right * np.sin(pose.yaw)
    y = forward * np.sin(pose.yaw) - right * np.cos(pose.yaw)
    seen = _paint(track, np.array([pose.x, pose.y, pose.height]), np.stack([x, y, up], axis=-1).reshape(-1, 3), looks)
    return seen.reshape(len(v) // finer, finer, lens.width, finer, 3).mean(axis=(1, 3))


def distance_to_line(places: Floats, line: Floats) -> tuple[Floats, Floats]:
    """Distance (n,) m of places (n, 2) to a closed line (m, 2), and how far along it the nearest point is (n,) m."""
    best, along, arc = np.full(len(places), np.inf), np.zeros(len(places)), 0.0
    for a, b in zip(line, np.roll(line, -1, axis=0), strict=True):
        length = float(np.hypot(*(b - a)))
        t = np.clip((places - a) @ (b - a) / length**2, 0, 1)
        away = np.hypot(*(places - a - t[:, None] * (b - a)).T)
        nearer = away < best
        best, along = np.where(nearer, away, best), np.where(nearer, arc + t * length, along)
        arc += length
    return best, along


def inside(places: Floats, line: Floats) -> NDArray[np.bool_]:
    """Whether places (n, 2) lie within a closed line (m, 2): how often a ray to the right crosses it is odd."""
    crossings = np.zeros(len(places), dtype=int)
    for (ax, ay), (bx, by) in zip(line, np.roll(line, -1, axis=0), strict=True):
        spans = (ay > places[:, 1]) != (by > places[:, 1])
        if ay != by:
            crossings += spans & (ax + (places[:, 1] - ay) * (bx - ax) / (by - ay) > places[:, 0])
    return crossings % 2 == 1


def road_distance(track: Track, places: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Distance (n,) m to the nearer border, positive on the road, and whether the left border is the nearer."""
    left, right = (distance_to_line(places, line)[0] for line in (track.left, track.right))
    on_road = inside(places, track.left) != inside(places, track.right)
    return np.where(on_road, 1, -1) * np.minimum(left, right), left < right


def _paint(track: Track, eye: Floats, rays: Floats, looks: Looks) -> Floats:
    look, colours = looks.scalars[0], looks.colours[0].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        to_floor = np.where(rays[:, 2] < 0, -eye[2] / rays[:, 2], np.inf)
        x_wall = np.where(rays[:, 0] > 0, look["room_east"], look["room_west"])
        y_wall = np.where(rays[:, 1] > 0, look["room_north"], look["room_south"])
        to_x, to_y = (x_wall - eye[0]) / rays[:, 0], (y_wall - eye[1]) / rays[:, 1]
    to_wall = np.fmin(to_x, to_y)
    out = np.empty((len(rays), 3))
    high = eye[2] + to_wall * rays[:, 2] > look["wall_height"]
    shade = np.where(to_x < to_y, 1.0, 0.85)[:, None]  # light falls on one pair of walls
    out[:] = np.where(high[:, None], colours[SKY], colours[WALL_LIGHT] * shade)
    floor = np.flatnonzero(to_floor < to_wall)
    ground = eye[:2] + to_floor[floor, None] * rays[floor, :2]
    edge, left_nearer = road_distance(track, ground)
    colour = np.where((edge > 0)[:, None], colours[ROAD], colours[FLOOR])
    inset = edge - look["line_inset"]
    there = np.where(left_nearer, look["left_line"], look["right_line"]) > 0
    colour[(inset > 0) & (inset < look["line_width"]) & there] = colours[LINE]
    off, along = distance_to_line(ground, track.center)
    lap = np.hypot(*(np.roll(track.center, -1, axis=0) - track.center).T).sum()
    dashes = round(float(look["dash_rate"] * lap))
    dash = np.abs((along / lap * dashes) % 1 - 0.5) < look["dash_duty"] / 2
    if look["centre_line"]:
        colour[(off < look["centre_half"]) & dash] = colours[CENTRE]
    out[floor] = colour
    return np.clip(out * look["gain"], 0, 255)
