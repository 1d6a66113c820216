"""One draw of a randomization file as Gazebo can show and move it: scenery, light and car, as SDF to be spawned.

The distributions, and what is drawn from them, are the built-in simulator's own. docs/gazebo.md says what Gazebo has
no means for: all that befalls a picture behind its lens except noise, and servo and motor, which are not Gazebo's.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from outlap.camera.view import View
from outlap.files import write_atomic
from outlap.gazebo.ground import draw_ground, draw_wall, plain_looks, png
from outlap.gazebo.model import car_sdf, car_urdf
from outlap.gazebo.sdf import Element, add, parse_sdf, sdf_text
from outlap.gazebo.world import GROUND_FILE, VERSION, WALL_FILE, world_sdf
from outlap.simulation.bodies import draw_bodies
from outlap.simulation.dressing import draw_looks, settle
from outlap.simulation.fleet import Fleet, road_bounds
from outlap.simulation.optics import draw_optics
from outlap.simulation.randomization import Randomization
from outlap.simulation.rendering.look import Looks
from outlap.track.footing import Pose
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle import dynamics
from outlap.vehicle.car import Camera, Car

PLAIN = ("ground", "walls", "sun", "opposite_sun")  # what a world made of a track holds at first
SCENERY = ("model", "light")  # elements of a world that are drawn anew
GAMMA = 2.2  # grey levels to this power are light, about
SHARE = 1 / 3  # of the light that all see in Gazebo's worlds comes from all around, and stays as it is
HIGHEST = 1.0  # m, of a camera, as the car file allows


@dataclass(frozen=True)
class Episode:
    """What one draw is."""

    looks: Looks  # one row
    car: Car
    noise: float  # grey levels, deviation of each pixel's
    light: float  # on everything; 1 shows every colour as it is, and a third is the least
    turn: float  # rad, about the vertical, by which the sunlight is turned
    zoom: float  # focal length as a part of the car file's


def draw_episode(randomization: Randomization, track: Track, car: Car, rng: np.random.Generator) -> Episode:
    """Draw an episode; what has no distribution is as in the plain world and in the car file."""
    tracks = TrackSet([track])
    looks = plain_looks(track)
    light = 1.0
    if randomization.look is not None:
        looks = draw_looks(randomization.look, 1, rng)
        settle(looks, tracks, np.zeros(1, np.int64), rng.uniform(0, tracks.length), *road_bounds(tracks))
        light = float(looks.scalars["gain"][0])
        # What is darker than the light all around is of darker colours.
        dark = min(light / SHARE ** (1 / GAMMA), 1.0)
        looks.colours[:] *= dark
        looks.box_colours[:] *= dark
    noise = 0.0 if randomization.look is None else float(looks.scalars["noise"][0])
    drawn = _body(randomization, tracks, car, rng)
    drawn = drawn.model_copy(update={"camera": _camera(randomization, drawn, rng)})
    given = None if randomization.camera is None else randomization.camera.focal_length
    zoom = 1.0 if given is None else float(given.draw(rng, 1)[0])
    return Episode(looks, drawn, noise, max(light**GAMMA, SHARE), float(rng.uniform(0, 2 * math.pi)), zoom)


def scenery(track: Track, episode: Episode, folder: Path, mark: str) -> dict[str, str]:
    """Documents to spawn, by the name of what is in each: ground, walls, boxes and sun.

    Args:
        track: the track.
        episode: the draw.
        folder: where the pictures go.
        mark: part of every name, another each time, so that the new can come before the old goes.

    Raises:
        OutlapError: the folder cannot be written.
    """
    looks = episode.looks
    room = looks.scalars[0]
    ground = draw_ground(track, looks)
    longest = max(room["room_east"] - room["room_west"], room["room_north"] - room["room_south"])
    # Gazebo knows a picture by its name alone, wherever it lies, and would show an earlier one of that name again.
    files = {name: folder.resolve() / f"{mark}_{name}" for name in (GROUND_FILE, WALL_FILE)}
    write_atomic(files[GROUND_FILE], png(ground.picture))
    write_atomic(files[WALL_FILE], png(draw_wall(looks, float(longest))))
    world = parse_sdf(world_sdf(track, ground, looks, Pose(0.0, 0.0, 0.0)), "the drawn world", "SDF").find("world")
    assert world is not None, "it was just written"
    documents: dict[str, str] = {}
    for thing in world:
        if thing.tag in SCENERY:
            if thing.tag == "light":
                _shine(thing, episode)
            for picture in thing.iter("albedo_map"):
                picture.text = str(files[picture.text or ""])
            name = f"{thing.get('name')}_{mark}"
            thing.set("name", name)
            root = Element("sdf", {"version": VERSION})
            root.append(thing)
            documents[name] = sdf_text(root)
    return documents


def drawn_car(episode: Episode) -> str:
    """The episode's car as SDF.

    Raises:
        OutlapError: Gazebo or xacro is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="outlap-") as folder:
        path = Path(folder) / "car.yaml"
        path.write_text(yaml.safe_dump(episode.car.model_dump(mode="json")))
        text = car_sdf(car_urdf(path))
    root = parse_sdf(text, "the drawn car", "SDF")
    for camera in root.iter("camera"):
        for fov in camera.findall("horizontal_fov"):
            fov.text = f"{2 * math.atan(math.tan(float(fov.text or 0) / 2) / episode.zoom):.6g}"
        noise = add(camera, "noise")
        add(noise, "type", "gaussian")
        add(noise, "mean", 0)
        add(noise, "stddev", episode.noise / 255)
    return sdf_text(root)


def _body(randomization: Randomization, tracks: TrackSet, car: Car, rng: np.random.Generator) -> Car:
    """The car as Gazebo moves it; servo, motor and delays are not its own."""
    fleet = Fleet(tracks, car, 1)
    draw_bodies(randomization.car, fleet, np.zeros(1, np.int64), rng)
    row = fleet.parameter[0]
    mass = float(row[dynamics.MASS])
    body = {"mass": mass, "yaw_inertia": car.body.yaw_inertia * (mass / car.body.mass)}
    tyres = {"friction": float(row[dynamics.FRICTION]), "cornering_stiffness": float(row[dynamics.STIFFNESS])}
    return car.model_copy(
        update={
            "body": car.body.model_copy(update=body),
            "tyres": car.tyres.model_copy(update=tyres),
            "axles": car.axles.model_copy(update={"wheel_radius": float(row[dynamics.WHEEL_RADIUS])}),
        }
    )


def _camera(randomization: Randomization, car: Car, rng: np.random.Generator) -> Camera:
    """The car file's camera, off by as much as a drawn one is off the canonical view."""
    view, camera = View(), car.camera
    optics = draw_optics(randomization, view, 1, rng)[0]
    return camera.model_copy(
        update={
            "x": camera.x + float(optics["x"]),
            "height": min(camera.height * (float(optics["height"]) / view.camera_height), HIGHEST),
            "pitch": camera.pitch + (float(optics["pitch"]) - view.pitch),
            "roll": camera.roll + float(optics["roll"]),
            "yaw": camera.yaw + float(optics["yaw"]),
        }
    )


def _shine(light: Element, episode: Episode) -> None:
    """Give a sun the episode's strength and direction."""
    for element in light:
        if element.tag == "intensity":
            element.text = f"{float(element.text or 0) * (episode.light - SHARE) / (1 - SHARE):.6g}"
        elif element.tag == "direction":
            x, y, z = (float(number) for number in (element.text or "").split())
            cosine, sine = math.cos(episode.turn), math.sin(episode.turn)
            element.text = f"{cosine * x - sine * y:.6g} {sine * x + cosine * y:.6g} {z:g}"
