"""The gate, with injected time: what reaches the actuator, what stops it, and what starts it again."""

from __future__ import annotations

import math

import pytest
from gate_bench import FRAME_TIME, INFINITE, NAN, Bench

from outlap.safety.gate import (
    EARLY_BY,
    FRAME,
    STALE_AFTER,
    Output,
    State,
    Twist,
)
from outlap.vehicle.car import Car


def test_starts_disarmed_and_neutral(bench: Bench) -> None:
    assert bench.wait(0) == Output(0.0, 0.0, State.DISARMED, "not armed yet", 0.0)
    output = bench.command()
    assert (output.speed, output.steering, output.state) == (0.0, 0.0, State.DISARMED)
    assert output.stamp == 0.0, "no command is in force before it is armed"


def test_the_stamp_is_that_of_the_command_in_force(driving: Bench) -> None:
    assert driving.command(age=0.02).stamp == driving.ros - 0.02
    by_hand = driving.command(source="hand", age=0.01)
    assert by_hand.stamp == driving.ros - 0.01
    assert driving.command(age=0.0).stamp == by_hand.stamp, "the policy does not drive"
    fault = driving.command(source="hand", age=0.005, speed=NAN)
    assert (fault.stamp, fault.state) == (driving.ros - 0.005, State.FAULT)
    assert driving.command(age=0.0).stamp == fault.stamp, "nor does it behind a fault"
    driving.wait(1.0)  # the hand is silent now
    driving.command(age=0.001)
    assert driving.arm().stamp == driving.ros - 0.001


def test_passes_a_command_on_as_speed_and_steering_angle(driving: Bench, car: Car) -> None:
    output = driving.command(speed=2.0, yaw_rate=3.0)
    assert output.speed == 2.0
    assert output.steering == pytest.approx(math.atan(1.5 * car.axles.wheelbase))
    assert (output.state, output.reason) == (State.ARMED, "")


def test_reverse_turns_the_same_way_round_the_same_circle(driving: Bench) -> None:
    forwards = driving.command(speed=1.0, yaw_rate=1.0)
    backwards = driving.command(speed=-1.0, yaw_rate=-1.0)
    assert backwards.speed == -1.0
    assert backwards.steering == forwards.steering


@pytest.mark.parametrize("speed", [0.0, 0.049, -0.049])
def test_below_standstill_speed_is_zero_and_steering_held(driving: Bench, speed: float) -> None:
    before = driving.command(speed=1.0, yaw_rate=1.0)
    output = driving.command(speed=speed, yaw_rate=-1.0)
    assert output.speed == 0
    assert output.steering == before.steering
    assert output.state is State.ARMED


def test_limits_of_the_car_are_reached_and_float32_rounding_is_no_fault(driving: Bench, car: Car) -> None:
    speed, curvature = car.drive.max_speed * (1 + 3e-7), car.max_curvature * (1 + 3e-7)
    output = driving.command(speed, speed * curvature)
    assert output.state is State.ARMED
    assert output.speed == car.drive.max_speed
    assert output.steering == pytest.approx(car.steering.max_angle, abs=1e-12)


@pytest.mark.parametrize("dropped", [0.0, 0.1])
def test_silence_makes_it_neutral_with_the_steering_held(driving: Bench, dropped: float) -> None:
    before = driving.command()
    assert driving.wait(STALE_AFTER - 0.02).state is State.ARMED
    output = driving.wait(0.03 + dropped)
    assert (output.speed, output.steering, output.state) == (0.0, before.steering, State.FAULT)
    assert "the policy" in output.reason
    driving.stays_neutral_until_armed()


def test_silence_counts_on_the_steady_clock_when_ros_time_stands_still(driving: Bench) -> None:
    driving.command()
    driving.clock_runs = False
    output = driving.wait(STALE_AFTER + 0.01)
    assert output.state is State.FAULT
    assert output.reason == "no new command from the policy: the last came 0.16 s ago, stamped 0.01 s ago"


def test_a_steady_clock_that_goes_back_is_no_excuse(driving: Bench) -> None:
    driving.steady -= 1.0
    assert driving.wait(0).state is State.FAULT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"speed": NAN}, "not finite"),
        ({"yaw_rate": INFINITE}, "not finite"),
        ({"linear": (NAN, 0.0)}, "not finite"),
        ({"angular": (0.0, -INFINITE)}, "not finite"),
        ({"age": NAN}, "not finite"),
        ({"speed": 4.1}, "4.10 m/s is beyond the car's 4.00 m/s"),
        ({"speed": -2.1, "yaw_rate": 0.0}, "speed -2.10 m/s is beyond"),
        ({"speed": 1.0, "yaw_rate": 3.6}, "curvature 3.60 1/m is beyond the car's 3.52 1/m"),
        ({"speed": 1.0, "yaw_rate": -3.6}, "curvature -3.60 1/m is beyond"),
        ({"speed": -1.0, "yaw_rate": -3.6}, "curvature 3.60 1/m is beyond"),
        ({"linear": (0.2, 0.0)}, "sideways"),
        ({"angular": (0.0, 0.2)}, "tilt"),
        ({"frame": "odom"}, "frame 'odom', not 'base_link'"),
        ({"age": STALE_AFTER + 0.01}, "0.16 s old"),
        ({"age": -EARLY_BY - 0.01}, "0.06 s in the future"),
        ({"age": 3600.0}, "3600.00 s old"),
        ({"age": -3600.0}, "stamped 3600.00 s in the future"),
    ],
)
def test_a_bad_command_is_never_sent_and_latches(driving: Bench, change: dict, words: str) -> None:
    before = driving.command()
    output = driving.command(**change)
    assert (output.speed, output.steering, output.state) == (0.0, before.steering, State.FAULT)
    assert words in output.reason
    assert math.isfinite(output.stamp)
    driving.stays_neutral_until_armed()


def test_a_good_command_behind_a_bad_one_does_not_hide_it(driving: Bench) -> None:
    def good(speed: float) -> Twist:
        return Twist("policy", driving.ros, FRAME, (speed, 0.0, 0.0), (0.0, 0.0, 0.0))

    output = driving.gate.step(driving.steady, driving.ros, [good(1.0), good(NAN), good(1.0)])
    assert (output.speed, output.state) == (0.0, State.FAULT)


def test_of_several_problems_the_most_severe_is_named(driving: Bench) -> None:
    assert "not finite" in driving.command(speed=NAN, frame="odom", age=9.0).reason


@pytest.mark.parametrize(("jump", "words"), [(3600.0, "jumped by 3600.00 s"), (-3600.0, "jumped by -3600.00 s")])
def test_a_jump_of_ros_time_stops_the_car(driving: Bench, jump: float, words: str) -> None:
    driving.command()
    driving.ros += jump
    output = driving.wait(0)
    assert output.state is State.FAULT
    assert words in output.reason


def test_a_command_gets_too_old_by_its_stamp_before_it_does_by_its_receipt(driving: Bench) -> None:
    driving.command(age=STALE_AFTER - 0.01)
    output = driving.wait(0.02)
    assert output.state is State.FAULT
    assert output.reason == "no new command from the policy: the last came 0.02 s ago, stamped 0.16 s ago"


def test_a_fault_keeps_its_first_reason_and_disarming_clears_it(driving: Bench) -> None:
    driving.command(speed=NAN)
    assert "not finite" in driving.wait(1.0).reason
    output = driving.arm(False)
    assert (output.state, output.reason) == (State.DISARMED, "by request")


def test_arming_needs_a_command_that_is_fresh_and_valid(bench: Bench) -> None:
    output = bench.arm()
    assert (output.state, output.reason) == (State.DISARMED, "arming refused: no command from the policy yet")
    bench.command(speed=NAN)
    assert bench.arm().reason == "arming refused: the policy's command is not finite"
    bench.command()
    bench.wait(1.0)
    assert bench.arm().state is State.DISARMED
    bench.command()
    output = bench.arm()
    assert (output.state, output.speed) == (State.ARMED, 1.0)


def test_arming_is_refused_in_a_fault_while_commands_are_bad(driving: Bench) -> None:
    driving.command(speed=NAN)
    output = driving.arm()
    assert output.state is State.FAULT
    assert output.reason.startswith("arming refused")


def test_disarming_makes_it_neutral(driving: Bench) -> None:
    assert driving.command().speed == 1.0
    assert driving.arm(False).speed == 0
    assert driving.command().speed == 0


def test_a_person_wins_and_saturates(driving: Bench, car: Car) -> None:
    output = driving.command(speed=9.0, yaw_rate=90.0, source="hand")
    assert (output.speed, output.state) == (car.drive.max_speed, State.ARMED)
    assert output.steering == pytest.approx(car.steering.max_angle)
    assert driving.command(speed=-9.0, yaw_rate=0.0, source="hand").speed == -car.drive.max_reverse_speed
    assert driving.command(speed=1.0).speed == -car.drive.max_reverse_speed, "the policy no longer counts"
    assert driving.command(speed=NAN).state is State.ARMED


def test_a_person_who_goes_silent_stops_the_car_though_the_policy_is_there(driving: Bench) -> None:
    driving.command(source="hand")
    for _ in range(5):
        driving.wait(FRAME_TIME)
        output = driving.command()
    assert output.state is State.FAULT
    assert "the hand" in output.reason
    driving.stays_neutral_until_armed()


def test_a_person_may_not_send_nonsense_either(driving: Bench) -> None:
    assert driving.command(yaw_rate=NAN, source="hand").state is State.FAULT


def test_a_person_can_arm_without_a_policy(bench: Bench) -> None:
    bench.command(source="hand", speed=0.5)
    output = bench.arm()
    assert (output.state, output.speed) == (State.ARMED, 0.5)
