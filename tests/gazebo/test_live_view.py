"""What Gazebo's camera sees is what the built-in one sees from the same place: the same way round, size and grey."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outlap.gazebo.assemble import assemble
from outlap.gazebo.lens import Bend, pinhole
from outlap.gazebo.model import car_sdf, car_urdf
from outlap.gazebo.program import gazebo_command
from outlap.simulation.world import World
from outlap.track.formats import load_track
from outlap.vehicle.car import Lens, load_car

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("gazebo")]
CAMERA = "/gazebo/camera"
PLACE = (4.624, 1.965, -2.834)  # m, m, rad: on the track's hairpins, before a bend, where nothing is symmetric


def gz(*words: str, environment: dict[str, str]) -> str:
    """What Gazebo's command prints."""
    done = subprocess.run(["gz", *words], env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def last(topic: str, count: int, environment: dict[str, str]) -> dict[str, Any]:
    """The message of a topic that comes as the ``count``th from now on."""
    printed = gz("topic", "-e", "-t", topic, "-n", str(count), "--json-output", environment=environment)
    return json.loads(printed.strip().splitlines()[-1])


def seen(path: Path, lens: Lens, environment: dict[str, str]) -> np.ndarray:
    """What Gazebo's car sees when it has come to rest on its wheels, through its own lens as the port makes it."""
    with (path.parent / "log").open("w") as log:
        server = subprocess.Popen(
            gazebo_command(path, True), env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            # Who listens before the topic is there hears nothing.
            until = time.monotonic() + 60
            while f"{CAMERA}/image_raw" not in gz("topic", "-l", environment=environment).split():
                assert server.poll() is None and time.monotonic() < until, (path.parent / "log").read_text()
            picture = last(f"{CAMERA}/image_raw", 15, environment)
            matrix = last(f"{CAMERA}/camera_info", 1, environment)["intrinsics"]["k"]
        finally:
            os.killpg(server.pid, signal.SIGINT)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
    width, height = picture["width"], picture["height"]
    pixels = np.frombuffer(base64.b64decode(picture["data"]), np.uint8).reshape(height, width, 3)
    return Bend(lens, pinhole(width, height, matrix))(pixels)


@pytest.mark.timeout(150)
def test_both_simulators_show_the_same(tmp_path: Path) -> None:
    car = load_car("deepracer")
    path = tmp_path / "all.sdf"
    path.write_text(assemble("hairpins", car_sdf(car_urdf("deepracer")), tmp_path / "scratch", PLACE))
    environment = {**os.environ, "GZ_PARTITION": f"outlap-test-{os.getpid()}"}
    theirs = seen(path, car.camera.lens, environment).astype(float)
    world = World(load_track("hairpins"), car)
    world.place(*PLACE)
    ours = world.image().astype(float)
    assert theirs.shape == ours.shape

    def alike(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.corrcoef(one.mean(axis=-1).ravel(), other.mean(axis=-1).ravel())[0, 1])

    assert alike(ours, theirs) > 0.96
    # Mirrored, or seen from a place a little to the side or turned a little, it is less alike.
    assert alike(ours[:, ::-1], theirs) < 0.9
    for x, y, yaw in ((0.15, 0, 0), (0, 0.15, 0), (0, 0, 0.1), (0, 0, -0.1)):
        world.place(PLACE[0] + x, PLACE[1] + y, PLACE[2] + yaw)
        assert alike(world.image().astype(float), theirs) < alike(ours, theirs) - 0.01
    for low, high in ((0, 25), (60, 85), (85, 120)):  # rows of sky and wall, of the road further away and near
        assert theirs[low:high].mean() == pytest.approx(ours[low:high].mean(), rel=0.1)
