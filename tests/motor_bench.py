"""The motor node alone, with a probe in the place of policy and simulator."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from live_graph import Probe, Program
from outlap_nodes.shared.messages import LATEST, RECORD
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64
from std_srvs.srv import SetBool

from outlap.vehicle.car import load_car


class Bench:
    """In the place of policy and simulator: commands at 50 Hz while it waits for something; hears the motor's words."""

    SPEED, YAW_RATE = 1.5, 1.0  # m/s, rad/s

    def __init__(self, probe: Probe, *, sending: bool = True) -> None:
        self.probe = probe
        self.steering = probe.listen(Float64, "/sim/steering_angle", LATEST)
        self.wheel_speed = probe.listen(Float64, "/sim/wheel_speed", LATEST)
        self.states: list[JointState] = probe.listen(JointState, "/motor/state", RECORD)
        self.diagnostics: list[DiagnosticArray] = probe.listen(DiagnosticArray, "/diagnostics", RECORD)
        self._commands = probe.node.create_publisher(TwistStamped, "/cmd_vel", LATEST)
        self.speed, self.yaw_rate, self.late, self.frame = self.SPEED, self.YAW_RATE, 0.0, "base_link"
        self.sending = sending
        probe.node.create_timer(0.02, self._send)
        probe.until(lambda: self.wheel_speed, "the motor's first neutral")

    def _send(self) -> None:
        if not self.sending:
            return
        twist = TwistStamped()
        now = self.probe.node.get_clock().now().nanoseconds - round(self.late * 1e9)
        twist.header.stamp.sec, twist.header.stamp.nanosec = divmod(now, 1_000_000_000)
        twist.header.frame_id = self.frame
        twist.twist.linear.x, twist.twist.angular.z = self.speed, self.yaw_rate
        self._commands.publish(twist)

    def arm(self, arm: bool = True) -> SetBool.Response:
        return self.probe.call(SetBool, "/motor/arm", SetBool.Request(data=arm))

    def drive(self) -> None:
        self.probe.until(lambda: self.arm().success, "arming")
        wanted = pytest.approx(load_car().wheel_speed(self.SPEED))  # which takes a moment: changes are limited

        def driving() -> bool:
            if self.wheel_speed[-1].data == 0:  # a busy machine may have held commands up for too long
                self.arm()
            return self.wheel_speed[-1].data == wanted

        self.probe.until(driving, "driving")

    def stops_for_good(self, words: str) -> None:
        """Neutral with the steering held, says why, and good commands alone do not start it again."""
        self.probe.until(lambda: self.wheel_speed[-1].data == 0, "neutral")
        held = self.steering[-1].data
        assert held == pytest.approx(math.atan(self.YAW_RATE / self.SPEED * load_car().axles.wheelbase))
        self.probe.until(lambda: words in self.status["reason"], f"/diagnostics saying {words!r}")
        assert self.status["state"] == "fault"
        self.speed, self.yaw_rate, self.late, self.frame, self.sending = (
            self.SPEED,
            self.YAW_RATE,
            0.0,
            "base_link",
            True,
        )
        seen = len(self.wheel_speed)
        self.probe.until(lambda: len(self.wheel_speed) > seen + 10, "further writes")
        assert all(message.data == 0 for message in self.wheel_speed[seen:])
        assert self.steering[-1].data == held

    @property
    def status(self) -> dict[str, str]:
        return (
            {value.key: value.value for value in self.diagnostics[-1].status[0].values}
            if self.diagnostics
            else {"reason": ""}
        )


@pytest.fixture
def motor(start: Callable[..., Program]) -> Program:
    """A motor node that writes to the simulator's topics."""
    return start("motor", use_sim_time=False)


@pytest.fixture
def make_bench(probe: Probe) -> Callable[..., Bench]:
    """``make_bench(sending=False)``: what drives and hears the motor that has been started; silent at first."""
    return lambda sending=True: Bench(probe, sending=sending)


@pytest.fixture
def bench(make_bench: Callable[..., Bench], motor: Program) -> Bench:
    return make_bench()
