"""A Gazebo world from a track: what the built-in simulator shows, as ground, walls, light, sky and a start pose.

World frame and track frame are one, the floor is z = 0. The ground is a picture (:mod:`outlap.gazebo.ground`); the
walls repeat one stretch of wall. The frame ``start`` is where base_link begins: on the start line, as everywhere.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np

from outlap.files import write_atomic
from outlap.gazebo.ground import Ground, draw_ground, draw_wall, plain_looks, png
from outlap.gazebo.sdf import Element, add, sdf_text
from outlap.simulation.rendering.look import FLOOR, SKY, Looks
from outlap.track.footing import Pose, start_pose
from outlap.track.geometry import TrackSet
from outlap.track.track import Track

WORLD_FILE, GROUND_FILE, WALL_FILE = "world.sdf", "ground.png", "wall.png"
WORLD, START = "outlap", "start"  # names of the world and of the frame in which the car's model begins
TRACK_TAG = "outlap:track"  # says of which track a world was made; elements with a prefix are nobody else's
VERSION = "1.9"  # of SDF: what Debian's and Ubuntu's libsdformat 12 read, and all later ones
STEP = 0.002  # s, of the physics
FRICTION = 1.0  # coefficient of the floor; the tyres' own is the car's
THICKNESS = 0.1  # m, of the walls, outwards
# Light by which Gazebo's camera sees each colour within about a tenth of the level at which it is given, floor and
# walls alike, measured with gz-sim 8 and ogre2: full ambient light makes a third of that, and two low suns, opposite
# each other, the rest. They stand near east and west, so that walls there are lighter, as in the built-in room.
AMBIENT = 1.0
SUN = 1.12  # intensity of each
SUN_ELEVATION, SUN_AZIMUTH = 0.36, 0.47  # rad, above the horizon and from east towards north
SYSTEMS = (
    ("gz-sim-physics-system", "gz::sim::systems::Physics"),
    ("gz-sim-user-commands-system", "gz::sim::systems::UserCommands"),
    ("gz-sim-scene-broadcaster-system", "gz::sim::systems::SceneBroadcaster"),
    ("gz-sim-sensors-system", "gz::sim::systems::Sensors"),
)
RENDER_ENGINE = "ogre2"


def write_world(track: Track, folder: Path, looks: Looks | None = None) -> Path:
    """Write ``world.sdf`` and its pictures; each appears whole or not at all, the world last.

    Args:
        track: the track.
        folder: where to; made where it is missing.
        looks: one row, what it is made of; by default what the built-in simulator shows.

    Returns:
        The path of ``world.sdf``.

    Raises:
        OutlapError: the folder cannot be written.
    """
    looks = plain_looks(track) if looks is None else looks
    ground = draw_ground(track, looks)
    room = looks.scalars[0]
    longest = max(room["room_east"] - room["room_west"], room["room_north"] - room["room_south"])
    write_atomic(folder / GROUND_FILE, png(ground.picture))
    write_atomic(folder / WALL_FILE, png(draw_wall(looks, float(longest))))
    write_atomic(folder / WORLD_FILE, world_sdf(track, ground, looks, start_pose(TrackSet([track]))))
    return folder / WORLD_FILE


def track_digest(track: Track) -> str:
    """SHA-256 of a track's rows to 0.1 mm, as its file holds them."""
    rows = np.round(np.concatenate([track.center, track.left, track.right], axis=1), 4) + 0.0  # no -0
    return hashlib.sha256(rows.astype("<f8").tobytes()).hexdigest()


def world_sdf(track: Track, ground: Ground, looks: Looks, start: Pose) -> str:
    """The text of ``world.sdf``; its pictures lie beside it."""
    root = Element("sdf", {"version": VERSION, "xmlns:outlap": "https://outlap.invalid/sdf"})
    world = add(root, "world", name=WORLD)
    add(world, TRACK_TAG, sha256=track_digest(track)).text = track.name
    physics = add(world, "physics", name="physics", type="dart", default="true")
    add(physics, "max_step_size", STEP)
    add(physics, "real_time_factor", 1)
    add_systems(world)
    scene = add(world, "scene")
    add(scene, "ambient", [AMBIENT] * 3 + [1])
    add(scene, "background", [*_light(looks.colours[0, SKY]), 1])
    add(scene, "grid", "false")
    add(scene, "shadows", "false")
    for name, side in (("sun", 1.0), ("opposite_sun", -1.0)):
        sun = add(world, "light", name=name, type="directional")
        add(sun, "pose", [0, 0, 10, 0, 0, 0])
        level = side * math.cos(SUN_ELEVATION)
        x, y = -level * math.cos(SUN_AZIMUTH), -level * math.sin(SUN_AZIMUTH)
        add(sun, "direction", [x, y, -math.sin(SUN_ELEVATION)])
        add(sun, "intensity", SUN)
        add(sun, "diffuse", [1, 1, 1, 1])
        add(sun, "specular", [0, 0, 0, 1])
        add(sun, "cast_shadows", "false")
    _ground(world, ground, looks)
    _walls(world, looks)
    _boxes(world, looks)
    frame = add(world, "frame", name=START)
    add(frame, "pose", [start[0], start[1], 0, 0, 0, start[2]])
    return sdf_text(root)


def add_systems(world: Element) -> None:
    """Add the systems of Gazebo that Outlap needs and ``world`` does not name."""
    # Older worlds call the name space "ignition::gazebo"; Gazebo still knows it.
    there = {plugin.get("name", "").rsplit("::", 1)[-1] for plugin in world.findall("plugin")}
    for filename, name in SYSTEMS:
        if name.rsplit("::", 1)[-1] not in there:
            plugin = add(world, "plugin", filename=filename, name=name)
            if name.endswith("Sensors"):
                add(plugin, "render_engine", RENDER_ENGINE)


def _static(world: Element, name: str) -> Element:
    model = add(world, "model", name=name)
    add(model, "static", "true")
    return add(model, "link", name="link")


def _ground(world: Element, ground: Ground, looks: Looks) -> None:
    link = _static(world, "ground")
    collision = add(link, "collision", name="floor")
    _plane(collision, (1.0, 1.0))  # a plane that collides has no end
    ode = add(add(add(collision, "surface"), "friction"), "ode")
    add(ode, "mu", FRICTION)
    add(ode, "mu2", FRICTION)
    visual = add(link, "visual", name="picture")
    add(visual, "pose", [*ground.middle, 0, 0, 0, 0])
    _plane(visual, ground.size)
    _picture(visual, GROUND_FILE)
    room = looks.scalars[0]
    west, east, south, north = (float(room[f"room_{side}"]) for side in ("west", "east", "south", "north"))
    if max(east - west - ground.size[0], north - south - ground.size[1]) > 2 * ground.pixel:
        visual = add(link, "visual", name="beyond")
        add(visual, "pose", [(west + east) / 2, (south + north) / 2, -0.002, 0, 0, 0])  # m; beneath the picture
        _plane(visual, (east - west, north - south))
        _paint(visual, looks.colours[0, FLOOR])


def _walls(world: Element, looks: Looks) -> None:
    room = looks.scalars[0]
    west, east, south, north = (float(room[f"room_{side}"]) for side in ("west", "east", "south", "north"))
    height, scale = float(room["wall_height"]), float(room["wall_scale"])
    rows, columns = draw_wall(looks, max(east - west, north - south)).shape[:2]
    size = (columns / scale, rows / scale)
    link = _static(world, "walls")
    half = THICKNESS / 2
    # Each by its left end as seen from inside, the direction to its right end, and its length.
    for name, x, y, yaw, length in (
        ("north", west, north, 0.0, east - west),
        ("west", west, south, math.pi / 2, north - south),
        ("south", east, south, math.pi, east - west),
        ("east", east, north, -math.pi / 2, north - south),
    ):
        ux, uy = math.cos(yaw), math.sin(yaw)
        collision = add(link, "collision", name=name)
        mx, my = x + ux * length / 2 - uy * half, y + uy * length / 2 + ux * half
        add(collision, "pose", [mx, my, height / 2, 0, 0, yaw])
        box = add(add(collision, "geometry"), "box")
        add(box, "size", [length + 2 * THICKNESS, THICKNESS, height])
        # The last stretch may reach beyond the corner: nobody in the room sees that.
        for k in range(math.ceil(length / size[0] - 1e-6)):
            visual = add(link, "visual", name=f"{name}_{k}")
            along = (k + 0.5) * size[0]
            add(visual, "pose", [x + ux * along, y + uy * along, size[1] / 2, math.pi / 2, 0, yaw])
            _plane(visual, size)
            _picture(visual, WALL_FILE)


def _boxes(world: Element, looks: Looks) -> None:
    for k in np.flatnonzero(looks.boxes[0, :, 4] > 0).tolist():
        x, y, length, width, height, cos, sin = (float(value) for value in looks.boxes[0, k])
        link = _static(world, f"box_{k}")
        for tag in ("collision", "visual"):
            part = add(link, tag, name=tag)
            add(part, "pose", [x, y, height / 2, 0, 0, math.atan2(sin, cos)])
            add(add(add(part, "geometry"), "box"), "size", [2 * length, 2 * width, height])
            if tag == "visual":
                _paint(part, looks.box_colours[0, k])


def _plane(parent: Element, size: tuple[float, float]) -> None:
    plane = add(add(parent, "geometry"), "plane")
    add(plane, "normal", [0, 0, 1])
    add(plane, "size", list(size))


def _picture(visual: Element, file: str) -> None:
    add(_matt(visual, [1, 1, 1]), "albedo_map", file)


def _paint(visual: Element, colour: np.ndarray) -> None:
    _matt(visual, _light(colour))


def _matt(visual: Element, diffuse: list[float]) -> Element:
    """A material that shines nowhere; returns the element in which its pictures are named."""
    material = add(visual, "material")
    add(material, "ambient", [*diffuse, 1])
    add(material, "diffuse", [*diffuse, 1])
    add(material, "specular", [0, 0, 0, 1])
    metal = add(add(material, "pbr"), "metal")
    add(metal, "roughness", 1)
    add(metal, "metalness", 0)
    return metal


def _light(levels: np.ndarray) -> list[float]:
    """The light, 0..1, that grey levels 0..255 stand for: Gazebo counts in light, and its camera writes sRGB."""
    shares = np.asarray(levels, dtype=float) / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4).tolist()
