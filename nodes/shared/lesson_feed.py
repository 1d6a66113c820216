"""What the trainer hears of a car that drives in a simulator: messages in, whole moments out to the lesson."""

from __future__ import annotations

from geometry_msgs.msg import PoseStamped, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState

from outlap.errors import OutlapError
from outlap.learning.live.lesson import Lesson
from outlap.learning.live.moments import Motion, Pairing
from outlap.vehicle.car import Car

from .messages import RECORD, STREAM, to_nanoseconds, to_pixels, to_yaw

SILENCE = 60.0  # s of steady time without a moment to learn from, after which that is told
GONE = 10.0  # s of steady time without anybody who tells where the car is, once there was somebody
CROWD = 25.0  # s of steady time with two who tell; one that was killed is still seen for about 20 s


class Hearing:
    """Subscriptions of ``node`` that feed ``lesson``; ``now`` is always steady time in s."""

    def __init__(self, node: Node, lesson: Lesson, car: Car, now: float) -> None:
        self._node, self._lesson = node, lesson
        self.pairing = Pairing(car, lesson.contract)
        self._moments = 0
        self._heard = self._alone = self._there = now
        self._began = self._crowd = False
        node.create_subscription(Image, "/camera/image", self._view, STREAM)
        node.create_subscription(TwistStamped, "/cmd_vel", self._command, RECORD)
        node.create_subscription(JointState, "/motor/state", self._motor, RECORD)
        node.create_subscription(Odometry, "/sim/odom", self._odometry, RECORD)
        node.create_subscription(PoseStamped, "/sim/set_pose", self._placed, RECORD)

    def check(self, now: float, paused: bool) -> None:
        """Called now and then: see that there is one simulator, and tell when nothing comes.

        Raises:
            OutlapError: the simulator is gone, or there are two.
        """
        tellers = self._node.count_publishers("/sim/odom")
        self._crowd = tellers > 1
        if tellers or not self._began:
            self._there = now
        if tellers < 2:
            self._alone = now
        if now - self._there > GONE:
            raise OutlapError(
                "the simulator is gone; what was learned is kept, and the same command goes on with the lesson."
            )
        if now - self._alone > CROWD:
            raise OutlapError(
                "two simulators tell of a car on /sim/odom, so nothing can be learned: stop one, then start again."
            )
        if paused or self.pairing.taken != self._moments:
            self._moments, self._heard = self.pairing.taken, now
        elif now - self._heard > SILENCE:
            self._heard = now
            self._node.get_logger().warning(
                f"for {SILENCE:g} s there was nothing to learn from: the lesson waits until the car drives by its "
                f"policy again ({self.pairing.dropped} pictures so far could not be used)"
            )

    def _view(self, message: Image) -> None:
        try:
            picture = to_pixels(message)
        except ValueError:  # the policy node tells of it
            return
        if picture.shape == self._lesson.contract.frames_shape[1:]:
            self.pairing.view(to_nanoseconds(message.header.stamp), picture)

    def _command(self, message: TwistStamped) -> None:
        speed, turn = message.twist.linear.x, message.twist.angular.z
        self.pairing.command(to_nanoseconds(message.header.stamp), turn / speed if speed else 0.0, speed)

    def _motor(self, message: JointState) -> None:
        self.pairing.sent(to_nanoseconds(message.header.stamp), message.position[0], message.velocity[1])

    def _odometry(self, message: Odometry) -> None:
        if self._crowd:  # of which car?
            return
        self._began = True
        pose, twist = message.pose.pose, message.twist.twist
        motion = Motion(
            pose.position.x, pose.position.y, to_yaw(pose.orientation), twist.linear.x, twist.linear.y, twist.angular.z
        )
        self.pairing.odometry(to_nanoseconds(message.header.stamp), motion)
        for moment in self.pairing.take():
            self._lesson.add(moment)

    def _placed(self, message: PoseStamped) -> None:
        self._lesson.placed(message.pose.position.x, message.pose.position.y)
