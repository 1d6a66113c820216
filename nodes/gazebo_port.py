"""gazebo_port: makes of what ros_gz_bridge carries the very port that the built-in simulator offers."""

from __future__ import annotations

import importlib

from geometry_msgs.msg import Pose, PoseStamped
from nav_msgs.msg import Odometry
from rclpy.client import Client
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.task import Future
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Float64

from outlap.errors import OutlapError
from outlap.files import Model
from outlap.gazebo.lens import Bend, pinhole
from outlap.gazebo.port import Motion, Place, Port, RealTime
from outlap.gazebo.wheels import JointCommands
from outlap.vehicle.car import load_car
from outlap.vehicle.command import FRAME

from .shared import topics
from .shared.incoming import Incoming
from .shared.messages import (
    CAMERA_FRAME,
    ODOMETRY_FRAME,
    to_camera_info,
    to_image,
    to_pixels,
    to_place,
    to_quaternion,
    to_seconds,
)
from .shared.program import OK, WARN, Diagnostics, read_parameters, run, seconds, steady_clock
from .shared.single_simulator import NEWCOMER, check_company
from .shared.statuses import GazeboPortStatus

# Gazebo's topics of the joints, in the order of JointCommands.
JOINTS = ("steering/left", "steering/right", *(f"wheel/{place}" for place in JointCommands._fields[2:]))
MODEL = "racecar"
SLOW = 0.95  # of real time, below which it is reported
REPEAT = 0.1  # s of steady time, after which an unchanged command is sent again: Gazebo may have begun to listen since


class Parameters(Model):
    """See config/drive.yaml."""

    car: str


class GazeboPortNode(Node):
    """Gazebo's topics in, /clock, odometry and the car's picture out; the port's commands in, joint commands out."""

    def __init__(self) -> None:
        super().__init__("gazebo_port", automatically_declare_parameters_from_overrides=True)
        car = load_car(read_parameters(self, Parameters).car)
        self._lens = car.camera.lens
        self._port = Port(car)
        self._steady = steady_clock()
        self._real_time, self._time = RealTime(), 0.0  # s, simulated
        self._service: Client | None = None
        self._missing = self._find_service()
        self._asked: Future | None = None
        self._told = ""
        self._clocks: Publisher | None = None  # offered once Gazebo is heard of: gazebo looks for others before
        self._odometry = topics.ODOMETRY.publisher(self)
        self._images = topics.SIM_IMAGE.publisher(self)
        self._infos = topics.SIM_CAMERA_INFO.publisher(self)
        self._joints = {joint: topics.gazebo_joint(joint).publisher(self) for joint in JOINTS}
        self._sent: tuple[tuple[float, ...], float] = ((), float("-inf"))  # the last commands, and steady s
        self._incoming = Incoming(self)
        topics.GAZEBO_ODOMETRY.subscription(self, self._step)
        self._bend: Bend | None = None  # until Gazebo has described its camera
        self._described = topics.GAZEBO_CAMERA_INFO.subscription(self, self._describe)
        topics.GAZEBO_IMAGE.subscription(self, self._picture)
        topics.STEERING.subscription(self, self._steer)
        topics.WHEEL_SPEED.subscription(self, self._turn)
        topics.SET_POSE.subscription(self, self._place)
        self._diagnostics = Diagnostics(self, self._status)

    def _step(self, message: Odometry) -> None:
        heard = self._incoming.motion(message, topics.GAZEBO_ODOMETRY)
        if heard is None:
            return
        time, now = to_seconds(message.header.stamp), seconds(self._steady)
        step = self._port.step(time, Place(*heard[:3]), Motion(*heard[3:]))
        if step is None:
            return
        if self._clocks is None:
            check_company(self)
            self._clocks = topics.CLOCK.publisher(self)
        self._time = time
        self._real_time.add(now, time)
        self._clocks.publish(ClockMessage(clock=message.header.stamp))
        if step.shown:
            message.header.frame_id, message.child_frame_id = ODOMETRY_FRAME, FRAME
            message.twist.twist.angular.z = step.yaw_rate
            self._odometry.publish(message)
        self._command(tuple(step.joints), now)
        if step.put is not None:
            self._ask(step.put)

    def _command(self, joints: tuple[float, ...], now: float) -> None:
        if joints != self._sent[0] or now - self._sent[1] > REPEAT:
            self._sent = (joints, now)
            for publisher, value in zip(self._joints.values(), joints, strict=True):
                publisher.publish(Float64(data=value))

    def _steer(self, message: Float64) -> None:
        self._port.steer(message.data)

    def _turn(self, message: Float64) -> None:
        self._port.turn(message.data)

    def _describe(self, message: CameraInfo) -> None:
        if self._bend is None:
            try:
                self._bend = Bend(self._lens, pinhole(message.width, message.height, list(message.k)))
            except ValueError as error:
                raise OutlapError(f"what Gazebo says of its camera is no pinhole's: {error}.") from error
            self.destroy_subscription(self._described)

    def _picture(self, message: Image) -> None:
        if self._bend is None:
            return
        try:
            picture = self._bend(to_pixels(message))
        except ValueError as error:
            raise OutlapError(f"Gazebo's picture cannot be used: {error}.") from error
        self._images.publish(to_image(message.header.stamp, CAMERA_FRAME, picture))
        self._infos.publish(to_camera_info(message.header.stamp, CAMERA_FRAME, self._lens))

    def _place(self, message: PoseStamped) -> None:
        if (place := to_place(message.pose)) is not None:
            self._port.place(Place(*place))

    def _ask(self, place: Place) -> None:
        if self._service is None:
            raise OutlapError(f"the car cannot be put anywhere: {self._missing}")
        request = self._request()
        request.entity.name, request.entity.type = MODEL, request.entity.MODEL
        request.pose = Pose(orientation=to_quaternion(place.yaw))
        request.pose.position.x, request.pose.position.y = place.x, place.y
        if self._asked is not None:
            self._service.remove_pending_request(self._asked)
        self._asked = self._service.call_async(request)

    def _find_service(self) -> str:
        """Have Gazebo's service as the bridge offers it; else what is missing for it. The rest works without."""
        try:
            kind = importlib.import_module("ros_gz_interfaces.srv").SetEntityPose
        except ImportError as error:
            missing = (
                f"ROS's package ros_gz_interfaces cannot be imported ({error}): install ros-jazzy-ros-gz-interfaces, "
                "which ros-jazzy-ros-gz brings."
            )
            self.get_logger().warning(missing)
            return missing
        self._service, self._request = topics.gazebo_service("set_pose", kind).client(self), kind.Request
        return ""

    def _status(self) -> tuple[bytes, str, GazeboPortStatus]:
        if self._clocks is not None and self._time < NEWCOMER:
            check_company(self, own=1)
        if self._port.trouble != self._told:
            self._told = self._port.trouble
            if self._told:
                self.get_logger().error(self._told)
        factor = self._real_time.factor(seconds(self._steady))
        ready = self._service is not None and self._service.service_is_ready()
        values = GazeboPortStatus(real_time_factor=factor, time_s=self._time, set_pose=ready)
        if self._clocks is None:
            return WARN, "nothing heard of Gazebo yet", values
        pace = "time stands still" if factor == 0 else f"slower than real time: {factor:.2f}"
        message = self._told or (pace if factor < SLOW else "running")
        return OK if message == "running" else WARN, message, values


def main() -> None:
    run(GazeboPortNode)


if __name__ == "__main__":
    main()
