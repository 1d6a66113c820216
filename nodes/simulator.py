"""simulator: steps the built-in world in real time and offers the port that Gazebo offers too."""

from __future__ import annotations

import math
from typing import Annotated

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from pydantic import Field
from rclpy.executors import Executor
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage
from std_msgs.msg import Float64

from outlap.errors import OutlapError
from outlap.files import Model
from outlap.simulation.clock import TICK
from outlap.simulation.world import LookName, World
from outlap.timing import Pacer, Rate
from outlap.track.formats import load_track
from outlap.vehicle.car import load_car
from outlap.vehicle.command import FRAME

from .shared import topics
from .shared.messages import CAMERA_FRAME, ODOMETRY_FRAME, to_camera_info, to_image, to_place, to_quaternion, to_time
from .shared.program import OK, WARN, Diagnostics, read_parameters, run, seconds, steady_clock
from .shared.single_simulator import NEWCOMER, check_company, refuse_company
from .shared.statuses import SimulatorStatus

SLOW = 0.95  # of real time, below which it is reported


class Parameters(Model):
    """See config/drive.yaml."""

    track: str
    car: str
    seed: int
    look: LookName
    rate: Annotated[float, Field(ge=1)]  # Hz


class SimulatorNode(Node):
    """The world in, /clock, images and odometry out."""

    def __init__(self) -> None:
        super().__init__("simulator", automatically_declare_parameters_from_overrides=True)
        parameters = read_parameters(self, Parameters)
        car = load_car(parameters.car)
        ticks, self._every = round(1 / (parameters.rate * TICK)), round(1 / (car.camera.rate * TICK))
        if not math.isclose(ticks * parameters.rate * TICK, 1, rel_tol=1e-6):
            raise OutlapError(
                f"parameters of {self.get_fully_qualified_name()}: rate {parameters.rate:g} Hz must divide the "
                f"simulation's {1 / TICK:.0f} Hz."
            )
        # Of whole ticks, too, is then the time from one picture to the next.
        if self._every % ticks or not math.isclose(self._every * car.camera.rate * TICK, 1, rel_tol=1e-6):
            raise OutlapError(
                f"parameters of {self.get_fully_qualified_name()}: rate {parameters.rate:g} Hz must be a multiple of "
                f"the car's camera.rate, {car.camera.rate:g} Hz."
            )
        self._lens = car.camera.lens
        self._period = ticks * TICK  # s
        self._world = World(load_track(parameters.track), car, parameters.seed, parameters.look)
        self._warm_up()
        refuse_company(self)
        self._clocks = topics.CLOCK.publisher(self)
        self._steering, self._wheel_speed = 0.0, 0.0  # rad, rad/s
        self._images = topics.SIM_IMAGE.publisher(self)
        self._infos = topics.SIM_CAMERA_INFO.publisher(self)
        self._odometry = topics.ODOMETRY.publisher(self)
        topics.STEERING.subscription(self, self._set_steering)
        topics.WHEEL_SPEED.subscription(self, self._set_wheel_speed)
        topics.SET_POSE.subscription(self, self._set_pose)
        self._steady = steady_clock()
        self._rate = Rate()
        self._diagnostics = Diagnostics(self, self._status)
        self._pacer = Pacer(self._period, seconds(self._steady))

    def spin_once(self, executor: Executor) -> None:
        """Handle messages until the next step is due, then make it."""
        wait = self._pacer.wait(seconds(self._steady))
        executor.spin_once(timeout_sec=wait)
        now = seconds(self._steady)
        if now >= self._pacer.deadline:
            self._pacer.stepped(now)
            self._rate.add(now)
            self._step()

    def _warm_up(self) -> None:
        """Compile what is compiled on first use, before the clock starts."""
        pose = self._world.start_pose
        self._world.place(*pose)
        self._world.step(self._period, 0.0, 0.0)
        self._world.image()
        self._world.place(*pose)

    def _step(self) -> None:
        world = self._world
        world.step(self._period, self._steering, self._wheel_speed)
        stamp = to_time(world.time)
        self._clocks.publish(ClockMessage(clock=stamp))
        odometry, state = Odometry(), world.state
        odometry.header.stamp, odometry.header.frame_id, odometry.child_frame_id = stamp, ODOMETRY_FRAME, FRAME
        odometry.pose.pose.position.x, odometry.pose.pose.position.y = float(state.x), float(state.y)
        odometry.pose.pose.orientation = to_quaternion(float(state.yaw))
        odometry.twist.twist.linear.x = float(state.speed)
        odometry.twist.twist.linear.y = float(state.lateral_speed)
        odometry.twist.twist.angular.z = float(state.yaw_rate)
        self._odometry.publish(odometry)
        if world.ticks % self._every == 0:
            self._images.publish(to_image(stamp, CAMERA_FRAME, world.image()))
            self._infos.publish(to_camera_info(stamp, CAMERA_FRAME, self._lens))

    def _set_steering(self, message: Float64) -> None:
        if math.isfinite(message.data):
            self._steering = message.data

    def _set_wheel_speed(self, message: Float64) -> None:
        if math.isfinite(message.data):
            self._wheel_speed = message.data

    def _set_pose(self, message: PoseStamped) -> None:
        if (place := to_place(message.pose)) is not None:
            self._world.place(*place)

    def _status(self) -> tuple[bytes, str, SimulatorStatus]:
        # On a busy machine discovery can take longer than the wait before the start; then the newcomer still leaves.
        if self._world.time < NEWCOMER:
            check_company(self, own=1)
        factor = self._rate.hertz(seconds(self._steady)) * self._period
        slow = 0 < factor < SLOW
        message = f"slower than real time: {factor:.2f}" if slow else "running"
        return WARN if slow else OK, message, SimulatorStatus(real_time_factor=factor, time_s=self._world.time)


def main() -> None:
    run(SimulatorNode)


if __name__ == "__main__":
    main()
