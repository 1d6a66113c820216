"""The motor node alone, with a probe in the place of policy and simulator."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from outlap_nodes.motor import MotorNode
from outlap_nodes.shared.messages import LATEST
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from outlap.safety.gate import Output, State
from outlap.vehicle.car import load_car

pytestmark = pytest.mark.live


def test_does_not_move_before_it_is_armed_and_then_does_as_told(bench: Any) -> None:
    car = load_car()
    bench.probe.until(lambda: len(bench.states) > 10, "states while disarmed")
    assert all(message.data == 0 for message in bench.wheel_speed)
    bench.drive()
    assert bench.wheel_speed[-1].data == pytest.approx(car.wheel_speed(bench.SPEED))
    assert bench.steering[-1].data == pytest.approx(car.steering_angle(bench.YAW_RATE / bench.SPEED))
    state = bench.states[-1]
    assert list(state.name) == ["steering", "drive"]
    bench.probe.until(lambda: bench.states[-1].velocity[1] == bench.wheel_speed[-1].data, "the state of what was sent")
    assert bench.states[-1].position[0] == bench.steering[-1].data
    assert state.header.stamp.sec > 0
    assert bench.arm(False).success
    bench.probe.until(lambda: bench.wheel_speed[-1].data == 0, "neutral after disarming")


@pytest.mark.usefixtures("motor")
def test_arming_without_commands_is_refused_and_says_why(make_bench: Callable[..., Any]) -> None:
    bench = make_bench(sending=False)
    bench.probe.until(lambda: "stopper" not in bench.arm().message, "the stopper being ready")
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
def test_a_fault_makes_it_neutral_until_it_is_armed_again(bench: Any, change: dict, words: str) -> None:
    bench.drive()
    for key, value in change.items():
        setattr(bench, key, value)
    bench.stops_for_good(words)
    bench.drive()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_its_last_word_is_neutral(bench: Any, motor: Any, number: signal.Signals) -> None:
    bench.drive()
    assert motor.stop(number) == 0
    bench.probe.until(lambda: bench.wheel_speed[-1].data == 0, "the last neutral", patience=5)
    assert "Traceback" not in motor.said


def test_nobody_exceeds_the_cap(start: Callable[..., Any], make_bench: Callable[..., Any]) -> None:
    start("motor", use_sim_time=False, speed_cap=0.5)
    bench = make_bench()
    bench.probe.until(lambda: bench.arm().success, "arming")
    capped = load_car().wheel_speed(0.5)
    bench.probe.until(lambda: bench.wheel_speed[-1].data == pytest.approx(capped), "driving")
    seen = len(bench.wheel_speed)
    bench.probe.until(lambda: len(bench.wheel_speed) > seen + 20, "further writes")
    assert max(message.data for message in bench.wheel_speed) == pytest.approx(capped)


def test_a_parameter_that_counts_only_at_the_start_is_not_taken_later(bench: Any) -> None:
    late = SetParameters.Request(parameters=[Parameter("speed_cap", value=0.2).to_parameter_msg()])
    (result,) = bench.probe.call(SetParameters, "/motor/set_parameters", late).results
    assert not result.successful
    assert result.reason == "speed_cap counts only at the start: start /motor anew with it"


@pytest.mark.parametrize("wanted", [Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVE_SHUTDOWN])
def test_a_node_that_is_not_active_does_not_drive(bench: Any, motor: Any, wanted: int) -> None:
    bench.drive()
    request = ChangeState.Request(transition=Transition(id=wanted))
    assert bench.probe.call(ChangeState, "/motor/change_state", request).success
    bench.probe.until(lambda: bench.wheel_speed[-1].data == 0, "neutral")
    if wanted == Transition.TRANSITION_DEACTIVATE:
        assert bench.arm().message == "arming refused: the node is not active"
    else:
        assert motor.wait() == 0  # it would be nothing but a heart that beats


def test_two_who_command_at_once_stop_the_car_and_are_named(bench: Any) -> None:
    bench.drive()
    intruder = bench.probe.node.create_publisher(TwistStamped, "/cmd_vel", LATEST)
    bench.stops_for_good("2 nodes publish on /cmd_vel: /probe and /probe")
    answer = bench.arm()
    assert not answer.success
    assert answer.message.startswith("arming refused: 2 nodes publish on /cmd_vel: /probe and /probe")
    bench.probe.node.destroy_publisher(intruder)
    bench.drive()


@pytest.mark.parametrize("arguments", [{"speed_cap": -1.0}, {"actuator": "pigeon"}, {"actuator": "car"}])
def test_what_it_cannot_do_is_refused_in_a_sentence(start: Callable[..., Any], arguments: dict, tmp_path: Path) -> None:
    simulated = tmp_path / "simulated.yaml"
    facts = load_car().model_dump(mode="json", exclude={"actuator"})
    simulated.write_text(yaml.safe_dump(facts))
    motor = start("motor", car=simulated, **arguments)
    assert motor.wait() == 2
    assert "error: " in motor.said
    assert next(iter(arguments)) in motor.said
    assert "Traceback" not in motor.said


@pytest.mark.parametrize(("reason", "success"), [("", True), ("arming refused: the bus does not answer", False)])
def test_a_refusal_is_no_success_though_the_car_is_still_armed(reason: str, success: bool) -> None:
    """Something is wrong that has not lasted long enough to be a fault: some 30 ms, too short to be met live."""
    output = Output(1.0, 0.0, State.ARMED, reason, 1.0)
    motor = SimpleNamespace(_active=True, _step=lambda event: output)
    answer = MotorNode._arm(cast(Any, motor), SetBool.Request(data=True), SetBool.Response())
    assert answer.success is success
