"""The gate: what other parts tell it, how fast it lets things change, and each limit at the limit itself."""

from __future__ import annotations

import math

import pytest
from gate_bench import DAWN, INFINITE, TICK, UNLIMITED, Bench

from outlap.safety.gate import (
    BUS_PATIENCE,
    EARLY_BY,
    ROUNDING,
    STALE_AFTER,
    Arm,
    Gate,
    Health,
    Limits,
    Part,
    Source,
    State,
    Twist,
    limits,
)
from outlap.vehicle.car import Car
from outlap.vehicle.command import FRAME, STANDSTILL, STEERING_SPEED


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


PARTS: list[Part] = ["actuator", "stopper", "publishers", "rivals", "hardware", "battery", "camera"]


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


@pytest.mark.parametrize("part", [part for part in PARTS if part != "actuator"])
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


def from_zero(car: Car, stamp: float = 0.0, ros: float = DAWN, speed: float = 1.0, curvature: float = 0.0) -> Gate:
    """A gate armed at time 0, where sums of times are exact."""
    gate = Gate(car, UNLIMITED)
    twist = Twist("policy", stamp, FRAME, (speed, 0.0, 0.0), (0.0, 0.0, curvature * speed))
    assert gate.step(0.0, ros, [twist, Arm(True)])[2:4] == (State.ARMED, "")
    return gate


def test_each_limit_of_time_still_holds_at_the_limit_itself(car: Car) -> None:
    gate = from_zero(car)
    assert gate.step(STALE_AFTER, STALE_AFTER).state is State.ARMED
    assert from_zero(car, stamp=0.04).step(0.0, STALE_AFTER).state is State.ARMED
    assert from_zero(car, ros=2 * EARLY_BY).step(0.0, EARLY_BY).state is State.ARMED
    from_zero(car, ros=STALE_AFTER)
    from_zero(car, stamp=EARLY_BY)


def test_the_limits_of_the_car_are_themselves_allowed(car: Car) -> None:
    most = 1 + ROUNDING
    from_zero(car, speed=car.drive.max_speed * most)
    from_zero(car, speed=-car.drive.max_reverse_speed * most)
    for side in (-1, 1):
        from_zero(car, curvature=side * car.max_curvature * most)
        twist = Twist("policy", 0.0, FRAME, (1.0, 0.0, 0.0), (0.0, 0.0, side * car.max_curvature * (1 + 2 * ROUNDING)))
        assert from_zero(car).step(0.0, DAWN, [twist]).state is State.FAULT


def test_standing_still_is_within_any_cars_curvature(car: Car) -> None:
    wide = car.model_copy(update={"steering": car.steering.model_copy(update={"max_angle": 0.1})})
    assert wide.max_curvature < 1
    from_zero(wide, speed=0.0)


def test_the_slowest_speed_that_is_one_is_driven(driving: Bench) -> None:
    assert driving.command(speed=STANDSTILL, yaw_rate=0.0).speed == STANDSTILL


def test_a_person_turns_the_wheels_of_a_car_that_stands_and_a_policy_does_not(driving: Bench, car: Car) -> None:
    turned = driving.command().steering
    slowest = STEERING_SPEED
    assert driving.command(speed=math.nextafter(STANDSTILL, 0), yaw_rate=0.0)[:2] == (0.0, turned)
    assert driving.command(source="hand", speed=math.nextafter(slowest, 0), yaw_rate=0.0)[:2] == (0.0, turned)
    assert driving.command(source="hand", speed=slowest, yaw_rate=0.0)[:2] == (0.0, 0.0)
    assert driving.command(source="hand", speed=-slowest, yaw_rate=-slowest)[:2] == (
        0.0,
        pytest.approx(car.steering_angle(1.0)),
    )
    assert driving.command(source="hand", speed=STANDSTILL, yaw_rate=0.0)[:2] == (STANDSTILL, 0.0)


def test_a_cap_of_nothing_lets_nothing_through(car: Car) -> None:
    bench = Bench(car, UNLIMITED._replace(speed=0.0))
    bench.command()
    assert (bench.arm().state, bench.command().speed) == (State.ARMED, 0.0)


def test_without_ros_time_nothing_is_armed(car: Car) -> None:
    bench = Bench(car)
    bench.ros, bench.clock_runs = 0.0, False
    bench.command(age=0.0)
    assert bench.arm().reason.startswith("arming refused: there is no ROS time: use_sim_time is set")
    bench.ros = 0.01
    bench.command(age=0.0)
    assert bench.arm().state is State.ARMED
    bench.ros = 0.0
    assert bench.wait(0.0).state is State.FAULT


def test_a_camera_that_is_too_slow_stops_a_policy_and_no_person(driving: Bench) -> None:
    slow, well = Health("camera", "the camera is too slow"), Health("camera", "")
    driving.gate.step(driving.steady, driving.ros, [slow])
    stopped = driving.command()
    assert (stopped.speed, stopped.state, stopped.reason) == (0.0, State.FAULT, "the camera is too slow")
    assert driving.arm().reason == "arming refused: the camera is too slow"
    driving.command(source="hand")
    assert driving.arm().state is State.ARMED
    assert driving.command(source="hand").speed == 1.0
    # What a person cannot drive without counts beside it.
    driving.gate.step(driving.steady, driving.ros, [Health("hardware", "it is somebody else")])
    assert driving.command(source="hand").reason == "it is somebody else"
    assert driving.arm().reason == "arming refused: it is somebody else"
    driving.gate.step(driving.steady, driving.ros, [Health("hardware", ""), well])
    driving.wait(0.3)  # the hand has let go
    driving.command()
    assert driving.arm().state is State.ARMED
