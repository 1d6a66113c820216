"""The renderer's compiled part: from poses, maps and looks to pixels.

Pixels are handled in blocks, stage by stage: loops that compute where rays meet floor and walls, loops that fetch map
and tile words, and loops that turn distances into paint. Only the fetching ones have scattered loads, so the compiler
turns the others into SIMD code (57 ns a pixel became 5). What a whole block cannot hold is not computed for it. Lines
are box-filtered over each pixel's footprint on the ground, which keeps far lines from flickering.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import float32 as f4
from numba import int32 as i4

from outlap.simulation.rendering import blocks
from outlap.simulation.rendering.blocks import ACROSS, DOWN, LANES, PIECE, STEEPEST
from outlap.simulation.rendering.compiling import FAST, part
from outlap.simulation.rendering.ground import GRADIENT_UNIT, LAP_UNITS, MARGIN, packed_distance
from outlap.simulation.rendering.look import CENTRE, FLOOR, JOINT, LINE, ROAD, SKY, WALL_DARK, WALL_LIGHT
from outlap.simulation.rendering.textures import FLOORS, SIZE, texture

NEAR = -0.03  # slope of a ray, below which the floor is near: 4 m away at 0.12 m height
# No index is ever so large. A loop that might stop there is not turned into gather instructions, which are slower than
# loading one word after the other.
NEVER = np.uint32(0xFFFFFFFF)


@part
def _grey(value, scale, noise):
    """A pixel's grey level, from the light that falls on it."""
    black: Any = f4(0)  # as all here it becomes whatever the compiler finds
    white: Any = f4(255)
    return i4(min(max(min(max(value * scale, black), white) + noise, black), white))


@part
def _fetch(to, source, at):
    """``to[u] = source[at[u]]``, one after the other: eight a turn, and never as gather instructions."""
    for u in range(0, PIECE, 8):
        if at[u] == NEVER:
            break
        to[u], to[u + 1] = source[at[u]], source[at[u + 1]]
        to[u + 2], to[u + 3] = source[at[u + 2]], source[at[u + 3]]
        to[u + 4], to[u + 5] = source[at[u + 4]], source[at[u + 5]]
        to[u + 6], to[u + 7] = source[at[u + 6]], source[at[u + 7]]


@part
def _fetch_both(low, high, source, at):
    """Likewise the lower and the upper half of each word."""
    for u in range(0, PIECE, 4):
        if at[u] == NEVER:
            break
        a, b, c, d = source[at[u]], source[at[u + 1]], source[at[u + 2]], source[at[u + 3]]
        low[u], low[u + 1], low[u + 2], low[u + 3] = i4(a), i4(b), i4(c), i4(d)
        high[u], high[u + 1], high[u + 2], high[u + 3] = i4(a >> 32), i4(b >> 32), i4(c >> 32), i4(d >> 32)


def _kernel(channels: int, sources: int) -> Any:
    """The renderer for a number of channels, which the compiler must know to unroll over them."""

    @numba.njit(**FAST, nogil=True, cache=True)
    def draw(
        tables,
        lenses,
        through,
        rotation,
        eye,
        track,
        map_lines,
        map_along,
        map_start,
        frame,
        lap,
        road_width,
        looks,
        colours,
        boxes,
        box_colours,
        tile,
        noise,
        noise_start,
        out,
        first,
        last,
    ):
        # Naming them keeps the variants and versions apart in the compiler's cache, which knows them by what they name.
        begin = first if channels and sources else 0
        P = PIECE  # noqa: N806  as short as the indices that it stands in
        zero, half, one, white = f4(0), f4(0.5), f4(1), f4(255)
        tiny = f4(1e-4)
        row, stride = ACROSS * channels // 8, out.shape[2]  # of a block and of the picture, in words of eight bytes
        for c in range(begin, last):
            # One allocation, at a multiple of a cache line, so that the compiler sees that its parts do not overlap.
            store = np.empty((21 + 6 + channels) * P + 16, np.float32)
            store = store[(-store.ctypes.data & 63) // 4 :]
            buf, paint = store[: 21 * P], store[27 * P : (27 + channels) * P]
            edge_word, texels = store[21 * P : 22 * P].view(np.int32), store[23 * P : 24 * P].view(np.uint32)
            centre_word, tiles_at = store[22 * P : 23 * P].view(np.int32), store[24 * P : 25 * P].view(np.uint32)
            tile_word, along_word = store[25 * P : 26 * P].view(np.int32), store[26 * P : 27 * P].view(np.int32)
            # Four bytes a pixel of a coloured picture, which become three when they are written.
            eights, picture = np.empty((channels + 1) // 2 * 2 * P // 8, np.int64), out[c].reshape(-1)
            pixels, words = eights.view(np.uint8), eights.view(np.int32)
            r = rotation[c]
            r00, r01, r02, r10, r11, r12 = r[0, 0], r[0, 1], r[0, 2], r[1, 0], r[1, 1], r[1, 2]
            r20, r21, r22 = r[2, 0], r[2, 1], r[2, 2]
            ex, ey, ez, per_ez = eye[c, 0], eye[c, 1], eye[c, 2], one / eye[c, 2]
            table, lens = tables[through[c]], lenses[through[c]]
            k = track[c]
            corner_x, corner_y, per_m = frame[k, 0], frame[k, 1], frame[k, 2]
            last_column, last_row = frame[k, 3], frame[k, 4]
            columns, texel = last_column + one, one / per_m
            eye_column, eye_row = (ex - corner_x) * per_m, (ey - corner_y) * per_m
            gradient, slope = f4(GRADIENT_UNIT) / per_m, f4(GRADIENT_UNIT) / ez
            lines_here, along_here = map_lines[map_start[k] :], map_along[map_start[k] :]
            along_unit, width = lap[k] / f4(LAP_UNITS), road_width[k]
            # The record's fields, in registers.
            look = looks[c]
            line_low, line_high = look.line_inset, look.line_inset + look.line_width
            line_bend, bend = look.line_bend, look.line_bend / f4(42)  # a tile's deviation is 42 levels
            left_line, right_line, wear = look.left_line, look.right_line, look.wear
            centre_half, centre_line = look.centre_half, look.centre_line
            # A whole number of dashes a lap, so that none is cut at the start.
            dash_rate = max(np.floor(look.dash_rate * lap[k] + half), one) / lap[k]
            dash_half, dash_step = half * look.dash_duty, one / dash_rate
            floor_grain, road_grain = look.floor_grain / f4(42), look.road_grain / f4(42)
            grain_scale, grain_texel = look.grain_scale, one / look.grain_scale
            eye_x, eye_y = ex * grain_scale, ey * grain_scale
            floor_tile = tile[look.floor_tile * SIZE * SIZE :]
            joint_rate, joint_half, joint = look.joint_rate, look.joint_half, look.joint
            joint_cross = look.joint_cross
            joint_cos, joint_sin = look.joint_cos * joint_rate, look.joint_sin * joint_rate
            joint_x, joint_y = ex * joint_cos + ey * joint_sin, ey * joint_cos - ex * joint_sin
            joint_step = one / joint_rate
            shadow, shadow_x, shadow_y, shadow_half = look.shadow, look.shadow_x, look.shadow_y, half * look.shadow_duty
            shade_x, shade_y = look.shade_x, look.shade_y
            west, east, south, north = look.room_west, look.room_east, look.room_south, look.room_north
            wall_height, wall_scale, wall_texel = look.wall_height, look.wall_scale, one / look.wall_scale
            wall_tile = tile[(FLOORS + look.wall_tile) * SIZE * SIZE :]
            gain, curve, sigma, corner_loss = look.gain, look.curve, look.noise, look.gain * look.vignette
            # What is left for the last stage where the curve is bent before it.
            gained, darkened = (gain, corner_loss) if curve == zero else (one, zero)
            per_west, per_east, per_south, per_north = (
                one / (west - ex),
                one / (east - ex),
                one / (south - ey),
                one / (north - ey),
            )
            to_wall = max(min(min(ex - west, east - ex), min(ey - south, north - ey)), f4(0.05))
            wall_slope = -ez / np.sqrt(to_wall * to_wall + ez * ez)  # rays above it may reach a wall before the floor

            # What a look lacks is zero (the light: one) in all blocks, and is not computed.
            lit = shadow > zero or shade_x != zero or shade_y != zero
            for u in range(P):
                buf[15 * P + u], buf[16 * P + u] = zero, one
            surveyed, around = blocks.survey(lens, r, eye[c], frame[k]), blocks.cones_around(boxes[c], eye[c])

            for piece in range(table.shape[0]):
                rays = table[piece]
                group, lane = piece // LANES, piece % LANES
                fixed, found = lens[group], surveyed[group]
                cosine, sine = fixed[blocks.COSINE * LANES + lane], fixed[blocks.SINE * LANES + lane]
                highest, lowest = found[blocks.HIGHEST * LANES + lane], found[blocks.LOWEST * LANES + lane]
                for u in range(P):
                    x, y, z = rays[u], rays[P + u], rays[2 * P + u]
                    buf[u] = r00 * x + r01 * y + r02 * z
                    buf[P + u] = r10 * x + r11 * y + r12 * z
                    buf[2 * P + u] = r20 * x + r21 * y + r22 * z
                floor = lowest < zero
                if floor:
                    # A distance changes by no more than one moves, so one texel tells what a near block cannot hold.
                    word = lines_here[np.uint32(found[blocks.TEXEL_AT * LANES + lane])]
                    ox, oy = (
                        found[blocks.BESIDE_X * LANES + lane] * gradient,
                        found[blocks.BESIDE_Y * LANES + lane] * gradient,
                    )
                    edge, _, _ = packed_distance(i4(word), ox, oy)
                    offset, _, _ = packed_distance(i4(word >> 32), ox, oy)
                    offset = min(abs(offset), f4(MARGIN))  # the map may know no nearer one
                    broad, reach = found[blocks.BROAD * LANES + lane], found[blocks.REACH * LANES + lane]
                    # First order fails where two borders are equally near, which only a wide block sees both of.
                    reach = reach + f4(3.1) * line_bend + half * broad + (texel if reach > f4(0.1) else f4(0.003))
                    near = highest < f4(NEAR) and broad < width
                    on_road = near and edge - reach > max(line_high, zero)
                    off_road = near and edge + reach < min(line_low, zero)
                    centre_near = centre_line > zero and not (near and offset - reach > centre_half)
                    bordered, painted = not (on_road or off_road), zero
                    for u in range(P):
                        slant = min(buf[2 * P + u], f4(STEEPEST)) * -per_ez
                        t = one / slant
                        buf[3 * P + u], buf[10 * P + u] = t, slant * rays[3 * P + u]
                        rx, ry = t * buf[u], t * buf[P + u]
                        buf[4 * P + u], buf[5 * P + u] = rx, ry
                        tx, ty = rx * grain_scale + eye_x, ry * grain_scale + eye_y
                        fx, fy = np.floor(tx), np.floor(ty)
                        buf[8 * P + u], buf[9 * P + u] = tx - fx, ty - fy
                        tiles_at[u] = (i4(fy) & (SIZE - 1)) * SIZE + (i4(fx) & (SIZE - 1))
                    _fetch(tile_word, floor_tile, tiles_at)
                    level = one if bordered else (road_grain if on_road else floor_grain)
                    for u in range(P):
                        grain = texture(tile_word[u], buf[8 * P + u], buf[9 * P + u]) - f4(128)
                        fade = min(one, grain_texel * buf[10 * P + u])
                        buf[14 * P + u] = grain * fade * level
                    if bordered or centre_near:
                        for u in range(P):
                            mx = min(max(buf[4 * P + u] * per_m + eye_column, zero), last_column)
                            my = min(max(buf[5 * P + u] * per_m + eye_row, zero), last_row)
                            fx, fy = np.floor(mx), np.floor(my)
                            buf[6 * P + u], buf[7 * P + u] = (mx - fx - half) * gradient, (my - fy - half) * gradient
                            texels[u] = i4(fy * columns + fx)
                        _fetch_both(edge_word, centre_word, lines_here, texels)
                    if bordered:
                        for u in range(P):
                            edge, gx, gy = packed_distance(edge_word[u], buf[6 * P + u], buf[7 * P + u])
                            edge += bend * buf[14 * P + u]
                            # The pixel's footprint on the floor: t·a across, t·a / sin(elevation) in depth.
                            p = (gx * buf[4 * P + u] + gy * buf[5 * P + u]) * slope
                            per_wide = buf[10 * P + u] / np.sqrt(one + p * p)
                            edge *= per_wide
                            # A footprint broader than the road, far away, holds no more road than there is.
                            road = min(max(edge + half, zero), one) * min(one, width * per_wide)
                            line = min(edge + half, line_high * per_wide) - max(edge - half, line_low * per_wide)
                            line = max(line, zero)
                            painted += line
                            grain = buf[14 * P + u]
                            buf[12 * P + u] = line * min(max(one + wear * (grain * f4(0.03) - half), zero), one)
                            buf[11 * P + u] = road
                            buf[14 * P + u] = grain * (floor_grain + road * (road_grain - floor_grain))
                    elif centre_near or joint > zero:
                        for u in range(P):
                            buf[11 * P + u], buf[12 * P + u] = (one if on_road else zero), zero
                    if centre_near or (painted > zero and left_line != right_line):
                        _fetch(along_word, along_here, texels)
                        for u in range(P):
                            ox, oy = buf[6 * P + u], buf[7 * P + u]
                            offset, nx, ny = packed_distance(centre_word[u], ox, oy)
                            along = f4(along_word[u]) * along_unit + ny * ox - nx * oy
                            per_foot, b = buf[10 * P + u], buf[3 * P + u] * per_ez
                            b = b * b
                            q = (nx * buf[4 * P + u] + ny * buf[5 * P + u]) * slope
                            q = min(q * q, max(b - one, zero))  # a packed gradient may be longer than one
                            per_n, per_s = per_foot / np.sqrt(one + q), per_foot / np.sqrt(b - q)
                            dash = along * dash_rate
                            dash = dash - np.floor(dash)
                            dash = (dash_half - abs(dash - half)) * (per_s * dash_step) + half
                            off = offset * per_n
                            centre = min(off + half, centre_half * per_n) - max(off - half, -centre_half * per_n)
                            buf[13 * P + u] = max(centre, zero) * min(max(dash, zero), one) * centre_line
                            buf[12 * P + u] *= left_line if offset > zero else right_line
                    elif bordered or joint > zero:
                        for u in range(P):
                            buf[12 * P + u] *= left_line
                            buf[13 * P + u] = zero
                    if joint > zero:
                        # Floor joints: thin lines, crossed or parallel.
                        for u in range(P):
                            rx, ry = buf[4 * P + u], buf[5 * P + u]
                            jx = rx * joint_cos + ry * joint_sin + joint_x
                            jy = ry * joint_cos - rx * joint_sin + joint_y
                            jx, jy = abs(jx - np.floor(jx) - half), abs(jy - np.floor(jy) - half)
                            t = buf[3 * P + u]
                            broad = t * per_ez / buf[10 * P + u]
                            near = (half - max(jx, jy * joint_cross)) * joint_step
                            joints = min(near + broad * half, joint_half) - max(near - broad * half, -joint_half)
                            buf[15 * P + u] = max(joints, zero) / broad * joint * (one - buf[11 * P + u] * half)
                    if lit:
                        for u in range(P):
                            rx, ry = buf[4 * P + u], buf[5 * P + u]
                            band = (ex + rx) * shadow_x + (ey + ry) * shadow_y
                            band = abs(band - np.floor(band) - half)
                            light = one - shadow * min(max((shadow_half - band) * f4(12) + half, zero), one)
                            buf[16 * P + u] = light * min(max(one + shade_x * rx + shade_y * ry, f4(0.4)), f4(1.6))
                    bare = not bordered and not centre_near and not joint > zero
                    for ch in range(channels):
                        floor_c, road_c, line_c = colours[c, FLOOR, ch], colours[c, ROAD, ch], colours[c, LINE, ch]
                        centre_c, joint_c = colours[c, CENTRE, ch], colours[c, JOINT, ch]
                        if bare:
                            ground = road_c if on_road else floor_c
                            for u in range(P):
                                paint[ch * P + u] = (ground + buf[14 * P + u]) * buf[16 * P + u]
                        else:
                            for u in range(P):
                                value = floor_c + buf[11 * P + u] * (road_c - floor_c) + buf[14 * P + u]
                                value = value + buf[15 * P + u] * (joint_c - value)
                                value = value + buf[12 * P + u] * (line_c - value)
                                value = value + buf[13 * P + u] * (centre_c - value)
                                paint[ch * P + u] = value * buf[16 * P + u]
                else:
                    buf[3 * P : 4 * P] = f4(1e6)
                if highest > wall_slope:
                    for u in range(P):
                        dx, dy, dz = buf[u], buf[P + u], buf[2 * P + u]
                        tx = dx * (per_east if dx > zero else per_west)
                        ty = dy * (per_north if dy > zero else per_south)
                        on_x = one if tx > ty else zero
                        slant = min(max(max(tx, ty), f4(1e-6)), f4(100))
                        t = one / slant
                        sideways = on_x * (ey + t * dy) + (one - on_x) * (ex + t * dx)
                        height = ez + t * dz
                        tx, ty = sideways * wall_scale, -height * wall_scale
                        fx, fy = np.floor(tx), np.floor(ty)
                        buf[8 * P + u], buf[9 * P + u] = tx - fx, ty - fy
                        tiles_at[u] = (i4(fy) & (SIZE - 1)) * SIZE + (i4(fx) & (SIZE - 1))
                        buf[17 * P + u], buf[7 * P + u] = t, slant * rays[3 * P + u]
                        buf[18 * P + u] = height
                        buf[19 * P + u] = f4(0.85) + f4(0.15) * on_x
                    _fetch(tile_word, wall_tile, tiles_at)
                    for u in range(P):
                        t = buf[17 * P + u]
                        seen = one if t < buf[3 * P + u] or buf[2 * P + u] > f4(STEEPEST) else zero
                        per_foot = buf[7 * P + u]
                        top = min(max((wall_height - buf[18 * P + u]) * per_foot + half, zero), one)
                        fade = min(one, per_foot * wall_texel)
                        level = texture(tile_word[u], buf[8 * P + u], buf[9 * P + u])
                        buf[17 * P + u] = seen
                        buf[18 * P + u] = top
                        buf[20 * P + u] = half + (level / white - half) * fade
                        buf[3 * P + u] = seen * t + (one - seen) * buf[3 * P + u]
                    for ch in range(channels):
                        dark, bright, sky = colours[c, WALL_DARK, ch], colours[c, WALL_LIGHT, ch], colours[c, SKY, ch]
                        for u in range(P):
                            wall = (dark + buf[20 * P + u] * (bright - dark)) * buf[19 * P + u]
                            value = sky + buf[18 * P + u] * (wall - sky)
                            before = paint[ch * P + u] if buf[17 * P + u] < half else zero
                            paint[ch * P + u] = before + buf[17 * P + u] * value
                ax, ay, az = found[lane], found[LANES + lane], found[2 * LANES + lane]  # the axis of the block's cone
                for k in range(boxes.shape[1]):
                    toward = ax * around[k, 0] + ay * around[k, 1] + az * around[k, 2]
                    far_off = cosine > zero and toward < cosine * around[k, 4] - sine * around[k, 3]
                    if around[k, 3] < zero or (around[k, 3] < one and far_off):
                        continue
                    tall = boxes[c, k, 4]
                    bx, by = ex - boxes[c, k, 0], ey - boxes[c, k, 1]
                    turn_cos, turn_sin = boxes[c, k, 5], boxes[c, k, 6]
                    a, w = boxes[c, k, 2], boxes[c, k, 3]
                    lx, ly = turn_cos * bx + turn_sin * by, turn_cos * by - turn_sin * bx
                    for u in range(P):
                        dx, dy, dz = buf[u], buf[P + u], buf[2 * P + u]
                        vx, vy = turn_cos * dx + turn_sin * dy, turn_cos * dy - turn_sin * dx
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
                        colour = box_colours[c, k, ch]
                        for u in range(P):
                            value = paint[ch * P + u]
                            paint[ch * P + u] = value + buf[17 * P + u] * (colour * buf[18 * P + u] - value)
                if curve != zero:
                    for ch in range(channels):
                        for u in range(P):
                            scale = gain - corner_loss * (one - rays[2 * P + u] * rays[2 * P + u])
                            value = min(max(paint[ch * P + u] * scale, zero), white)
                            paint[ch * P + u] = value + curve * value * (one - value * f4(1 / 255))
                grains = noise[noise_start[c] + piece * P :]
                at = np.uint64(piece // (stride // row) * DOWN * stride + piece % (stride // row) * row)
                if channels == 1:
                    for u in range(P):
                        scale = gained - darkened * (one - rays[2 * P + u] * rays[2 * P + u])
                        pixels[u] = np.uint8(_grey(paint[u], scale, sigma * grains[u] + half))
                    for v in range(DOWN):
                        for u in range(row):
                            picture[at + np.uint64(u)] = eights[v * row + u]
                        at += np.uint64(stride)
                else:
                    for u in range(P):
                        scale = gained - darkened * (one - rays[2 * P + u] * rays[2 * P + u])
                        grey = sigma * grains[u] + half
                        red, green = _grey(paint[u], scale, grey), _grey(paint[P + u], scale, grey)
                        words[u] = red | i4(green << 8) | i4(_grey(paint[2 * P + u], scale, grey) << 16)
                    # Two pixels of 24 bits in 48, then eight in three words.
                    for u in range(P // 2):
                        eights[u] = (eights[u] & 0xFFFFFF) | ((eights[u] >> 8) & 0xFFFFFF000000)
                    for v in range(DOWN):
                        for u in range(ACROSS // 8):
                            k = v * ACROSS // 2 + 4 * u
                            to = at + np.uint64(3 * u)
                            picture[to] = eights[k] | (eights[k + 1] << 48)
                            picture[to + np.uint64(1)] = (eights[k + 1] >> 16) | (eights[k + 2] << 32)
                            picture[to + np.uint64(2)] = (eights[k + 2] >> 32) | (eights[k + 3] << 16)
                        at += np.uint64(stride)

    return draw


# Compiled when first called, then kept on disk.
KERNELS = {channels: _kernel(channels, blocks.SOURCES) for channels in (1, 3)}
