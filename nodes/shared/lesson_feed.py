"""What the trainer hears of a car that drives in a simulator: messages in, whole moments out to the lesson."""

from __future__ import annotations

from geometry_msgs.msg import PoseStamped, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState

from outlap.errors import OutlapError
from outlap.learning.live.lesson import Lesson
from outlap.learning.live.moments import Pairing
from outlap.vehicle.car import Car
from outlap.vehicle.command import wanted_curvature

from . import topics
from .incoming import Incoming
from .messages import to_nanoseconds, to_pixels, to_place
from .sole_publisher import Publishers

SILENCE = 60.0  # s of steady time without a moment to learn from, after which that is told
GONE = 10.0  # s of steady time without anybody who tells where the car is, once there was somebody
CROWD = 25.0  # s of steady time with two who tell; one that was killed is still seen for about 20 s


class Hearing:
    """Subscriptions of ``node`` that feed ``lesson``; ``now`` is always steady time in s."""

    def __init__(self, node: Node, lesson: Lesson, car: Car, now: float) -> None:
        self._node, self._lesson = node, lesson
        self.pairing = Pairing(car, lesson.contract)
        self._incoming = Incoming(node)
        self._moments = 0
        self._heard = now
        self._began = False
        self._simulators = Publishers(node, topics.ODOMETRY, now)
        topics.VIEW.subscription(node, self._view)
        topics.COMMAND.subscription(node, self._command, "lesson")
        topics.MOTOR_STATE.subscription(node, self._motor)
        topics.ODOMETRY.subscription(node, self._odometry, "lesson")
        topics.SET_POSE.subscription(node, self._placed, "lesson")

    def check(self, now: float, paused: bool) -> None:
        """Called now and then: see that there is one simulator, and tell when nothing comes.

        Raises:
            OutlapError: the simulator is gone, or there are two.
        """
        self._simulators.look(now)
        if self._began and self._simulators.none_for(now) > GONE:
            raise OutlapError(
                "the simulator is gone; what was learned is kept, and the same command goes on with the lesson."
            )
        if self._simulators.several_for(now) > CROWD:
            raise OutlapError(
                f"two simulators tell of a car on {topics.ODOMETRY.resolved(self._node)}, so nothing can be learned: "
                "stop one, then start again."
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
        self.pairing.command(to_nanoseconds(message.header.stamp), wanted_curvature(speed, turn), speed)

    def _motor(self, message: JointState) -> None:
        if (sent := self._incoming.sent(message)) is not None:
            self.pairing.sent(to_nanoseconds(message.header.stamp), *sent)

    def _odometry(self, message: Odometry) -> None:
        if len(self._simulators.found) > 1:  # of which car?
            return
        self._began = True
        motion = self._incoming.motion(message)
        if motion is None:
            return
        self.pairing.odometry(to_nanoseconds(message.header.stamp), motion)
        for moment in self.pairing.take():
            self._lesson.add(moment)

    def _placed(self, message: PoseStamped) -> None:
        if (place := to_place(message.pose)) is not None:  # else the simulator puts it nowhere
            self._lesson.placed(*place[:2])
