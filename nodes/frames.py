"""frames: tells RViz and others where the car and its joints are: odom to base_link, and what the motor last sent."""

from __future__ import annotations

import importlib

from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import JointState

from outlap.errors import OutlapError
from outlap.files import Model
from outlap.gazebo.wheels import joint_commands
from outlap.vehicle.car import load_car

from .shared import topics
from .shared.incoming import Incoming
from .shared.program import read_parameters, run

# The joints of urdf/racecar.urdf.xacro that turn, and of JointCommands those that they follow.
STEERED = {"front_left_steering_joint": "steering_left", "front_right_steering_joint": "steering_right"}
ROLLING = {f"{wheel}_wheel_joint": wheel for wheel in ("front_left", "front_right", "rear_left", "rear_right")}


class Parameters(Model):
    """See config/drive.yaml."""

    car: str


class FramesNode(Node):
    """Ground truth and motor state in, tf and joint_states out."""

    def __init__(self) -> None:
        super().__init__("frames", automatically_declare_parameters_from_overrides=True)
        self._car = load_car(read_parameters(self, Parameters).car)
        try:
            self._kind = importlib.import_module("tf2_msgs.msg").TFMessage
        except ImportError as error:
            raise OutlapError(
                f"ROS's package tf2_msgs cannot be imported ({error}): install ros-jazzy-tf2-msgs."
            ) from error
        self._transforms = topics.transforms(self._kind).publisher(self)
        self._joints = topics.JOINT_STATES.publisher(self)
        self._incoming = Incoming(self)
        topics.ODOMETRY.subscription(self, self._move)
        topics.MOTOR_STATE.subscription(self, self._turn, "newest")

    def _move(self, message: Odometry) -> None:
        if self._incoming.motion(message) is None:
            return
        transform = TransformStamped(header=message.header, child_frame_id=message.child_frame_id)
        pose = message.pose.pose
        transform.transform.translation.x, transform.transform.translation.y = pose.position.x, pose.position.y
        transform.transform.rotation = pose.orientation
        self._transforms.publish(self._kind(transforms=[transform]))

    def _turn(self, message: JointState) -> None:
        sent = self._incoming.sent(message)
        if sent is None:
            return
        told = joint_commands(self._car, *sent)._asdict()
        joints = JointState(name=[*STEERED, *ROLLING])
        joints.header.stamp = self.get_clock().now().to_msg()
        joints.position = [*(told[name] for name in STEERED.values()), *[0.0] * len(ROLLING)]
        joints.velocity = [*[0.0] * len(STEERED), *(told[name] for name in ROLLING.values())]
        self._joints.publish(joints)


def main() -> None:
    run(FramesNode)


if __name__ == "__main__":
    main()
