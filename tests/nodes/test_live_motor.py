"""The motor node alone, with a probe in the place of policy and simulator."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from outlap_nodes.messages import LATEST, RECORD
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64
from std_srvs.srv import SetBool

from outlap.vehicle.car import load_car

pytestmark = pytest.mark.live

SPEED, YAW_RATE = 1.5, 1.0  # m/s, rad/s


class Bench:
    """Sends commands at 50 Hz while something is waited for, and hears what the motor sends."""

    def __init__(self, probe: Any) -> None:
        self.probe = probe
        self.steering = probe.listen(Float64, "/sim/steering_angle", LATEST)
        self.wheel_speed = probe.listen(Float64, "/sim/wheel_speed", LATEST)
        self.states: list[JointState] = probe.listen(JointState, "/motor/state", RECORD)
        self.diagnostics: list[DiagnosticArray] = probe.listen(DiagnosticArray, "/diagnostics", RECORD)
        self._commands = probe.node.create_publisher(TwistStamped, "/cmd_vel", LATEST)
        self.speed, self.yaw_rate, self.late, self.frame = SPEED, YAW_RATE, 0.0, "base_link"
        self.sending = True
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
        self.probe.until(lambda: self.wheel_speed[-1].data > 0, "driving")

    def stops_for_good(self, words: str) -> None:
        """Neutral with the steering held, says why, and good commands alone do not start it again."""
        self.probe.until(lambda: self.wheel_speed[-1].data == 0, "neutral")
        held = self.steering[-1].data
        assert held == pytest.approx(math.atan(YAW_RATE / SPEED * load_car().axles.wheelbase))
        self.probe.until(lambda: words in self.status["reason"], f"/diagnostics saying {words!r}")
        assert self.status["state"] == "fault"
        self.speed, self.yaw_rate, self.late, self.frame, self.sending = SPEED, YAW_RATE, 0.0, "base_link", True
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
def motor(start: Callable[..., Any]) -> Any:
    return start("motor", use_sim_time=False)


@pytest.fixture
def bench(probe: Any, motor: Any) -> Bench:
    return Bench(probe)


def test_does_not_move_before_it_is_armed_and_then_does_as_told(bench: Bench) -> None:
    car = load_car()
    bench.probe.until(lambda: len(bench.states) > 10, "states while disarmed")
    assert all(message.data == 0 for message in bench.wheel_speed)
    bench.drive()
    assert bench.wheel_speed[-1].data == pytest.approx(car.wheel_speed(SPEED))
    assert bench.steering[-1].data == pytest.approx(car.steering_angle(YAW_RATE / SPEED))
    state = bench.states[-1]
    assert list(state.name) == ["steering", "drive"]
    assert (state.position[0], state.velocity[1]) == (bench.steering[-1].data, bench.wheel_speed[-1].data)
    assert state.header.stamp.sec > 0
    assert bench.arm(False).success
    bench.probe.until(lambda: bench.wheel_speed[-1].data == 0, "neutral after disarming")


def test_arming_without_commands_is_refused_and_says_why(bench: Bench) -> None:
    bench.sending = False
    bench.probe.spin(0.3)
    answer = bench.arm()
    assert not answer.success
    assert answer.message.startswith("arming refused: no ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sending": False}, "no new command from the policy"),
        ({"yaw_rate": math.nan}, "not finite"),
        ({"speed": 4.5, "yaw_rate": 0.0}, "beyond the car's 4.00 m/s"),
        ({"late": 0.3}, "old by its stamp"),
        ({"late": -3600.0}, "in the future"),
        ({"frame": "odom"}, "not 'base_link'"),
    ],
)
def test_a_fault_makes_it_neutral_until_it_is_armed_again(bench: Bench, change: dict, words: str) -> None:
    bench.drive()
    for key, value in change.items():
        setattr(bench, key, value)
    bench.stops_for_good(words)
    bench.drive()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_its_last_word_is_neutral(bench: Bench, motor: Any, number: signal.Signals) -> None:
    bench.drive()
    assert motor.stop(number) == 0
    bench.probe.until(lambda: bench.wheel_speed[-1].data == 0, "the last neutral", patience=5)
    assert "Traceback" not in motor.said
