"""Camera steps per second, ours and MuJoCo's EGL renderer's.

A camera step moves a car on by one camera period and draws what its camera then sees. Two rows:

plain      160x120 RGB, the plain look. Both sides have the same track, car poses, lens, ground colours, walls and sky,
           and both antialias.
training   80x48, what the trainer calls: the canonical view in grey with all of the randomization `full`, which are
           other looks, boxes, lenses and mounts for every car, and blur, glare, compression and delays of its pictures.
           MuJoCo draws the same plain scene as above in that size, in RGB, and none of that.

Ours steps and draws all cars in one batch on all cores; MuJoCo draws one picture at a time, by as many processes as
there are cores. The two are measured in turns. Beside camera steps a second of wall clock, for which the machine should
be idle, steps a second of a core's time are reported, which tell the same on a busy one.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.camera.model import rays
from outlap.camera.view import View
from outlap.errors import OutlapError
from outlap.simulation.cameras import Eyes
from outlap.simulation.clock import TICK
from outlap.simulation.fleet import Fleet, Mounts
from outlap.simulation.randomization import load_randomization
from outlap.simulation.rendering.ground import GroundMaps, bounds
from outlap.simulation.rendering.look import CENTRE, FLOOR, LINE, ROAD, SKY, WALL_DARK, WALL_LIGHT, Looks
from outlap.simulation.rendering.render import Renderer
from outlap.simulation.rendering.textures import tiles
from outlap.simulation.rendering.tile_set import FLOORS, SIZE
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.track.polyline import arc_lengths
from outlap.track.track import Track
from outlap.vehicle.car import load_car

PLAIN, CANONICAL = View(width=160, height=120), View()
TICKS = 4  # of simulated time from one picture to the next: 30 pictures a second
SPEED = 1.0  # m/s, of all cars
TURN_SECONDS = 2.0  # that one side is measured before the other has its turn
GROUND_TEXEL = 0.005  # m, of the peer's ground picture
MISSING = (
    "the peer cannot run ({reason}): install MuJoCo with `pip install 'outlap[bench]'` and, for EGL without a graphics "
    "card, Mesa with `apt-get install libegl1 libgl1-mesa-dri` (Debian, Ubuntu)."
)

Image = NDArray[np.uint8]


class Rate(NamedTuple):
    """Camera steps per second."""

    wall: float  # of wall clock, on all cores
    core: float  # of one core's time


class Ours:
    """A batch of cars on one track, stepped and drawn by Outlap."""

    def __init__(self, track: Track, n: int) -> None:
        tracks, car = TrackSet([track]), load_car()
        self.fleet = Fleet(tracks, car, n)
        self.fleet.place(np.arange(n), 0, np.arange(n) / n * float(tracks.length[0]), speed=SPEED)
        self._mounts = Mounts.alike(n, car.camera.x, PLAIN.camera_height, PLAIN.pitch)
        self._looks = Looks.plain(n, *bounds(track))
        self._renderer = Renderer(rays(PLAIN.lens), GroundMaps.of([track]), channels=3)
        self._steering, self._wheel_speed = np.zeros(n), np.full(n, car.wheel_speed(SPEED))

    def pictures(self) -> Image:
        """What the cars see now, (n, 120, 160, 3)."""
        return self.fleet.pictures(self._renderer, self._mounts, self._looks)

    def run(self, seconds: float) -> Rate:
        """Camera steps per second, measured for at least ``seconds`` s."""
        begin, used, steps = time.perf_counter(), time.process_time(), 0
        while (past := time.perf_counter() - begin) < seconds:
            self.fleet.step(self._steering, self._wheel_speed, TICKS)
            self.pictures()
            steps += self.fleet.n
        return Rate(steps / past, steps / (time.process_time() - used))


class Training(Ours):
    """The same cars, seen as in training."""

    def __init__(self, track: Track, n: int) -> None:
        super().__init__(track, n)
        self._eyes = Eyes(self.fleet, CANONICAL, 0, load_randomization("full"))

    def pictures(self) -> Image:
        """What the cars see now, (n, 48, 80)."""
        return self._eyes.look()


def _png(picture: NDArray[Any]) -> bytes:
    return cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1].tobytes()


def _ground(track: Track, low: NDArray[np.float64], high: NDArray[np.float64]) -> bytes:
    """The floor between the walls, from above: the plain look's road, borders and dashes, as a PNG with y upwards."""
    look = Looks.plain(1, low, high)
    scalars, colours = look.scalars[0], [tuple(float(v) for v in colour) for colour in look.colours[0]]
    width, height = np.ceil((high - low) / GROUND_TEXEL).astype(int)
    picture = np.full((height, width, 3), colours[FLOOR], dtype=np.uint8)

    def texels(points: NDArray[np.float64]) -> NDArray[np.int32]:
        return np.round((points - low) / GROUND_TEXEL * 16 - 8).astype(np.int32)

    left, right = texels(track.left), texels(track.right)
    inner, outer = sorted((left, right), key=lambda line: cv2.contourArea(line.reshape(-1, 1, 2)))
    road = np.zeros((height, width), np.uint8)
    cv2.fillPoly(road, [outer], 255, cv2.LINE_AA, 4)
    cv2.fillPoly(road, [inner], 0, cv2.LINE_AA, 4)
    picture[road > 127] = colours[ROAD]
    # A line of twice the width along the border, of which the road keeps the inner half.
    lines = picture.copy()
    cv2.polylines(lines, [left, right], True, colours[LINE], round(2 * scalars["line_width"] / GROUND_TEXEL), 16, 4)
    picture[road > 127] = lines[road > 127]
    along = arc_lengths(track.center)
    lap = float(along[-1])
    xs, ys = (np.append(track.center[:, i], track.center[0, i]) for i in (0, 1))
    rate = round(scalars["dash_rate"] * lap) / lap
    for dash in range(round(rate * lap)):
        s = (dash + np.linspace(0.25, 0.75, 8)) / rate
        points = np.stack([np.interp(s, along, xs), np.interp(s, along, ys)], axis=1)
        thick = round(2 * scalars["centre_half"] / GROUND_TEXEL) - 1
        cv2.polylines(picture, [texels(points)], False, colours[CENTRE], thick, 16, 4)
    rows, columns = ((np.arange(k) * GROUND_TEXEL * scalars["grain_scale"]).astype(int) % SIZE for k in (height, width))
    grain = (tiles(0)[: SIZE * SIZE].reshape(SIZE, SIZE) & 255)[rows[:, None], columns[None]] - 128.0
    picture = np.clip(picture + grain[..., None] / 42 * scalars["floor_grain"], 0, 255).astype(np.uint8)
    return _png(picture[::-1])


def _scene(track: Track, camera: View) -> tuple[str, dict[str, bytes]]:
    """MuJoCo's model of the same scene, and its pictures."""
    look = Looks.plain(1, *bounds(track))
    scalars, colours = look.scalars[0], look.colours[0]
    low = np.array([scalars["room_west"], scalars["room_south"]], dtype=float)
    high = np.array([scalars["room_east"], scalars["room_north"]], dtype=float)
    tile = (tiles(0)[FLOORS * SIZE * SIZE : (FLOORS + 1) * SIZE * SIZE].reshape(SIZE, SIZE) & 255)[..., None] / 255
    wall = (colours[WALL_DARK] + tile * (colours[WALL_LIGHT] - colours[WALL_DARK])).astype(np.uint8)
    (x, y), (half_x, half_y), half_z = (low + high) / 2, (high - low) / 2, float(scalars["wall_height"]) / 2
    per_m = float(scalars["wall_scale"]) / SIZE  # tiles
    walls = "".join(
        f'<geom type="plane" pos="{px} {py} {half_z}" xyaxes="{axes}" size="{half} {half_z} 1" material="wall"/>'
        for px, py, axes, half in (
            (low[0], y, "0 1 0 0 0 1", half_y),
            (high[0], y, "0 -1 0 0 0 1", half_y),
            (x, low[1], "-1 0 0 0 0 1", half_x),
            (x, high[1], "1 0 0 0 0 1", half_x),
        )
    )
    sky = " ".join(str(value / 255) for value in colours[SKY])
    car = load_car().camera
    fovy = np.degrees(2 * np.arctan(camera.height / 2 / camera.focal_length))
    sine, cosine = np.sin(camera.pitch), np.cos(camera.pitch)
    model = f"""
    <mujoco>
      <option timestep="{TICK}" gravity="0 0 0"/>
      <visual>
        <global offwidth="{camera.width}" offheight="{camera.height}"/>
        <map znear="0.01" zfar="100"/>
        <headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/>
      </visual>
      <statistic extent="1"/>
      <asset>
        <texture name="sky" type="skybox" builtin="flat" rgb1="{sky}" rgb2="{sky}" width="64" height="64"/>
        <texture name="ground" type="2d" file="ground.png"/>
        <texture name="wall" type="2d" file="wall.png"/>
        <material name="ground" texture="ground" specular="0" shininess="0"/>
        <material name="wall" texture="wall" texuniform="true" texrepeat="{per_m} {per_m}" specular="0"/>
      </asset>
      <worldbody>
        <geom type="plane" pos="{x} {y} 0" size="{half_x} {half_y} 1" material="ground"/>
        {walls}
        <body name="car">
          <inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>
          <joint type="slide" axis="1 0 0"/><joint type="slide" axis="0 1 0"/><joint type="hinge" axis="0 0 1"/>
          <camera name="eye" pos="{car.x} 0 {camera.camera_height}" fovy="{fovy}"
                  xyaxes="0 -1 0 {sine} 0 {cosine}"/>
        </body>
      </worldbody>
    </mujoco>"""
    return model, {"ground.png": _ground(track, low, high), "wall.png": _png(wall)}


def _peer(track: Track, view: View, poses: NDArray[np.float64], pipe: Connection) -> None:
    """A process of the peer: says its name or why it cannot run, then for each number of seconds its steps/s."""
    os.environ["MUJOCO_GL"] = "egl"
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's threads; the other cores have their own process
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            mujoco: Any = importlib.import_module("mujoco")  # here, because it looks for EGL when imported
            xml, pictures = _scene(track, view)
            model = mujoco.MjModel.from_xml_string(xml, pictures)
            data = mujoco.MjData(model)
            renderer = mujoco.Renderer(model, view.height, view.width)
            renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
            renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
    except Exception as error:
        pipe.send((None, f"{type(error).__name__}: {error}"))
        return
    picture = np.empty((view.height, view.width, 3), np.uint8)
    at = 0

    def step() -> None:
        nonlocal at
        at = (at + 1) % len(poses)
        data.qpos[:] = poses[at]
        mujoco.mj_step(model, data, TICKS)
        renderer.update_scene(data, "eye")
        renderer.render(out=picture)

    step()
    pipe.send((f"mujoco-egl {mujoco.__version__}", ""))
    while (order := pipe.recv()) is not None:
        if isinstance(order, int):
            at = order - 1
            step()
            pipe.send(picture)
            continue
        begin, used, steps = time.perf_counter(), time.process_time(), 0
        while (past := time.perf_counter() - begin) < order:
            step()
            steps += 1
        pipe.send(Rate(steps / past, steps / (time.process_time() - used)))
    renderer.close()


class Peer:
    """MuJoCo in as many processes as this one may use cores."""

    def __init__(self, track: Track, view: View, poses: NDArray[np.float64]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes, self._children = [], []
        for _ in range(len(os.sched_getaffinity(0))):
            ours, theirs = context.Pipe()
            child = context.Process(target=_peer, args=(track, view, poses, theirs), daemon=True)
            child.start()
            theirs.close()
            self._pipes.append(ours)
            self._children.append(child)
        answers = [self._answer(pipe) for pipe in self._pipes]
        self.name = answers[0][0]
        if self.name is None:
            raise OutlapError(MISSING.format(reason=answers[0][1]))

    def run(self, seconds: float) -> Rate:
        """Camera steps per second of all processes together, measured for at least ``seconds`` s."""
        for pipe in self._pipes:
            pipe.send(seconds)
        rates = [self._answer(pipe) for pipe in self._pipes]
        return Rate(sum(rate.wall for rate in rates), sum(rate.core for rate in rates) / len(rates))

    def picture(self, k: int) -> Image:
        """What the camera of the k-th pose sees, (H, W, 3)."""
        self._pipes[0].send(k)
        return self._answer(self._pipes[0])

    def close(self) -> None:
        """End the processes."""
        for pipe, child in zip(self._pipes, self._children, strict=True):
            with contextlib.suppress(OSError):
                pipe.send(None)
            child.join(5)
            child.kill()

    def _answer(self, pipe: Connection) -> Any:
        try:
            return pipe.recv()
        except EOFError:
            raise OutlapError(MISSING.format(reason="its process ended without a word")) from None


def main() -> None:
    """Measure both in turns, print each turn, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--track", default="meadow", help="a track's name or file")
    parser.add_argument("--cars", type=int, default=512, help="cars in our batch")
    parser.add_argument("--turns", type=int, default=5, help="turns of each side; medians are reported")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="save a picture of each scene there")
    options = parser.parse_args()
    track = load_track(options.track)
    result = {}
    for row, ours, view in (
        ("plain", Ours(track, options.cars), PLAIN),
        ("training", Training(track, options.cars), CANONICAL),
    ):
        first = ours.pictures()
        peer = Peer(track, view, ours.fleet.state[:, :3].copy())
        try:
            if options.pictures is not None:
                _save(options.pictures, row, first, peer)
            result[row] = _measure(row, ours, peer, options.turns)
        finally:
            peer.close()
    print(json.dumps(result))


def _save(folder: Path, row: str, first: Image, peer: Peer) -> None:
    """Write four pictures of both sides, side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in np.linspace(0, len(first), 4, endpoint=False).astype(int).tolist():
        ours = first[k] if first.ndim == 4 else np.repeat(first[k][..., None], 3, axis=2)
        (folder / f"{row}_{k}.png").write_bytes(_png(np.concatenate([ours, peer.picture(k)], axis=1)))


def _measure(row: str, side: Ours, peer: Peer, turns: int) -> dict[str, Any]:
    """Both sides' medians and their ratio."""
    rates: list[tuple[Rate, Rate]] = []
    for turn in range(turns):
        rates.append((side.run(TURN_SECONDS), peer.run(TURN_SECONDS)))
        print(f"{row} {turn + 1}: ours {rates[-1][0].wall:,.0f}/s, {peer.name} {rates[-1][1].wall:,.0f}/s", flush=True)
    ours, theirs = (Rate(*(median(rate[who][k] for rate in rates) for k in (0, 1))) for who in (0, 1))
    return {
        "ours_per_s": round(ours.wall, 1),
        "peer": peer.name,
        "peer_per_s": round(theirs.wall, 1),
        "ratio": round(ours.wall / theirs.wall, 1),
        "ours_per_core_s": round(ours.core, 1),
        "peer_per_core_s": round(theirs.core, 1),
        "core_ratio": round(ours.core / theirs.core, 1),
    }


if __name__ == "__main__":
    try:
        main()
    except OutlapError as error:
        sys.exit(f"error: {error}")
