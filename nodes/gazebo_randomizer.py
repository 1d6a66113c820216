"""gazebo_randomizer: changes Gazebo's scenery and light when the car is put somewhere, and now and then as it drives;
with some of the first, the car, too."""

from __future__ import annotations

import importlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped
from nav_msgs.msg import Odometry
from pydantic import Field
from rclpy.node import Node

from outlap.errors import OutlapError
from outlap.files import Model
from outlap.gazebo.assemble import MODEL, WORLD_SUFFIXES
from outlap.gazebo.randomize import PLAIN, draw_episode, drawn_car, scenery
from outlap.scratch import Scratch
from outlap.simulation.randomization import load_randomization
from outlap.track.formats import load_track
from outlap.vehicle.car import load_car

from .shared import topics
from .shared.messages import to_place
from .shared.program import OK, Diagnostics, read_parameters, run, seconds, steady_clock
from .shared.statuses import GazeboRandomizerStatus

NICENESS = 10  # of the thread that draws: the car that drives must not wait for it
TICK = 0.05  # s, steady
SETTLE = 0.2  # s, steady, from the car's removal to the new one: Gazebo removes at the end of a step
ASK_AGAIN = 1.0  # s, steady, after which a car that has not come is asked for again


class Parameters(Model):
    """See config/drive.yaml."""

    world: str
    track: str
    car: str
    randomization: str
    seed: Annotated[int, Field(ge=0)]
    scenes: Annotated[int, Field(ge=2, le=100)]
    every: Annotated[float, Field(ge=0)]
    car_every: Annotated[int, Field(ge=0)]


class Scene(NamedTuple):
    """What there is to spawn."""

    scenery: dict[str, str]  # documents by name
    car: str


class GazeboRandomizerNode(Node):
    """``sim/set_pose`` in, requests to Gazebo's services out, one after the other."""

    def __init__(self) -> None:
        super().__init__("gazebo_randomizer", automatically_declare_parameters_from_overrides=True)
        self._settings = parameters = read_parameters(self, Parameters)
        self._track, self._car = load_track(parameters.track or parameters.world), load_car(parameters.car)
        self._randomization = load_randomization(parameters.randomization)
        self._folder = Scratch("outlap-scenery-")
        self._types = _interfaces()
        self._create = topics.gazebo_service("create", self._types.SpawnEntity).client(self)
        self._remove = topics.gazebo_service("remove", self._types.DeleteEntity).client(self)
        # A world of somebody else's keeps its scenery: which of it is ground or light, nobody knows.
        self._ours = Path(parameters.world).suffix not in WORLD_SUFFIXES
        self._there = list(PLAIN) if self._ours else []
        self._pool = ThreadPoolExecutor(1, "scenes", initializer=os.nice, initargs=(NICENESS,))
        self._scenes: list[Future[Scene]] = [self._pool.submit(self._draw, k) for k in range(parameters.scenes)]
        self._shown = self._changes = self._placings = self._refused = 0
        self._steady = steady_clock()
        self._work: deque[Callable[[], Any]] = deque()  # each begins something; a future is waited for
        self._waiting: Any = None
        self._until = 0.0  # steady s, before which nothing is begun
        self._begun = 0.0  # steady s, when the car was last asked for
        self._listener: Any = None
        topics.SET_POSE.subscription(self, self._placed)
        self.create_timer(TICK, self._tick, clock=self._steady)
        if parameters.every:
            self._turn = self.create_timer(parameters.every, self._change)  # on the simulator's clock
        self._diagnostics = Diagnostics(self, self._status)

    def close(self) -> None:
        """End the thread that draws."""
        self._pool.shutdown(cancel_futures=True)
        self._folder.close()

    def _draw(self, number: int) -> Scene:
        rng = np.random.default_rng([self._settings.seed, number])
        episode = draw_episode(self._randomization, self._track, self._car, rng)
        documents = scenery(self._track, episode, self._folder.path, str(number)) if self._ours else {}
        return Scene(documents, drawn_car(episode))

    def _placed(self, message: PoseStamped) -> None:
        """An episode begins."""
        if to_place(message.pose) is None:
            return  # the simulator puts it nowhere
        self._placings += 1
        every = self._settings.car_every
        self._change(message.pose if every and self._placings % every == 0 else None)

    def _change(self, pose: Pose | None = None) -> None:
        """Show the next scene; where a pose is given, put a new car there."""
        scene = self._scenes[self._shown % len(self._scenes)]
        if self._work or self._waiting is not None or self._listener is not None or not scene.done():
            return  # the next time, then
        drawn = scene.result()
        self._shown += 1
        self._work += [lambda name=name, text=text: self._spawn(name, text) for name, text in drawn.scenery.items()]
        self._work += [lambda name=name: self._delete(name) for name in self._there if drawn.scenery]
        self._there = list(drawn.scenery)
        if pose is not None:
            self._work += [
                lambda: self._delete(MODEL),
                lambda: self._wait(SETTLE),
                lambda: self._renew(drawn.car, pose),
            ]
        self._work.append(self._told)

    def _tick(self) -> None:
        now = seconds(self._steady)
        for scene in self._scenes:
            if scene.done() and (error := scene.exception()) is not None:
                raise error
        if self._listener is not None and now > self._begun + ASK_AGAIN:
            self._again()
        if self._waiting is not None and not self._waiting.done():
            return
        if self._waiting is not None:
            self._refused += not self._waiting.result().success
            self._waiting = None
        while self._work and self._waiting is None and self._listener is None and seconds(self._steady) >= self._until:
            self._waiting = self._work.popleft()()

    def _spawn(self, name: str, text: str, pose: Pose | None = None) -> Any:
        request = self._types.SpawnEntity.Request()
        request.entity_factory.name, request.entity_factory.sdf = name, text
        request.entity_factory.pose = pose or Pose()
        return self._create.call_async(request)

    def _delete(self, name: str) -> Any:
        request = self._types.DeleteEntity.Request()
        entity = request.entity
        entity.name, entity.type = name, entity.LIGHT if "sun" in name else entity.MODEL
        return self._remove.call_async(request)

    def _wait(self, duration: float) -> None:
        self._until = seconds(self._steady) + duration

    def _renew(self, text: str, pose: Pose) -> None:
        """Spawn the car, again and again until it tells where it is."""
        self._again = lambda: self._ask_for_car(text, pose)
        self._listener = topics.GAZEBO_ODOMETRY.subscription(self, self._arrived)
        self._again()

    def _ask_for_car(self, text: str, pose: Pose) -> None:
        self._begun = seconds(self._steady)
        self._spawn(MODEL, text, pose)

    def _arrived(self, message: Odometry) -> None:
        if self._listener is not None:
            self.destroy_subscription(self._listener)
            self._listener = None

    def _told(self) -> None:
        self._changes += 1
        self.get_logger().info(f"scene {(self._shown - 1) % len(self._scenes)} is shown")

    def _status(self) -> tuple[bytes, str, GazeboRandomizerStatus]:
        drawn = sum(scene.done() for scene in self._scenes)
        values = GazeboRandomizerStatus(changes=self._changes, scenes=drawn, refused=self._refused)
        return OK, f"changed {self._changes} times", values


def _interfaces() -> Any:
    try:
        return importlib.import_module("ros_gz_interfaces.srv")
    except ImportError as error:
        raise OutlapError(
            f"ROS's package ros_gz_interfaces cannot be imported ({error}): install ros-jazzy-ros-gz-interfaces, "
            "which ros-jazzy-ros-gz brings."
        ) from error


def main() -> None:
    run(GazeboRandomizerNode)


if __name__ == "__main__":
    main()
