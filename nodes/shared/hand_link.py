"""What programs that drive by hand share: sending commands, asking to arm, hearing how the motor stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.task import Future
from std_srvs.srv import SetBool

from outlap.hand.config import HandConfig
from outlap.hand.hand import Hand
from outlap.hand.signs import Wish
from outlap.vehicle.car import Car
from outlap.vehicle.command import FRAME, to_hand_twist

from . import topics
from .motors import Motors
from .program import seconds, steady_clock
from .statuses import MotorStatus, StatusReader

PERIOD = 0.02  # s between two commands, on the steady clock
SILENT = 3.0  # s without a word, after which the motor counts as gone; it speaks each second


class Helm:
    """Sends for a :class:`Hand`. The publisher is there only while the hand sends, so that two programs may wait."""

    def __init__(self, node: Node, config: HandConfig, car: Car, say: Callable[[str], None]) -> None:
        self.hand = Hand(config, car)
        self.steady = steady_clock()
        self._node, self._say = node, say
        self._publisher: Publisher | None = None
        self._client = topics.ARM.client(node)
        self._told, self._told_at = ("", ""), float("-inf")
        self._motors = Motors(node)
        self._reader = StatusReader(topics.DIAGNOSTICS.resolved(node), say, MotorStatus)
        topics.DIAGNOSTICS.subscription(node, self._hear)

    def now(self) -> float:
        """Steady s."""
        return seconds(self.steady)

    @property
    def motor(self) -> tuple[str, str]:
        """The motor's state and the reason for it; empty when it is silent."""
        if self.now() - self._told_at > SILENT:
            return "", ""
        return self._told

    def step(self, wishes: Mapping[str, Wish | None]) -> None:
        """Send what the hand says, and ask what it asks; where several motors hear it, nothing that moves one."""
        several = self._motors.several(self.now())
        heard = not several and self._publisher is not None and self._publisher.get_subscription_count() > 0
        step = self.hand.step(self.now(), wishes, self.motor[0] == "armed", heard)
        if step.problem:
            problem = self._motors.problem(self.now())
            self._say(f"not armed: {problem}" if problem else step.problem)
        for arm in step.requests:
            self.ask(arm)
        if step.command is None or several:
            if self._publisher is not None:
                self._node.destroy_publisher(self._publisher)
                self._publisher = None
            return
        if self._publisher is None:
            self._publisher = topics.HAND_COMMAND.publisher(self._node)
        twist = TwistStamped()
        twist.header.stamp, twist.header.frame_id = self._node.get_clock().now().to_msg(), FRAME
        speed, curvature = step.command
        twist.twist.linear.x, twist.twist.angular.z = to_hand_twist(curvature, speed)
        self._publisher.publish(twist)

    def ask(self, arm: bool) -> Future | None:
        """Ask the motor to arm or disarm; a refusal is said. None when there is no motor."""
        if not self._client.service_is_ready():
            self._say("no motor answers")
            return None
        if arm and (problem := self._motors.problem(self.now())):
            self._say(f"not armed: {problem}")
            return None
        future = self._client.call_async(SetBool.Request(data=arm))
        future.add_done_callback(self._answered)
        return future

    def _answered(self, future: Future) -> None:
        answer = future.result()
        if answer is not None and not answer.success:
            self._say(f"motor: {answer.message}")

    def _hear(self, message: DiagnosticArray) -> None:
        for heard in self._reader.read(message):
            match heard.values:
                case MotorStatus(state=state, reason=reason):
                    self._motors.hear(heard, self.now())
                    self._told, self._told_at = (state, reason), self.now()
