"""The car's description: a real parser's opinion, and masses, inertias, dimensions and camera as in the car file."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import xacro
import yaml
from numpy.typing import NDArray

from outlap.camera.model import mount_rotation, project, rays
from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.gazebo.lens import pinhole
from outlap.gazebo.model import car_sdf, car_urdf
from outlap.gazebo.wheels import joint_commands
from outlap.vehicle.car import GRAVITY, Car, Lens, load_car
from outlap.vehicle.outline import wheel_places

Array = NDArray[np.float64]
LINKS = {
    "base_link",
    "chassis",
    "front_left_steering",
    "front_right_steering",
    "front_left_wheel",
    "front_right_wheel",
    "rear_left_wheel",
    "rear_right_wheel",
    "camera_link",
    "camera_optical_frame",
}
JOINTS = {
    "chassis_joint": "fixed",
    "camera_joint": "fixed",
    "camera_optical_joint": "fixed",
    "front_left_steering_joint": "revolute",
    "front_right_steering_joint": "revolute",
    "front_left_wheel_joint": "continuous",
    "front_right_wheel_joint": "continuous",
    "rear_left_wheel_joint": "continuous",
    "rear_right_wheel_joint": "continuous",
}
# Cars of all shapes, as changes of the shipped one.
CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "big": {
        "body": {
            "length": 1.2,
            "width": 0.7,
            "height": 0.5,
            "mass": 40.0,
            "yaw_inertia": 6.0,
            "centre_of_mass": 0.35,
            "rear_overhang": 0.2,
        },
        "axles": {"wheelbase": 0.8, "track": 0.55, "wheel_radius": 0.12},
    },
    "tiny": {
        "body": {
            "length": 0.07,
            "width": 0.05,
            "height": 0.04,
            "mass": 0.09,
            "yaw_inertia": 4e-5,
            "centre_of_mass": 0.02,
        },
        "axles": {"wheelbase": 0.045, "track": 0.04, "wheel_radius": 0.008},
    },
    "heavy middle": {"body": {"yaw_inertia": 0.002}},
    "heavy ends": {"body": {"yaw_inertia": 0.04}},
    "heavy front": {"body": {"centre_of_mass": 0.15}},
    "narrow": {"body": {"width": 0.159}},
    "high wheels": {"axles": {"wheel_radius": 0.09}, "body": {"height": 0.05}},
    "sharp turns": {"steering": {"max_angle": 1.19}},
    "other mount": {"camera": {"x": -0.1, "y": 0.05, "roll": 0.2, "yaw": -0.3, "pitch": 0.5}},
}


@pytest.fixture
def car_file(tmp_path: Path) -> Callable[..., Path]:
    """``car_file(changes)``: a file of the shipped car with these changes, at a place with an odd name."""

    def make(changes: dict[str, dict[str, Any]], name: str = "ma voiture é ${x} $(env HOME) 'q' \"p\" #1.yaml") -> Path:
        content = yaml.safe_load((share_directory() / "config" / "cars" / "deepracer.yaml").read_text())
        del content["actuator"]  # a real one reaches only so far
        for part, keys in changes.items():
            content[part] |= keys
        path = tmp_path / name
        path.write_text(yaml.safe_dump(content))
        return path

    return make


def numbers(text: str | None) -> Array:
    return np.array([float(number) for number in (text or "0 0 0").split()])


def part(element: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = element.find(tag)
    assert found is not None, f"<{element.tag}> without <{tag}>"
    return found


def places(robot: ElementTree.Element) -> dict[str, tuple[Array, Array]]:
    """Of every link, with all joints at zero: rotation (3, 3) and place (3,) in base_link."""
    found = {"base_link": (np.eye(3), np.zeros(3))}
    joints = robot.findall("joint")
    while len(found) < len(robot.findall("link")):
        for joint in joints:
            parent, child = (part(joint, end).attrib["link"] for end in ("parent", "child"))
            origin = joint.find("origin")
            attributes = {} if origin is None else origin.attrib
            if parent in found and child not in found:
                roll, pitch, yaw = numbers(attributes.get("rpy"))
                turn = mount_rotation(pitch, roll, yaw) @ mount_rotation(0.0).T
                rotation, place = found[parent]
                found[child] = (rotation @ turn, place + rotation @ numbers(attributes.get("xyz")))
    return found


def bodies(robot: ElementTree.Element) -> dict[str, tuple[float, Array, Array]]:
    """Of every link that has a mass: kg, centre of mass (3,) in base_link, inertia (3, 3) about it."""
    found = {}
    for link in robot.findall("link"):
        inertial = link.find("inertial")
        if inertial is None:
            continue
        origin, inertia = inertial.find("origin"), part(inertial, "inertia").attrib
        xyz = numbers(None if origin is None else origin.get("xyz"))
        i = {key: float(value) for key, value in inertia.items()}
        tensor = np.array(
            [[i["ixx"], i["ixy"], i["ixz"]], [i["ixy"], i["iyy"], i["iyz"]], [i["ixz"], i["iyz"], i["izz"]]]
        )
        rotation, place = places(robot)[link.attrib["name"]]
        mass = float(part(inertial, "mass").attrib["value"])
        found[link.attrib["name"]] = (mass, place + rotation @ xyz, rotation @ tensor @ rotation.T)
    return found


@pytest.fixture(params=[*sorted(path.stem for path in (share_directory() / "config/cars").glob("*.yaml")), *CHANGES])
def described(request: pytest.FixtureRequest, car_file: Callable[..., Path]) -> tuple[Car, str]:
    """A car, shipped or changed, and its description."""
    name = car_file(CHANGES[request.param]) if request.param in CHANGES else request.param
    return load_car(name), car_urdf(name)


def test_a_real_parser_takes_it(described: tuple[Car, str], tmp_path: Path) -> None:
    if shutil.which("check_urdf") is None:
        pytest.skip("needs check_urdf: apt install liburdfdom-tools")
    path = tmp_path / "racecar.urdf"
    path.write_text(described[1])
    result = subprocess.run(["check_urdf", str(path)], capture_output=True, text=True)
    assert result.returncode == 0 and "Successfully Parsed XML" in result.stdout, result.stdout + result.stderr
    assert "root Link: base_link has 6 child(ren)" in result.stdout


def test_it_has_the_links_and_joints_that_others_rely_on(described: tuple[Car, str]) -> None:
    robot = ElementTree.fromstring(described[1])
    assert robot.get("name") == "racecar"
    assert {link.get("name") for link in robot.findall("link")} == LINKS
    assert {joint.get("name"): joint.get("type") for joint in robot.findall("joint")} == JOINTS
    for joint in robot.findall("joint"):
        axis = joint.find("axis")
        if axis is not None:
            assert axis.get("xyz") == ("0 0 1" if "steering" in joint.attrib["name"] else "0 1 0")


def test_mass_centre_and_yaw_inertia_are_the_cars(described: tuple[Car, str]) -> None:
    car, text = described
    parts = bodies(ElementTree.fromstring(text)).values()
    mass = sum(part for part, _, _ in parts)
    centre = sum(part * place for part, place, _ in parts) / mass
    yaw = sum(tensor[2, 2] + part * float(np.sum((place - centre)[:2] ** 2)) for part, place, tensor in parts)
    assert mass == pytest.approx(car.body.mass)
    assert centre[:2] == pytest.approx((car.body.centre_of_mass, 0), abs=1e-9)
    assert 0 < centre[2] < max(car.body.height, 2 * car.axles.wheel_radius)
    assert yaw == pytest.approx(car.body.yaw_inertia)


def test_every_inertia_is_one_that_a_body_can_have(described: tuple[Car, str]) -> None:
    for name, (mass, _, tensor) in bodies(ElementTree.fromstring(described[1])).items():
        assert mass > 0, name
        a, b, c = np.linalg.eigvalsh(tensor)
        assert a > 0 and a + b >= c * (1 - 1e-9), name
        # Radii of gyration, of a wheel against the wheel's size and of the chassis against the car's.
        reach = described[0].axles.wheel_radius if name != "chassis" else described[0].body.length
        assert 0.01 * reach < math.sqrt(c / mass) < 3 * reach, name


def test_wheels_and_camera_are_where_the_car_file_says(described: tuple[Car, str]) -> None:
    car, text = described
    where = places(ElementTree.fromstring(text))
    names = ("rear_left_wheel", "rear_right_wheel", "front_left_wheel", "front_right_wheel")
    assert np.array([where[name][1] for name in names]) == pytest.approx(
        np.column_stack([wheel_places(car, 0, 0, 0)[0], [car.axles.wheel_radius] * 4])
    )
    camera = car.camera
    rotation, place = where["camera_optical_frame"]
    assert place == pytest.approx((camera.x, camera.y, camera.height))
    assert rotation == pytest.approx(mount_rotation(camera.pitch, camera.roll, camera.yaw), abs=1e-12)


def test_the_front_wheels_can_turn_as_far_as_the_servo(described: tuple[Car, str]) -> None:
    car, text = described
    limits = {
        joint.attrib["name"]: part(joint, "limit").attrib
        for joint in ElementTree.fromstring(text).findall("joint")
        if joint.get("type") != "fixed"
    }
    commands = joint_commands(car, car.steering.max_angle, car.wheel_speed(car.drive.max_speed))
    for side in ("left", "right"):
        limit = limits[f"front_{side}_steering_joint"]
        assert float(limit["lower"]) < -commands.steering_left < commands.steering_left < float(limit["upper"])
    for name, wheel_speed in zip(commands._fields[2:], commands[2:], strict=True):
        assert abs(wheel_speed) < float(limits[f"{name}_wheel_joint"]["velocity"])


def test_motors_and_tyres_are_the_car_files(described: tuple[Car, str]) -> None:
    car, robot = described[0], ElementTree.fromstring(described[1])
    motors = [plugin for plugin in robot.iter("plugin") if "::JointController" in plugin.attrib["name"]]
    gain = sum(value(motor, "p_gain") for motor in motors) / car.axles.wheel_radius**2  # N per m/s
    spin = {name: float(tensor[1, 1]) for name, (_, _, tensor) in bodies(robot).items() if name.endswith("_wheel")}
    moved = car.body.mass + sum(spin.values()) / car.axles.wheel_radius**2
    assert len(motors) == len(spin) == 4
    assert moved / gain == pytest.approx(car.drive.time_constant)
    push = sum(value(motor, "cmd_max") for motor in motors) / car.axles.wheel_radius / moved
    assert push > max(car.drive.max_acceleration, car.drive.max_deceleration)
    tyres = list(robot.iter("wheel"))
    assert sum(value(tyre, "wheel_normal_force") for tyre in tyres) == pytest.approx(car.body.mass * GRAVITY)
    for tyre in tyres:
        assert 1 / value(tyre, "slip_compliance_lateral") == pytest.approx(car.tyres.cornering_stiffness)
    frictions = {float(element.text or "nan") for name in ("mu1", "mu2") for element in robot.iter(name)}
    assert frictions == {car.tyres.friction}


def sensor_of(text: str) -> ElementTree.Element:
    (sensor,) = ElementTree.fromstring(text).iter("sensor")
    return sensor


def value(element: ElementTree.Element, path: str) -> float:
    return float(element.findtext(path) or "nan")


def drawn(sensor: ElementTree.Element) -> Lens:
    """The pinhole that Gazebo draws, as it will describe it."""
    width, height = int(value(sensor, "camera/image/width")), int(value(sensor, "camera/image/height"))
    focal = width / 2 / math.tan(value(sensor, "camera/horizontal_fov") / 2)
    return pinhole(width, height, [focal, 0, width / 2, 0, focal, height / 2, 0, 0, 1])


LENSES = {
    "the DeepRacer's": {},
    "distorted": {"distortion": (-0.02, 0.003, 0.0, 0.0)},
    "off-centre pinhole": {"model": "pinhole", "fx": 150, "fy": 155, "cx": 75, "cy": 58.5, "distortion": ()},
    "distorted pinhole": {"model": "pinhole", "fx": 120, "fy": 120, "distortion": (-0.1, 0.01)},
    "large": {"width": 1280, "height": 960, "fx": 640, "fy": 640, "cx": 639.5, "cy": 479.5},
}


@pytest.mark.parametrize("change", LENSES.values(), ids=LENSES.keys())
def test_what_gazebo_draws_holds_all_that_the_cars_lens_sees(
    car: Car, car_file: Callable[..., Path], change: dict
) -> None:
    lens = car.camera.lens.model_copy(update=change)
    sensor = sensor_of(car_urdf(car_file({"camera": {"lens": lens.model_dump(mode="json")}})))
    assert sensor.get("type") == "camera"
    assert value(sensor, "update_rate") == car.camera.rate
    seen = drawn(sensor)
    x, y = np.moveaxis(project(seen, rays(lens)), -1, 0)
    assert -0.6 <= x.min() <= x.max() <= seen.width - 0.4
    assert -0.6 <= y.min() <= y.max() <= seen.height - 0.4
    assert max(seen.width, seen.height) <= 1281
    if max(seen.width, seen.height) < 1200:
        assert seen.fx == pytest.approx(max(lens.fx, lens.fy), rel=0.01), "as fine as the car's in the middle"


def test_a_lens_as_wide_as_a_half_sphere_is_drawn_as_far_as_a_plane_goes(
    car: Car, car_file: Callable[..., Path]
) -> None:
    lens = car.camera.lens.model_copy(update={"fx": 50.0, "fy": 50.0})
    seen = drawn(sensor_of(car_urdf(car_file({"camera": {"lens": lens.model_dump(mode="json")}}))))
    assert math.atan(math.hypot(seen.width, seen.height) / 2 / seen.fx) == pytest.approx(1.3, abs=0.01)


def test_gazebos_own_reader_takes_it(
    described: tuple[Car, str], tmp_path: Path, read_sdf: Callable[..., list[str]]
) -> None:
    """As Gazebo converts it, with fixed joints melted away. The camera must leave out every part of the car's looks."""
    path = tmp_path / "racecar.urdf"
    path.write_text(described[1])
    rows = [line.split() for line in read_sdf(path)]
    held = {kind: [row[1:] for row in rows if row[0] == kind] for kind in ("joint", "link", "visual", "sensor")}
    assert {name for (name,) in held["joint"]} == {name for name, kind in JOINTS.items() if kind != "fixed"}
    assert sum(float(mass) for _, mass in held["link"]) == pytest.approx(described[0].body.mass, rel=1e-4)
    ((name, kind, mask),) = held["sensor"]
    assert (name, kind) == ("camera", "camera")
    assert len(held["visual"]) == 7
    assert not [name for name, flags in held["visual"] if int(flags) & int(mask)]


def test_bare_xacro_says_the_same(tmp_path: Path) -> None:
    """As robot_state_publisher's users call it: with no car file, or with one as a person writes it."""
    description = str(share_directory() / "urdf" / "racecar.urdf.xacro")

    def elements(text: str) -> list[tuple[str, dict[str, str], str]]:
        return [(e.tag, e.attrib, (e.text or "").strip()) for e in ElementTree.fromstring(text).iter()]

    assert elements(xacro.process_file(description).toxml()) == elements(car_urdf())
    text = (share_directory() / "config" / "cars" / "deepracer.yaml").read_text()
    bare = "\n".join(line for line in text.splitlines() if not line.strip().startswith(("roll:", "yaw:", "y:")))
    path = tmp_path / "bare.yaml"
    path.write_text(bare.replace("mass: 1.5 ", "mass: 15e-1 "))
    arguments = {"car_file": str(path)}
    assert elements(xacro.process_file(description, mappings=arguments).toxml()) == elements(car_urdf(path))


def test_a_wrong_car_file_is_told_as_such(tmp_path: Path, car_file: Callable[..., Path]) -> None:
    with pytest.raises(OutlapError, match=r"body\.mass: Input should be greater than 0"):
        car_urdf(car_file({"body": {"mass": -1}}, "car.yaml"))
    with pytest.raises(OutlapError, match="there is no car named 'nobody'"):
        car_urdf("nobody")
    with pytest.raises(OutlapError, match="cannot read the car file"):
        car_urdf(tmp_path / "none.yaml")


def test_without_gazebo_the_conversion_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutlapError, match=r"`gz` is missing: install Gazebo Harmonic \(apt install ros-jazzy-ros-gz\)"):
        car_sdf("<robot name='racecar'/>")
