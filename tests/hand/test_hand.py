"""Who drives, what is sent, and when the motor is asked: with the real gate behind it, in made-up time."""

from __future__ import annotations

import pytest

from outlap.hand.config import HandConfig
from outlap.hand.hand import Hand
from outlap.hand.signs import STILL, Action, Wish
from outlap.safety.gate import Arm, Event, Gate, Output, State, Twist, limits
from outlap.vehicle.car import Car
from outlap.vehicle.command import to_hand_twist

FULL = Wish(True, 1.0, 0.5)
TICK = 0.02  # s


class Drive:
    """A hand, a gate that hears it at once, and a policy that sends 0.5 m/s while it is there."""

    def __init__(self, config: HandConfig, car: Car, policy: bool = False) -> None:
        self.car, self.hand, self.gate = car, Hand(config, car), Gate(car, limits(car))
        self.now, self.policy = 10.0, policy
        self.wishes: dict[str, Wish | None] = {"pad": STILL}
        self.said: list[str] = []
        self.sends = self.heard = False
        self.refusals: list[str] = []
        self.output: Output = self.gate.step(self.now, self.now)

    def run(self, seconds: float = 0.2) -> Output:
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            step = self.hand.step(self.now, self.wishes, self.output.state is State.ARMED, self.heard)
            self.said += [step.problem] if step.problem else []
            events: list[Event] = []
            if self.policy:
                events.append(Twist("policy", self.now, "base_link", (0.5, 0.0, 0.0), (0.0, 0.0, 0.0)))
            if step.command is not None:
                speed, curvature = step.command
                linear, angular = to_hand_twist(curvature, speed)
                twist = ((linear, 0.0, 0.0), (0.0, 0.0, angular))
                events.append(Twist("hand", self.now, "base_link", *twist))
            self.sends = self.heard = step.command is not None
            self.output = self.gate.step(self.now, self.now, [*events, *map(Arm, step.requests)])
            if step.requests and step.requests[-1] and self.output.state is not State.ARMED:
                self.refusals.append(self.output.reason)
        return self.output

    def ask(self, action: Action) -> None:
        self.hand.act(self.now, action, "pad")

    def hold(self, wish: Wish | None = FULL) -> None:
        self.wishes["pad"] = wish


@pytest.fixture
def drive(config: HandConfig, car: Car) -> Drive:
    return Drive(config, car)


@pytest.fixture
def shared(config: HandConfig, car: Car) -> Drive:
    return Drive(config, car, policy=True)


def test_arms_for_the_hand_and_drives(drive: Drive, car: Car) -> None:
    drive.run()
    assert not drive.sends
    drive.ask(Action.ARM)
    assert drive.run(0.3).state is State.ARMED
    assert drive.output.speed == 0
    drive.hold()
    assert drive.run().speed == 1
    assert drive.output.steering == pytest.approx(car.steering_angle(0.5 * car.max_curvature))
    drive.hold(STILL)
    drive.run(TICK)
    assert drive.output.speed == 0
    assert drive.hand.who == "you drive"
    assert drive.run(2).state is State.ARMED  # zero speed goes on being sent


def test_the_wheels_follow_the_stick_while_the_car_stands(drive: Drive, car: Car) -> None:
    """So that left can be seen to be left on blocks, before anything turns."""
    drive.ask(Action.ARM)
    drive.run(0.3)
    for steering in (1.0, -0.5, 0.0):
        for held in (False, True):
            drive.hold(Wish(held, 0.0, steering))
            assert drive.run(0.5).steering == pytest.approx(car.steering_angle(steering * car.max_curvature))
            assert drive.output.speed == 0
    drive.hold(Wish(True, 1.0, 1.0))
    turned = drive.run().steering
    drive.hold(STILL)  # nobody knows where the stick is
    assert drive.run(0.5)[:2] == (0.0, turned)


def test_a_stick_held_while_arming_moves_nothing_until_it_is_let_go(drive: Drive) -> None:
    drive.run()
    drive.hold()
    assert drive.run().state is State.DISARMED
    drive.ask(Action.ARM)
    assert drive.run(1.0).state is State.ARMED
    assert drive.output.speed == 0
    drive.hold(STILL)
    drive.run()
    drive.hold()
    assert drive.run().speed == 1


def test_nor_does_one_held_while_somebody_else_arms(drive: Drive) -> None:
    drive.run()
    drive.hold()
    drive.run()
    drive.output = drive.gate.step(drive.now, drive.now, [Arm(True)])
    assert drive.output.state is State.ARMED
    assert drive.run(1.0).speed == 0


def test_it_lets_a_policy_drive_until_the_switch_is_pressed(shared: Drive) -> None:
    shared.run()
    shared.output = shared.gate.step(shared.now, shared.now, [Arm(True)])
    assert shared.run(1.0).speed == 0.5
    assert not shared.sends
    assert shared.hand.who == "the policy drives"
    shared.hold()
    assert shared.run().speed == 1
    shared.hold(STILL)
    assert shared.run(1.0).speed == 0
    assert shared.output.state is State.ARMED


def test_hands_over_to_the_policy(shared: Drive) -> None:
    shared.run()
    shared.ask(Action.ARM)
    shared.run(0.3)
    shared.hold()
    assert shared.run().speed == 1
    shared.ask(Action.POLICY)
    shared.run(TICK)
    assert shared.output == shared.output._replace(state=State.DISARMED, speed=0.0)
    assert shared.run(0.5).speed == 0.5
    assert not shared.sends
    assert shared.run(1.0).speed == 0.5  # though the switch is held all the while
    assert shared.refusals == []


def test_taking_the_car_back_before_the_policy_has_it_leaves_it_disarmed(shared: Drive) -> None:
    shared.run()
    shared.ask(Action.POLICY)
    shared.run(0.1)
    shared.hold()
    assert shared.run(1.0).state is State.DISARMED
    assert shared.sends


@pytest.mark.parametrize("action", [Action.DISARM, Action.QUIT])
def test_disarms_at_once_and_keeps_the_car(shared: Drive, action: Action) -> None:
    shared.run()
    shared.ask(Action.ARM)
    shared.run(0.3)
    shared.hold()
    shared.run()
    shared.ask(action)
    shared.run(TICK)
    assert shared.output == shared.output._replace(state=State.DISARMED, speed=0.0)
    assert shared.run(1.0).state is State.DISARMED
    shared.ask(Action.ARM)
    assert shared.run(1.0).state is State.ARMED
    assert shared.output.speed == 0  # neither the policy, nor the stick that is still held


def test_a_lost_link_ends_the_sending_and_the_gate_latches(shared: Drive) -> None:
    shared.run()
    shared.ask(Action.ARM)
    shared.run(0.3)
    shared.hold()
    shared.run()
    shared.hold(None)
    shared.run(0.02)
    assert shared.said == ["the link of the pad is lost"]
    assert shared.hand.who == "your link is lost"
    assert not shared.sends
    assert shared.run(0.16).state is State.FAULT
    shared.hold()
    assert shared.run(0.5).state is State.FAULT
    assert not shared.sends  # it must be let go of first
    shared.hold(STILL)
    shared.run()
    shared.hold()
    assert shared.run(0.5).state is State.FAULT
    assert shared.sends


def test_of_two_devices_the_one_that_is_held_drives(drive: Drive) -> None:
    drive.wishes["keys"] = STILL
    drive.run()
    drive.ask(Action.ARM)
    drive.run(0.3)
    drive.wishes["keys"] = Wish(True, 0.5, 0.0)
    assert drive.run().speed == 0.5
    drive.hold()
    assert drive.run().speed == 0.5
    drive.wishes["keys"] = STILL
    assert drive.run().speed == 1
    drive.wishes["keys"] = None
    assert drive.run().speed == 1


def test_arming_without_a_motor_is_given_up(drive: Drive) -> None:
    drive.ask(Action.ARM)
    for _ in range(120):
        drive.heard = False
        drive.run(TICK)
    assert drive.said == ["not armed: no motor hears the hand"]
    assert drive.output.state is State.DISARMED


def test_arming_by_a_device_that_is_not_there_does_nothing(drive: Drive) -> None:
    drive.hold(None)
    drive.ask(Action.ARM)
    assert drive.run(1.0).state is State.DISARMED
    assert drive.said == ["the link of the pad is lost"]


def test_the_limit_goes_up_and_down_within_the_cars(drive: Drive, car: Car) -> None:
    for _ in range(100):
        drive.ask(Action.FASTER)
    assert drive.hand.limit == car.drive.max_speed
    for _ in range(100):
        drive.ask(Action.SLOWER)
    assert drive.hand.limit == pytest.approx(0.25)
    drive.run()
    drive.ask(Action.ARM)
    drive.run(0.3)
    drive.hold()
    assert drive.run().speed == pytest.approx(0.25)


def test_a_limit_beyond_the_cars_is_the_cars(config: HandConfig, car: Car) -> None:
    assert Hand(config.model_copy(update={"speed_limit": 30.0}), car).limit == car.drive.max_speed


def test_backwards_no_faster_than_the_car_can(config: HandConfig, car: Car) -> None:
    slow = car.model_copy(update={"drive": car.drive.model_copy(update={"max_reverse_speed": 0.4})})
    drive = Drive(config, slow)
    drive.run()
    drive.ask(Action.ARM)
    drive.run(0.3)
    drive.hold(Wish(True, -1.0, 0.5))
    assert drive.run().speed == pytest.approx(-0.4)
    assert drive.output.steering > 0  # left stays left
