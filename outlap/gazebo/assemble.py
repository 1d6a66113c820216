"""The one file that Gazebo is given: a world, ours or somebody else's, with the car at its start."""

from __future__ import annotations

import math
import os
from pathlib import Path

from outlap.errors import OutlapError
from outlap.gazebo.sdf import Element, add, parse_sdf, read_sdf, sdf_text
from outlap.gazebo.world import START, TRACK_TAG, WORLD, WORLD_FILE, Pose, add_systems, track_digest, write_world
from outlap.track.formats import TRACK_FILE, load_track, track_file

MODEL = "racecar"  # the car's name in Gazebo
WORLD_SUFFIXES = (".sdf", ".world")
# Elements whose text names a file; those of a plugin are its own business.
FILES = frozenset(
    {
        "uri",
        "cubemap_uri",
        "filename",
        "albedo_map",
        "normal_map",
        "roughness_map",
        "metalness_map",
        "specular_map",
        "glossiness_map",
        "emissive_map",
        "light_map",
        "environment_map",
        "ambient_occlusion_map",
        "color_range_image",
    }
)
HEIGHTMAP_FILES = frozenset({"diffuse", "normal"})  # likewise within <texture>; elsewhere they are colours


def assemble(world: str | Path, car_sdf: str, folder: Path, start: Pose | None = None) -> str:
    """The complete SDF text that Gazebo is given.

    Args:
        world: a world's file (``.sdf`` or ``.world``), a folder that holds a ``world.sdf``, or a track, as
            :func:`outlap.track.formats.load_track` knows them. The ``world.sdf`` beside a track is taken where it was
            made of the track as it is now; otherwise the world is written to ``folder``.
        car_sdf: SDF that holds the car's ``<model name="racecar">``.
        folder: for what has to be written.
        start: x, y (m) and yaw (rad) of the car's base_link; by default the world's frame ``start``.

    Returns:
        One document with one world, ``outlap``. What the world says of light, physics and models stays; its relative
        file names are made absolute, and systems of Gazebo that it lacks are added.

    Raises:
        OutlapError: the world or the car is refused, or there is no start; the sentence names file and line.
    """
    path = world_file(world, folder)
    root = read_sdf(path)
    content = _only_world(root, path)
    content.set("name", WORLD)
    _make_absolute(content, path.resolve().parent)
    add_systems(content)
    if any(child.tag in ("model", "include") and _name(child) == MODEL for child in content):
        raise OutlapError(f"{path}: the world already holds a model {MODEL!r}, the car's name: rename or remove it.")
    content.append(_car(car_sdf, content, path, start))
    return sdf_text(root)


def world_file(world: str | Path, folder: Path) -> Path:
    """The file of a world; that of a track is written to ``folder`` where there is none that is up to date.

    Raises:
        OutlapError: there is neither such a world nor such a track, or ``folder`` cannot be written.
    """
    path = Path(world)
    if path.suffix in WORLD_SUFFIXES:
        return path
    # os.path says no to a name that is too long, which Path raises an OSError for.
    if os.path.isfile(path / WORLD_FILE) and not os.path.isfile(path / TRACK_FILE):  # noqa: PTH113  Path's raises where a name is too long
        return path / WORLD_FILE
    track = load_track(world)
    beside = track_file(world).parent / WORLD_FILE
    if beside.is_file() and track_digest(track) in {mark.get("sha256") for mark in read_sdf(beside).iter(TRACK_TAG)}:
        return beside
    return write_world(track, folder)


def resource_path(world: str | Path, present: str = "") -> str:
    """Gazebo's ``GZ_SIM_RESOURCE_PATH`` for a world: ``present``, then where models that came with the world lie.

    By it Gazebo finds ``model://NAME``, in the models' own files, too. Folders are the world's, ``models`` in it, and
    ``models`` beside it.
    """
    path = Path(world)
    beside = path.resolve().parent
    folders = (beside, beside / "models", beside.parent / "models") if path.suffix in WORLD_SUFFIXES else ()
    return os.pathsep.join([*filter(None, [present]), *(str(folder) for folder in folders if folder.is_dir())])


def _only_world(root: Element, path: Path) -> Element:
    worlds = root.findall("world")
    if len(worlds) != 1:
        held = "no <world>" if not worlds else f"{len(worlds)} worlds"
        raise OutlapError(f"{path}: the file holds {held}; give one with exactly one <world> in its <sdf>.")
    return worlds[0]


def _car(car_sdf: str, world: Element, path: Path, start: Pose | None) -> Element:
    models = [m for m in parse_sdf(car_sdf, "the car's model", "SDF").findall("model") if m.get("name") == MODEL]
    if len(models) != 1:
        raise OutlapError(f"the car's SDF must hold exactly one <model name={MODEL!r}>, not {len(models)}.")
    car = models[0]
    for pose in car.findall("pose"):
        car.remove(pose)
    if start is not None:
        if not all(map(math.isfinite, start)):
            raise OutlapError(f"the start pose must be three finite numbers (x, y in m, yaw in rad), not {start}.")
        add(car, "pose", [start[0], start[1], 0, 0, 0, start[2]])
    elif any(frame.get("name") == START for frame in world.findall("frame")):
        add(car, "pose", [0] * 6, relative_to=START)
    else:
        raise OutlapError(
            f"{path}: the world does not say where the car starts: give a start pose or a track, "
            f'or put <frame name="{START}"><pose>x y z 0 0 yaw</pose></frame> into its <world>.'
        )
    return car


def _name(element: Element) -> str:
    """Of a model or an included one, which may have been given a name of its own."""
    return element.get("name") or (element.findtext("name") or "").strip()


def _make_absolute(element: Element, folder: Path, parent: str = "") -> None:
    """Make the relative file names below ``element`` absolute where such a file lies in ``folder``.

    Others are left: Gazebo looks for them along its own search path.
    """
    if element.tag == "plugin":
        return
    if element.tag in FILES or (element.tag in HEIGHTMAP_FILES and parent == "texture"):
        name = (element.text or "").strip().removeprefix("file://")
        if name and "://" not in name and not Path(name).is_absolute():
            here = folder / name
            if here.exists():
                element.text = str(here)
    for child in element:
        _make_absolute(child, folder, element.tag)
