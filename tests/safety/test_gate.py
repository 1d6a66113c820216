"""The gate, with injected time: what reaches the actuator, what stops it, and what starts it again."""

from __future__ import annotations

import math

import pytest

from outlap.safety.gate import (
    BUS_PATIENCE,
    EARLY_BY,
    FRAME,
    ROUNDING,
    STALE_AFTER,
    STANDSTILL,
    Arm,
    Gate,
    Health,
    Limits,
    Output,
    Part,
    Source,
    State,
    Twist,
    limits,
)
from outlap.vehicle.car import Car, load_car

FRAME_TIME = 1 / 30  # s
TICK = 0.02  # s
NAN, INFINITE = float("nan"), float("inf")
UNLIMITED = Limits(INFINITE, INFINITE, INFINITE)


@pytest.fixture
def car() -> Car:
    return load_car()


class Bench:
    """A gate with a clock of its own; steady and ROS time may drift apart."""

    def __init__(self, car: Car, limits: Limits = UNLIMITED) -> None:
        self.gate = Gate(car, limits)
        self.steady, self.ros = 100.0, 5.0
        self.clock_runs = True  # the one of ROS time

    def wait(self, seconds: float) -> Output:
        """Tick until that time has passed."""
        while True:
            step = min(seconds, TICK)
            self.steady, self.ros, seconds = self.steady + step, self.ros + step * self.clock_runs, seconds - step
            output = self.gate.step(self.steady, self.ros)
            if seconds <= 0:
                return output

    def command(
        self,
        speed: float = 1.0,
        yaw_rate: float = 0.5,
        source: Source = "policy",
        age: float = 0.01,
        frame: str = FRAME,
        linear: tuple[float, float] = (0.0, 0.0),
        angular: tuple[float, float] = (0.0, 0.0),
    ) -> Output:
        return self.gate.step(
            self.steady,
            self.ros,
            [Twist(source, self.ros - age, frame, (speed, *linear), (*angular, yaw_rate))],
        )

    def arm(self, arm: bool = True) -> Output:
        return self.gate.step(self.steady, self.ros, [Arm(arm)])

    def stays_neutral_until_armed(self) -> None:
        for _ in range(10):
            self.wait(FRAME_TIME)
            assert self.command().speed == 0
        assert self.arm().state is State.ARMED
        assert self.command().speed == 1.0


@pytest.fixture
def bench(car: Car) -> Bench:
    return Bench(car)


@pytest.fixture
def driving(bench: Bench) -> Bench:
    bench.command()
    assert bench.arm().state is State.ARMED
    return bench


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


def test_a_gate_that_was_not_asked_for_a_while_trusts_nothing(driving: Bench) -> None:
    driving.command()
    driving.steady, driving.ros = driving.steady + 0.16, driving.ros + 0.16
    output = driving.command()  # fresh by its stamp and its receipt
    assert (output.speed, output.state) == (0.0, State.FAULT)
    assert output.reason == "the motor's own process stood still for 0.16 s"
    driving.stays_neutral_until_armed()


def test_standing_still_while_disarmed_is_no_fault(bench: Bench) -> None:
    bench.command()
    bench.steady, bench.ros = bench.steady + 10.0, bench.ros + 10.0
    bench.command()
    assert bench.arm().state is State.ARMED


PARTS: list[Part] = ["actuator", "stopper", "publishers"]


@pytest.mark.parametrize("part", PARTS)
def test_an_ill_part_stops_the_car_and_keeps_it_from_being_armed(driving: Bench, part: Part) -> None:
    sick, well = Health(part, "it is ill"), Health(part, "")
    before = driving.command()
    driving.gate.step(driving.steady, driving.ros, [sick])
    for _ in range(4):
        driving.wait(TICK)
        output = driving.gate.step(driving.steady, driving.ros, [sick])
        driving.command()
    assert (output.speed, output.steering, output.state) == (0.0, before.steering, State.FAULT)
    assert output.reason == "it is ill"
    assert driving.arm().reason == "arming refused: it is ill"
    driving.gate.step(driving.steady, driving.ros, [Health("stopper" if part != "stopper" else "actuator", "so is it")])
    assert {"it is ill", "so is it"} == set(driving.arm().reason.removeprefix("arming refused: ").split("; "))
    driving.gate.step(driving.steady, driving.ros, [Health("stopper" if part != "stopper" else "actuator", "")])
    assert driving.arm().state is State.FAULT
    driving.gate.step(driving.steady, driving.ros, [well])
    driving.stays_neutral_until_armed()


def test_one_refused_write_is_no_fault_but_a_while_of_them_is_within_a_tenth_of_a_second(driving: Bench) -> None:
    for _ in range(5):
        driving.gate.step(driving.steady, driving.ros, [Health("actuator", "no answer")])
        driving.wait(TICK)
        driving.gate.step(driving.steady, driving.ros, [Health("actuator", "")])
        assert driving.command().state is State.ARMED
    began = driving.steady
    while driving.gate.step(driving.steady, driving.ros, [Health("actuator", "no answer")]).state is State.ARMED:
        driving.wait(TICK)
        driving.command()
    assert BUS_PATIENCE <= driving.steady - began <= 0.1


@pytest.mark.parametrize("part", ["stopper", "publishers"])
def test_the_other_parts_get_no_patience(driving: Bench, part: Part) -> None:
    assert driving.gate.step(driving.steady, driving.ros, [Health(part, "gone")]).state is State.FAULT


def test_an_illness_in_a_time_to_come_is_one(driving: Bench) -> None:
    driving.gate.step(driving.steady, driving.ros, [Health("actuator", "no answer")])
    driving.steady -= 0.001
    assert driving.wait(0).state is State.FAULT


def test_speed_and_steering_change_no_faster_than_the_limits(car: Car) -> None:
    bench = Bench(car, Limits(INFINITE, 5.0, 2.0))
    bench.command(speed=2.0, yaw_rate=0.0)
    assert bench.arm().speed == 0.0
    speeds, angles = [], []
    for _ in range(5):
        bench.steady, bench.ros = bench.steady + TICK, bench.ros + TICK
        output = bench.command(speed=2.0, yaw_rate=4.0)
        speeds.append(output.speed)
        angles.append(output.steering)
    assert speeds == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert angles == pytest.approx([0.04, 0.08, 0.12, 0.16, 0.2])
    for wanted in (0.3, 0.0):  # slower at once
        bench.steady, bench.ros = bench.steady + TICK, bench.ros + TICK
        assert bench.command(speed=wanted, yaw_rate=0.0).speed == wanted
    for expected in (-0.1, -0.2):
        bench.steady, bench.ros = bench.steady + TICK, bench.ros + TICK
        output = bench.command(speed=-1.0, yaw_rate=0.0)
        assert output.speed == pytest.approx(expected)
    bench.steady, bench.ros = bench.steady + TICK, bench.ros + TICK
    assert bench.command(speed=1.0, yaw_rate=0.0).speed == pytest.approx(0.1), "by way of zero"
    assert bench.command(speed=1.0, yaw_rate=0.0).speed == pytest.approx(0.1), "no time has passed"


def test_nothing_jumps_when_it_is_armed_after_a_long_wait(car: Car) -> None:
    bench = Bench(car, Limits(INFINITE, 5.0, 2.0))
    bench.wait(0.1)
    bench.steady, bench.ros = bench.steady + 60.0, bench.ros + 60.0
    twist = Twist("policy", bench.ros, FRAME, (4.0, 0.0, 0.0), (0.0, 0.0, 4.0))
    output = bench.gate.step(bench.steady, bench.ros, [twist, Arm(True)])
    assert output.state is State.ARMED
    assert output.speed == pytest.approx(5.0 * STALE_AFTER)
    bench.gate.step(bench.steady, bench.ros, [Arm(False)])
    bench.steady -= 1.0
    output = bench.gate.step(bench.steady, bench.ros, [twist._replace(stamp=bench.ros), Arm(True)])
    assert (output.state, output.speed) == (State.ARMED, 0.0)


@pytest.mark.parametrize("source", ["policy", "hand"])
def test_the_cap_holds_for_policy_and_person_both_ways(car: Car, source: Source) -> None:
    bench = Bench(car, UNLIMITED._replace(speed=0.8))
    bench.command(source=source)
    assert bench.arm().speed == 0.8
    assert bench.command(source=source, speed=-1.5).speed == -0.8
    assert bench.command(source=source, speed=0.5).speed == 0.5


def test_a_cars_limits_leave_it_room(car: Car) -> None:
    free = limits(car)
    assert free == (INFINITE, 2 * car.drive.max_acceleration, 2 * car.steering.max_rate)
    assert limits(car, 1.5) == free._replace(speed=1.5)


@pytest.mark.parametrize(
    ("jump", "words"),
    [(3600.0, "jumped by 3600.00 s"), (-3600.0, "jumped by -3600.00 s"), (0.16, "by 0.16 s"), (-0.08, "-0.08")],
)
def test_ros_time_that_jumps_stops_it_though_the_next_command_fits_the_new_time(
    bench: Bench, jump: float, words: str
) -> None:
    bench.command()
    bench.arm()
    bench.steady, bench.ros = bench.steady + TICK, bench.ros + TICK + jump
    output = bench.command(age=0.0)
    assert (output.state, output.speed) == (State.FAULT, 0.0)
    assert words in output.reason
    bench.stays_neutral_until_armed()


@pytest.mark.parametrize("jump", [0.14, -0.04])
def test_ros_time_may_stumble(bench: Bench, jump: float) -> None:
    """/clock comes in steps, and now and then late."""
    bench.command()
    bench.arm()
    bench.ros += jump
    assert bench.command(age=0.0).state is State.ARMED


def test_several_ill_parts_are_all_named(driving: Bench) -> None:
    parts: list[Part] = ["stopper", "publishers"]
    output = driving.gate.step(driving.steady, driving.ros, [Health(part, f"{part} ill") for part in parts])
    assert output.reason == "stopper ill; publishers ill"
    driving.gate.step(driving.steady, driving.ros, [Health(part, "") for part in parts])
    driving.command()
    assert driving.arm().reason == ""
    driving.steady -= 1.0  # both at once: an illness of a time to come is one at any patience
    sick = [Health("actuator", "no answer"), *(Health(part, f"{part} ill") for part in parts)]
    assert driving.gate.step(driving.steady, driving.ros, sick).state is State.FAULT
    reason = driving.arm().reason
    assert reason == "arming refused: no answer; stopper ill; publishers ill"


def test_a_part_that_was_never_ill_may_say_that_it_is_well(driving: Bench) -> None:
    assert driving.gate.step(driving.steady, driving.ros, [Health("stopper", "")]).state is State.ARMED


def from_zero(car: Car, stamp: float = 0.0, ros: float = 0.0, speed: float = 1.0, curvature: float = 0.0) -> Gate:
    """A gate armed at time 0, where sums of times are exact."""
    gate = Gate(car, UNLIMITED)
    twist = Twist("policy", stamp, FRAME, (speed, 0.0, 0.0), (0.0, 0.0, curvature * speed))
    assert gate.step(0.0, ros, [twist, Arm(True)])[2:4] == (State.ARMED, "")
    return gate


def test_each_limit_of_time_still_holds_at_the_limit_itself(car: Car) -> None:
    gate = from_zero(car)
    assert gate.step(STALE_AFTER, STALE_AFTER).state is State.ARMED
    assert from_zero(car, stamp=0.04).step(0.0, STALE_AFTER).state is State.ARMED
    assert from_zero(car).step(0.0, -EARLY_BY).state is State.ARMED
    from_zero(car, ros=STALE_AFTER)
    from_zero(car, stamp=EARLY_BY)


def test_the_limits_of_the_car_are_themselves_allowed(car: Car) -> None:
    most = 1 + ROUNDING
    from_zero(car, speed=car.drive.max_speed * most)
    from_zero(car, speed=-car.drive.max_reverse_speed * most)
    for side in (-1, 1):
        from_zero(car, curvature=side * car.max_curvature * most)
        twist = Twist("policy", 0.0, FRAME, (1.0, 0.0, 0.0), (0.0, 0.0, side * car.max_curvature * (1 + 2 * ROUNDING)))
        assert from_zero(car).step(0.0, 0.0, [twist]).state is State.FAULT


def test_standing_still_is_within_any_cars_curvature(car: Car) -> None:
    wide = car.model_copy(update={"steering": car.steering.model_copy(update={"max_angle": 0.1})})
    assert wide.max_curvature < 1
    from_zero(wide, speed=0.0)


def test_the_slowest_speed_that_is_one_is_driven(driving: Bench) -> None:
    assert driving.command(speed=STANDSTILL, yaw_rate=0.0).speed == STANDSTILL


def test_a_cap_of_nothing_lets_nothing_through(car: Car) -> None:
    bench = Bench(car, UNLIMITED._replace(speed=0.0))
    bench.command()
    assert (bench.arm().state, bench.command().speed) == (State.ARMED, 0.0)
