"""A recording as a Donkeycar writes it, of a simulated drive; and a policy that learned to see from other pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from outlap.camera.model import rays
from outlap.camera.view import View
from outlap.policy.contract import Action, Contract, Envelope, Observation
from outlap.policy.file import write_policy
from outlap.policy.observation import frames_to_tensor
from outlap.simulation.dressing import draw_looks, settle
from outlap.simulation.fleet import Fleet, Mounts, road_bounds
from outlap.simulation.randomization import load_randomization
from outlap.simulation.rendering.ground import GroundMaps
from outlap.simulation.rendering.look import Looks
from outlap.simulation.rendering.render import Renderer
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import Camera, Car

Floats = NDArray[np.float64]

RATE = 20.0  # Hz, of a Donkeycar
SPEED = 1.2  # m/s
PREVIEW = 0.5  # m ahead, where the human looks
SHARPEST = 2.5  # 1/m, of the human's full lock
LIMIT = 3.3  # 1/m, of the policy


@dataclass
class Drive:
    """A drive round a track: where the car was, and what the human steered."""

    course: TrackSet
    car: Car
    s: Floats  # m along the lap
    offset: Floats  # m to the left of the middle
    turn: Floats  # rad

    @property
    def steering(self) -> Floats:
        """The human's, -1 … 1, left positive: on an arc to a point ahead in the middle of the road."""
        return np.clip(pursuit(self.course, self.s, self.offset, self.turn) / SHARPEST, -1, 1)

    def pictures(self, camera: Camera, looks: Looks, channels: int = 1) -> NDArray[np.uint8]:
        """What ``camera`` saw, (n, H, W)."""
        fleet = Fleet(self.course, self.car, len(self.s))
        fleet.place(np.arange(fleet.n), 0, self.s, self.offset, self.turn)
        mounts = Mounts.alike(fleet.n, camera.x, camera.height, camera.pitch)
        renderer = Renderer(rays(camera.lens), GroundMaps.of(self.course.tracks), channels, parallel=False)
        return fleet.pictures(renderer, mounts, looks)[..., 0]


def pursuit(course: TrackSet, s: Floats, offset: Floats, turn: Floats) -> Floats:
    """Curvature (n,) in 1/m, left positive, of the arc to the road's middle ``PREVIEW`` m ahead."""
    zero = np.zeros(len(s), dtype=int)
    here, heading = course.pose(zero, s, offset)
    ahead, _ = course.pose(zero, (s + PREVIEW) % course.length[0], np.zeros(len(s)))
    way, yaw = ahead - here, heading + turn
    left = -np.sin(yaw) * way[:, 0] + np.cos(yaw) * way[:, 1]
    return 2 * left / (way**2).sum(axis=1)


@pytest.fixture(scope="session")
def course() -> TrackSet:
    return TrackSet([load_track("hairpins")])


@pytest.fixture(scope="session")
def drive(course: TrackSet, car: Car) -> Callable[[float], Drive]:
    """``drive(seconds)``: weaving a little, as people do."""

    def make(seconds: float) -> Drive:
        time = np.arange(0, seconds, 1 / RATE)
        offset = 0.08 * np.sin(1.7 * time)
        turn = np.arctan2(0.08 * 1.7 * np.cos(1.7 * time), SPEED)
        return Drive(course, car, SPEED * time % course.length[0], offset, turn)

    return make


@pytest.fixture(scope="session")
def room(course: TrackSet) -> Callable[[int], Looks]:
    """``room(n)``: n times one busy room around the course."""

    def make(n: int) -> Looks:
        ranges = load_randomization("mild").look
        assert ranges is not None
        low, high = road_bounds(course)
        one = draw_looks(ranges, 1, np.random.default_rng(11))
        settle(one, course, np.zeros(1, dtype=np.int64), np.zeros(1), low, high)
        return one.part(np.zeros(n, dtype=np.int64))

    return make


WriteTub = Callable[..., Path]


@pytest.fixture(scope="session")
def write_tub() -> WriteTub:
    """``write_tub(folder, pictures, steering, catalogs=1, deleted=())``: a tub as Donkeycar 4 and 5 write it."""

    def write(
        folder: Path,
        pictures: NDArray[np.uint8],
        steering: Floats,
        catalogs: int = 1,
        deleted: tuple[int, ...] = (),
        stamps: Floats | None = None,
    ) -> Path:
        (folder / "images").mkdir(parents=True)
        stamps = np.arange(len(pictures)) / RATE if stamps is None else stamps
        names = [f"catalog_{number}.catalog" for number in range(catalogs)]
        for name, rows in zip(names, np.array_split(np.arange(len(pictures)), catalogs), strict=True):
            lines = []
            for row in rows.tolist():
                image = f"{row}_cam_image_array_.jpg"
                cv2.imwrite(str(folder / "images" / image), pictures[row])
                record = {
                    "_index": row,
                    "_session_id": "24-03-06_0",
                    "_timestamp_ms": round(1.7e12 + 1e3 * float(stamps[row])),
                    "cam/image_array": image,
                    "user/angle": -float(steering[row]),
                    "user/mode": "user",
                    "user/throttle": 0.2,
                }
                lines.append(json.dumps(record))
            (folder / name).write_text("\n".join(lines) + "\n")
        manifest = [
            ["cam/image_array", "user/angle", "user/throttle", "user/mode"],
            ["image_array", "float", "float", "str"],
            {},
            {"created_at": 1.7e9, "sessions": {"all_full_ids": ["24-03-06_0"], "last_id": 0}},
            {"paths": names, "current_index": len(pictures), "max_len": 1000, "deleted_indexes": list(deleted)},
        ]
        (folder / "manifest.json").write_text("\n".join(map(json.dumps, manifest)) + "\n")
        return folder

    return write


@pytest.fixture(scope="session")
def recording(
    tmp_path_factory: pytest.TempPathFactory,
    drive: Callable[[float], Drive],
    room: Callable[[int], Looks],
    write_tub: WriteTub,
    car: Car,
) -> Path:
    """45 s in two catalogs, of which frames 200 to 259 show nonsense and are erased."""
    driven = drive(45)
    pictures = driven.pictures(car.camera, room(len(driven.s)))
    steering = driven.steering.copy()
    steering[200:260] *= -1
    folder = tmp_path_factory.mktemp("footage") / "tub"
    return write_tub(folder, pictures, steering, 2, tuple(range(200, 260)))


@pytest.fixture(scope="session")
def seeing_policy(
    tmp_path_factory: pytest.TempPathFactory, course: TrackSet, car: Car, room: Callable[[int], Looks]
) -> Path:
    """A linear policy, fitted to canonical views of the course and their mirror pictures."""
    rng = np.random.default_rng(0)
    n, view = 500, View()
    drive = Drive(
        course, car, rng.uniform(0, course.length[0], n), rng.uniform(-0.15, 0.15, n), rng.uniform(-0.3, 0.3, n)
    )
    camera = car.camera.model_copy(update={"height": view.camera_height, "pitch": view.pitch, "lens": view.lens})
    views = drive.pictures(camera, room(n))
    wanted = np.clip(pursuit(course, drive.s, drive.offset, drive.turn), -LIMIT, LIMIT)
    seen = frames_to_tensor(np.concatenate([views, views[..., ::-1]])).reshape(2 * n, -1).astype(float)
    kernel = seen @ seen.T
    weights = seen.T @ np.linalg.solve(kernel + 2e3 * np.eye(2 * n), np.concatenate([wanted, -wanted]))
    contract = Contract(
        observation=Observation(view=view, frame_offsets=(0, 2), commands=2),
        action=Action(curvature_limit=LIMIT, speed_min=0.0, speed_limit=2.0),
        rate_hz=30.0,
        envelope=Envelope(max_curvature=LIMIT, max_speed=2.0, latency=(0.0, 0.1), camera_height=(0.08, 0.2)),
        car="deepracer",
        recipe="ridge",
        seed=0,
    )
    path = tmp_path_factory.mktemp("seeing") / "policy.onnx"
    write_policy(path, _linear(contract, weights.astype(float)).SerializeToString(), contract)
    return path


def _linear(contract: Contract, weights: Floats) -> onnx.ModelProto:
    """Curvature is linear in the newest picture, speed 1 m/s."""
    (_, height, width), (count, _) = contract.frames_shape, contract.commands_shape
    picture = np.zeros((2, height * width, 2))
    picture[0, :, 0] = weights
    constants = {
        "picture": picture.reshape(-1, 2),
        "memory": np.zeros((2 * count, 2)),
        "speed": np.array([0.0, 1.0]),
        "least": np.array(-LIMIT),
        "most": np.array(LIMIT),
    }
    nodes = [
        helper.make_node("Flatten", ["frames"], ["frames.flat"]),
        helper.make_node("Flatten", ["commands"], ["commands.flat"]),
        helper.make_node("MatMul", ["frames.flat", "picture"], ["seen"]),
        helper.make_node("MatMul", ["commands.flat", "memory"], ["remembered"]),
        helper.make_node("Add", ["seen", "remembered"], ["sum"]),
        helper.make_node("Add", ["sum", "speed"], ["wish"]),
        helper.make_node("Clip", ["wish", "least", "most"], ["action"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [
            helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["N", *contract.frames_shape]),
            helper.make_tensor_value_info("commands", TensorProto.FLOAT, ["N", *contract.commands_shape]),
        ],
        [helper.make_tensor_value_info("action", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
