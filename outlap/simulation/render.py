"""The batch renderer: what many cameras see, drawn from ground maps and looks.

Pixels are handled in pieces of PIECE: a loop that computes where each ray meets floor and walls, a loop that fetches
map and tile words, and a loop that turns distances into paint. Only the middle one has scattered loads, so the compiler
turns the others into SIMD code (57 ns a pixel became 5). Lines are box-filtered over each pixel's footprint on the
ground, which keeps far lines from flickering.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import float32 as f4
from numba import int32 as i4
from numpy.typing import NDArray

from outlap.simulation.ground import DISTANCE_UNIT, GRADIENT_UNIT, LAP_UNITS, GroundMaps
from outlap.simulation.look import CENTRE, FLOOR, JOINT, LINE, ROAD, SKY, WALL_DARK, WALL_LIGHT, Looks
from outlap.simulation.textures import FLOORS, SIZE, tiles

PIECE = 128  # pixels handled at once; a constant, so that the compiler sees that buffers do not overlap
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as cv2.COLOR_RGB2GRAY
NOISE_TABLE = 1 << 16
STEEPEST = -0.003  # a ray's least downward slope for the floor: 40 m away at 0.12 m height


def ray_table(rays: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rays of a lens in the renderer's order.

    Args:
        rays: unit rays through the pixels in the optical frame, (H, W, 3), from :func:`outlap.camera.model.rays`.

    Returns:
        (pieces, 4 * PIECE): x, y, z of the rays and the angle between neighbouring pixels (rad), the last piece padded.
    """
    across = np.linalg.norm(np.gradient(rays, axis=1), axis=-1)
    down = np.linalg.norm(np.gradient(rays, axis=0), axis=-1)
    flat = np.concatenate([rays, np.sqrt(across * down)[..., None]], axis=-1).reshape(-1, 4)
    padding = -len(flat) % PIECE
    flat = np.concatenate([flat, np.repeat(flat[-1:], padding, axis=0)])
    return np.ascontiguousarray(flat.reshape(-1, PIECE, 4).transpose(0, 2, 1).reshape(-1, 4 * PIECE), dtype=np.float32)


class Renderer:
    """Draws pictures of one lens for any number of cars.

    Args:
        rays: (H, W, 3) unit rays of the lens in the optical frame.
        maps: ground maps of the tracks.
        channels: 3 for rgb8, 1 for mono8.
        seed: of the pixels' noise.
        parallel: share the cars among all cores; a live simulator with its one car must not wait for other threads.
    """

    def __init__(
        self, rays: NDArray[np.float64], maps: GroundMaps, channels: int, seed: int = 0, parallel: bool = True
    ) -> None:
        self.height, self.width = rays.shape[:2]
        self.channels = channels
        self.maps = maps
        self._kernel = _KERNELS[channels, parallel]
        self._table = ray_table(rays)
        self._tiles = tiles(0)
        self._rng = np.random.default_rng(seed)
        self._noise = self._rng.normal(size=NOISE_TABLE + self._table.shape[0] * PIECE).astype(np.float32)

    def draw(
        self, track: NDArray[np.int64], eye: NDArray[np.float64], rotation: NDArray[np.float64], looks: Looks
    ) -> NDArray[np.uint8]:
        """Pictures of n cameras.

        Args:
            track: (n,) index into the ground maps.
            eye: (n, 3) m, where each camera stands in the world.
            rotation: (n, 3, 3), turns vectors of the optical frame into the world's.
            looks: what the n worlds are made of.

        Returns:
            (n, H, W, channels) uint8.
        """
        n = len(track)
        colours, boxes = looks.colours, looks.box_colours
        if self.channels == 1:
            colours, boxes = (colours @ LUMA)[..., None], (boxes @ LUMA)[..., None]
        out = np.empty((n, self._table.shape[0], PIECE * self.channels), dtype=np.uint8)
        self._kernel(
            self._table, rotation.astype(np.float32), eye.astype(np.float32), track.astype(np.int64),
            self.maps.edge, self.maps.centre, self.maps.along, self.maps.start, self.maps.frame, self.maps.lap,
            self.maps.width,
            looks.scalars, colours, looks.boxes, boxes, self._tiles, self._noise,
            self._rng.integers(0, NOISE_TABLE, n), out,
        )  # fmt: skip
        pixels = self.height * self.width * self.channels
        return out.reshape(n, -1)[:, :pixels].reshape(n, self.height, self.width, self.channels)


def _kernel(channels: int, parallel: bool) -> Any:
    """The renderer for a number of channels, which the compiler must know to unroll over them."""

    @numba.njit(fastmath=True, error_model="numpy", parallel=parallel, boundscheck=False, cache=True)
    def draw(
        table, rotation, eye, track, map_edge, map_centre, map_along, map_start, frame, lap, road_width,
        looks, colours, boxes, box_colours, tile, noise, noise_start, out,
    ):  # fmt: skip
        # Naming `parallel` keeps the variants apart in the compiler's cache, which knows them by what they name.
        n = len(rotation) if parallel else rotation.shape[0]
        P = PIECE  # noqa: N806  as short as the indices that it stands in
        zero, half, one, white = f4(0), f4(0.5), f4(1), f4(255)
        tiny = f4(1e-4)
        for c in numba.prange(n):
            buf = np.empty(22 * P, np.float32)
            words = np.empty(6 * P, np.int32)
            paint = np.empty(channels * P, np.float32)
            r = rotation[c]
            r00, r01, r02, r10, r11, r12, r20, r21, r22 = (
                r[0, 0], r[0, 1], r[0, 2], r[1, 0], r[1, 1], r[1, 2], r[2, 0], r[2, 1], r[2, 2],
            )  # fmt: skip
            ex, ey, ez = eye[c, 0], eye[c, 1], eye[c, 2]
            k = track[c]
            corner_x, corner_y, per_m = frame[k, 0], frame[k, 1], frame[k, 2]
            last_column, last_row = frame[k, 3], frame[k, 4]
            columns = last_column + one
            texel = one / per_m
            base = map_start[k]
            along_unit = lap[k] / f4(LAP_UNITS)
            width = road_width[k]
            # The record's fields, in registers.
            look = looks[c]
            line_low, line_high = look.line_inset, look.line_inset + look.line_width
            left_line, right_line, wear = look.left_line, look.right_line, look.wear
            centre_half, centre_line = look.centre_half, look.centre_line
            # A whole number of dashes a lap, so that none is cut at the start.
            dash_rate = max(np.floor(look.dash_rate * lap[k] + half), one) / lap[k]
            dash_half = half * look.dash_duty
            floor_grain = look.floor_grain / f4(42)
            road_grain = look.road_grain / f4(42)
            grain_scale = look.grain_scale
            floor_base = look.floor_tile * SIZE * SIZE
            joint_rate, joint_half, joint = look.joint_rate, look.joint_half, look.joint
            joint_cos, joint_sin = look.joint_cos, look.joint_sin
            shadow, shadow_x, shadow_y, shadow_half = look.shadow, look.shadow_x, look.shadow_y, half * look.shadow_duty
            shade_x, shade_y = look.shade_x, look.shade_y
            west, east, south, north = look.room_west, look.room_east, look.room_south, look.room_north
            wall_height, wall_scale = look.wall_height, look.wall_scale
            wall_base = (FLOORS + look.wall_tile) * SIZE * SIZE
            gain, curve, vignette, sigma = look.gain, look.curve, look.vignette, look.noise
            to_wall = max(min(min(ex - west, east - ex), min(ey - south, north - ey)), f4(0.05))
            wall_slope = -ez / np.sqrt(to_wall * to_wall + ez * ez)  # rays above it may reach a wall before the floor

            for piece in range(table.shape[0]):
                rays = table[piece]
                highest, lowest = f4(-1), f4(1)
                for u in range(P):
                    x, y, z = rays[u], rays[P + u], rays[2 * P + u]
                    buf[u] = r00 * x + r01 * y + r02 * z
                    buf[P + u] = r10 * x + r11 * y + r12 * z
                    dz = r20 * x + r21 * y + r22 * z
                    buf[2 * P + u] = dz
                    highest = max(highest, dz)
                    lowest = min(lowest, dz)
                if lowest < zero:
                    for u in range(P):
                        dx, dy, dz = buf[u], buf[P + u], min(buf[2 * P + u], f4(STEEPEST))
                        t = -ez / dz
                        buf[3 * P + u] = t
                        gx, gy = ex + t * dx, ey + t * dy
                        buf[4 * P + u], buf[5 * P + u] = gx, gy
                        mx = min(max((gx - corner_x) * per_m, zero), last_column)
                        my = min(max((gy - corner_y) * per_m, zero), last_row)
                        fx, fy = np.floor(mx), np.floor(my)
                        buf[6 * P + u] = (mx - fx - half) * texel
                        buf[7 * P + u] = (my - fy - half) * texel
                        words[u] = i4(fy * columns + fx)
                        tx, ty = gx * grain_scale, gy * grain_scale
                        fx, fy = np.floor(tx), np.floor(ty)
                        buf[8 * P + u], buf[9 * P + u] = tx - fx, ty - fy
                        fx = fx - np.floor(fx * f4(1 / SIZE)) * f4(SIZE)
                        fy = fy - np.floor(fy * f4(1 / SIZE)) * f4(SIZE)
                        words[P + u] = i4(fy * f4(SIZE) + fx)
                    for u in range(P):
                        at = base + words[u]
                        words[2 * P + u] = map_edge[at]
                        words[3 * P + u] = map_centre[at]
                        buf[10 * P + u] = map_along[at]
                        words[4 * P + u] = tile[floor_base + words[P + u]]
                    for u in range(P):
                        dx, dy, dz = buf[u], buf[P + u], min(buf[2 * P + u], f4(STEEPEST))
                        t, gx, gy = buf[3 * P + u], buf[4 * P + u], buf[5 * P + u]
                        ox, oy = buf[6 * P + u], buf[7 * P + u]
                        word = words[2 * P + u]
                        ex_, ey_ = (
                            f4(i4(word << 16) >> 24) * f4(GRADIENT_UNIT),
                            f4(i4(word << 24) >> 24) * f4(GRADIENT_UNIT),
                        )
                        edge = f4(word >> 16) * f4(DISTANCE_UNIT) + ex_ * ox + ey_ * oy
                        word = words[3 * P + u]
                        nx, ny = (
                            f4(i4(word << 16) >> 24) * f4(GRADIENT_UNIT),
                            f4(i4(word << 24) >> 24) * f4(GRADIENT_UNIT),
                        )
                        offset = f4(word >> 16) * f4(DISTANCE_UNIT) + nx * ox + ny * oy
                        along = buf[10 * P + u] * along_unit + ny * ox - nx * oy
                        # The pixel's footprint on the floor: t·a across, t·a / sin(elevation) in depth.
                        level = one / max(one - dz * dz, tiny)
                        foot = t * rays[3 * P + u]
                        foot2, deep = foot * foot, one / (dz * dz)
                        p = ex_ * dx + ey_ * dy
                        p = p * p * level
                        wide = np.sqrt(foot2 * (one + p * (deep - one)))
                        q = nx * dx + ny * dy
                        q = min(q * q * level, one)  # a packed gradient may be longer than one
                        wide_n = np.sqrt(foot2 * (one + q * (deep - one)))
                        wide_s = np.sqrt(foot2 * (deep + q * (one - deep)))
                        word = words[4 * P + u]
                        fx, fy = buf[8 * P + u], buf[9 * P + u]
                        n00, n10 = f4(word & 255), f4((word >> 8) & 255)
                        n01, n11 = f4((word >> 16) & 255), f4((word >> 24) & 255)
                        upper, lower = n00 + fx * (n10 - n00), n01 + fx * (n11 - n01)
                        grain = (upper + fy * (lower - upper) - f4(128)) * min(one, one / (foot * grain_scale))
                        # A footprint broader than the road, far away, holds no more road than there is.
                        road = min(max(edge / wide + half, zero), one) * min(one, width / wide)
                        paint_there = left_line if offset > zero else right_line
                        line = max(min(edge + wide * half, line_high) - max(edge - wide * half, line_low), zero) / wide
                        line = line * paint_there * min(max(one + wear * (grain * f4(0.03) - half), zero), one)
                        dash = along * dash_rate
                        dash = dash - np.floor(dash)
                        dash = min(max((dash_half - abs(dash - half)) / (wide_s * dash_rate) + half, zero), one)
                        centre = max(
                            min(offset + wide_n * half, centre_half) - max(offset - wide_n * half, -centre_half), zero
                        )
                        centre = centre / wide_n * dash * centre_line
                        # Floor joints: thin lines of a square grid.
                        jx, jy = (
                            (gx * joint_cos + gy * joint_sin) * joint_rate,
                            (gy * joint_cos - gx * joint_sin) * joint_rate,
                        )
                        jx, jy = abs(jx - np.floor(jx) - half), abs(jy - np.floor(jy) - half)
                        broad = np.sqrt(foot2 * deep)
                        joints = max(half - min(half - jx, half - jy), zero)
                        near = (half - joints) / joint_rate
                        joints = (
                            max(min(near + broad * half, joint_half) - max(near - broad * half, -joint_half), zero)
                            / broad
                            * joint
                        )
                        band = gx * shadow_x + gy * shadow_y
                        band = abs(band - np.floor(band) - half)
                        light = one - shadow * min(max((shadow_half - band) * f4(12) + half, zero), one)
                        light = light * min(max(one + shade_x * (gx - ex) + shade_y * (gy - ey), f4(0.4)), f4(1.6))
                        buf[11 * P + u], buf[12 * P + u], buf[13 * P + u] = road, line, centre
                        buf[14 * P + u] = grain * (floor_grain + road * (road_grain - floor_grain))
                        buf[15 * P + u], buf[16 * P + u] = joints * (one - road * half), light
                    for ch in range(channels):
                        floor_c, road_c, line_c = colours[c, FLOOR, ch], colours[c, ROAD, ch], colours[c, LINE, ch]
                        centre_c, joint_c = colours[c, CENTRE, ch], colours[c, JOINT, ch]
                        for u in range(P):
                            value = floor_c + buf[11 * P + u] * (road_c - floor_c) + buf[14 * P + u]
                            value = value + buf[15 * P + u] * (joint_c - value)
                            value = value + buf[12 * P + u] * (line_c - value)
                            value = value + buf[13 * P + u] * (centre_c - value)
                            paint[ch * P + u] = value * buf[16 * P + u]
                else:
                    for u in range(P):
                        buf[3 * P + u] = f4(1e6)
                if highest > wall_slope:
                    for u in range(P):
                        dx, dy, dz = buf[u], buf[P + u], buf[2 * P + u]
                        vx, vy = (dx if abs(dx) > tiny else tiny), (dy if abs(dy) > tiny else tiny)
                        tx = ((east if vx > zero else west) - ex) / vx
                        ty = ((north if vy > zero else south) - ey) / vy
                        on_x = one if tx < ty else zero
                        t = max(min(tx, ty), f4(0.01))
                        sideways = on_x * (ey + t * dy) + (one - on_x) * (ex + t * dx)
                        height = ez + t * dz
                        tx, ty = sideways * wall_scale, -height * wall_scale
                        fx, fy = np.floor(tx), np.floor(ty)
                        buf[8 * P + u], buf[9 * P + u] = tx - fx, ty - fy
                        fx = fx - np.floor(fx * f4(1 / SIZE)) * f4(SIZE)
                        fy = fy - np.floor(fy * f4(1 / SIZE)) * f4(SIZE)
                        words[P + u] = i4(fy * f4(SIZE) + fx)
                        buf[17 * P + u] = t
                        buf[18 * P + u] = height
                        buf[19 * P + u] = f4(0.85) + f4(0.15) * on_x
                    for u in range(P):
                        words[4 * P + u] = tile[wall_base + words[P + u]]
                    for u in range(P):
                        t = buf[17 * P + u]
                        seen = one if t < buf[3 * P + u] or buf[2 * P + u] > f4(STEEPEST) else zero
                        foot = t * rays[3 * P + u]
                        top = min(max((wall_height - buf[18 * P + u]) / foot + half, zero), one)
                        word = words[4 * P + u]
                        fx, fy = buf[8 * P + u], buf[9 * P + u]
                        n00, n10 = f4(word & 255), f4((word >> 8) & 255)
                        n01, n11 = f4((word >> 16) & 255), f4((word >> 24) & 255)
                        upper, lower = n00 + fx * (n10 - n00), n01 + fx * (n11 - n01)
                        fade = min(one, one / (foot * wall_scale))
                        buf[17 * P + u] = seen
                        buf[18 * P + u] = top
                        buf[20 * P + u] = half + ((upper + fy * (lower - upper)) / white - half) * fade
                        buf[3 * P + u] = seen * t + (one - seen) * buf[3 * P + u]
                    for ch in range(channels):
                        dark, bright, sky = colours[c, WALL_DARK, ch], colours[c, WALL_LIGHT, ch], colours[c, SKY, ch]
                        for u in range(P):
                            wall = (dark + buf[20 * P + u] * (bright - dark)) * buf[19 * P + u]
                            value = sky + buf[18 * P + u] * (wall - sky)
                            before = paint[ch * P + u] if buf[17 * P + u] < half else zero
                            paint[ch * P + u] = before + buf[17 * P + u] * value
                for b in range(boxes.shape[1]):
                    tall = boxes[c, b, 4]
                    bx, by = ex - boxes[c, b, 0], ey - boxes[c, b, 1]
                    radius = boxes[c, b, 2] + boxes[c, b, 3]
                    gap = np.sqrt(bx * bx + by * by) - radius
                    if tall <= zero or gap > f4(5) or -(bx * r02 + by * r12) < -radius:
                        continue
                    gap = max(gap, f4(0.02))
                    if highest < -ez / np.sqrt(gap * gap + ez * ez):
                        continue
                    rise = tall - ez
                    if rise < zero:
                        gap = gap + f4(2) * radius  # a low box is seen up to its far edge
                    if lowest > rise / np.sqrt(gap * gap + rise * rise):
                        continue
                    cosine, sine = boxes[c, b, 5], boxes[c, b, 6]
                    a, w = boxes[c, b, 2], boxes[c, b, 3]
                    lx, ly = cosine * bx + sine * by, cosine * by - sine * bx
                    for u in range(P):
                        dx, dy, dz = buf[u], buf[P + u], buf[2 * P + u]
                        vx, vy = cosine * dx + sine * dy, cosine * dy - sine * dx
                        vx = vx if abs(vx) > tiny else tiny
                        vy = vy if abs(vy) > tiny else tiny
                        vz = dz if abs(dz) > tiny else tiny
                        x0, x1 = (-a - lx) / vx, (a - lx) / vx
                        y0, y1 = (-w - ly) / vy, (w - ly) / vy
                        z0, z1 = -ez / vz, (tall - ez) / vz
                        near_x, near_y, near_z = min(x0, x1), min(y0, y1), min(z0, z1)
                        enter = max(max(near_x, near_y), near_z)
                        leave = min(min(max(x0, x1), max(y0, y1)), max(z0, z1))
                        hit = one if leave > enter and enter > zero and enter < buf[3 * P + u] else zero
                        face = f4(0.7) if near_x >= enter else f4(0.85)
                        buf[17 * P + u] = hit
                        buf[18 * P + u] = one if near_z >= enter else face
                        buf[3 * P + u] = enter if hit > half else buf[3 * P + u]
                    for ch in range(channels):
                        colour = box_colours[c, b, ch]
                        for u in range(P):
                            value = paint[ch * P + u]
                            paint[ch * P + u] = value + buf[17 * P + u] * (colour * buf[18 * P + u] - value)
                start = noise_start[c] + piece * P
                row = out[c, piece]
                for ch in range(channels):
                    for u in range(P):
                        away = one - rays[2 * P + u] * rays[2 * P + u]
                        value = paint[ch * P + u] * gain * (one - vignette * away)
                        value = min(max(value, zero), white)
                        value = value + curve * value * (one - value * f4(1 / 255)) + sigma * noise[start + u]
                        paint[ch * P + u] = min(max(value + half, zero), white)
                if channels == 1:
                    for u in range(P):
                        row[u] = np.uint8(paint[u])
                else:
                    for u in range(P):
                        row[3 * u] = np.uint8(paint[u])
                        row[3 * u + 1] = np.uint8(paint[P + u])
                        row[3 * u + 2] = np.uint8(paint[2 * P + u])

    return draw


# Compiled when first called, then kept on disk.
_KERNELS = {(channels, parallel): _kernel(channels, parallel) for channels in (1, 3) for parallel in (True, False)}
