"""What an actuator is sent over time: brake, double tap, and a stop by a process that has sent nothing before."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from outlap.drivers.actuator import TAP, ActuatorError, SignalActuator
from outlap.drivers.opening import open_actuator
from outlap.errors import OutlapError
from outlap.vehicle.car import Car

NEUTRAL, BRAKE = 1500.0, 1300.0
HARDWARE: dict[str, object] = {"driver": "pca9685"}


class Recorder(SignalActuator):
    """Hardware that two processes may hold: it keeps what it was sent, and can be asked for it."""

    def __init__(self, car: Car, shared: list[tuple[float | None, float | None]] | None = None) -> None:
        super().__init__(car)
        self.sent = [] if shared is None else shared
        self.refusing = self.deaf = False
        self.asked = 0

    def send(self, steering: float | None, speed: float | None) -> None:
        if self.refusing:
            raise ActuatorError("refused.")
        self.sent.append((steering, speed))

    def sent_speed(self) -> float | None:
        self.asked += 1
        if self.deaf:
            raise ActuatorError("no answer.")
        return self.sent[-1][1] if self.sent else None

    def close(self) -> None:
        pass

    @property
    def speeds(self) -> list[float | None]:
        return [speed for _, speed in self.sent]


@pytest.fixture
def recorder(equipped: Callable[..., Car]) -> Callable[..., Recorder]:
    return lambda **speed: Recorder(equipped(HARDWARE, **speed))


def test_angles_and_speeds_go_out_as_the_maps_say(recorder: Callable[..., Recorder]) -> None:
    actuator = recorder()
    for angle, speed in ((0.0, 0.0), (0.55, 2.0), (-0.3, 3.0), (9.0, 99.0), (-9.0, -1.0)):
        actuator.write(0.0, angle, speed)
    assert actuator.sent == [(1500, 1500), (1900, 1640), (1290, 1770), (1900, 1900), (1080, 1330)]
    actuator.stop(1.0)
    assert actuator.sent[-1] == (None, NEUTRAL)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nothing_but_numbers_is_sent(recorder: Callable[..., Recorder], value: float) -> None:
    actuator = recorder()
    for angle, speed in ((value, 1.0), (0.0, value)):
        with pytest.raises(ActuatorError, match="not finite"):
            actuator.write(0.0, angle, speed)
    assert actuator.sent == []


def test_a_car_that_brakes_is_braked_for_a_while_and_only_when_it_rolls_forward(
    recorder: Callable[..., Recorder],
) -> None:
    actuator = recorder(neutral="brake")
    actuator.write(0.0, 0.0, 0.0)
    assert actuator.speeds == [NEUTRAL]
    for now in np.arange(1.0, 3.0, 0.1):
        actuator.write(now, 0.0, 1.0)
    for now in np.arange(2.95, 4.0, 0.1):
        actuator.write(now, 0.0, 0.0)
    braked = actuator.speeds[21:]
    assert braked == [BRAKE] * 5 + [NEUTRAL] * 6  # the last forward was sent at 2.9 s
    actuator.write(5.0, 0.0, -1.0)
    actuator.write(5.1, 0.0, 0.0)
    assert actuator.speeds[-2:] == [1330, NEUTRAL]


def test_a_car_that_coasts_is_sent_neutral(recorder: Callable[..., Recorder]) -> None:
    actuator = recorder()
    actuator.write(0.0, 0.0, 1.0)
    actuator.write(0.1, 0.0, 0.0)
    actuator.stop(0.2)
    assert actuator.speeds[1:] == [NEUTRAL, NEUTRAL]


def test_backwards_where_there_is_no_reverse_is_standing(recorder: Callable[..., Recorder]) -> None:
    content = recorder(neutral="brake", double_tap=True)
    content.speed_map = content.speed_map.model_copy(update={"reverse": ()})
    content.write(0.0, 0.0, 1.0)
    for now in np.arange(0.1, 1.0, 0.1):
        content.write(now, 0.0, -1.0)
    assert content.speeds[1:] == [BRAKE] * 5 + [NEUTRAL] * 4


@pytest.mark.parametrize("tick", [0.02, 0.1, 0.5])
def test_reverse_behind_a_double_tap_is_brake_then_neutral_then_reverse(
    recorder: Callable[..., Recorder], tick: float
) -> None:
    actuator = recorder(double_tap=True)
    actuator.write(0.0, 0.0, 1.0)
    times = np.arange(10.0, 13.0, tick)
    for now in times:
        actuator.write(now, 0.0, -1.0)
    speeds = actuator.speeds[1:]
    neutral = [now for now, speed in zip(times, speeds, strict=True) if speed == NEUTRAL]
    assert set(speeds) == {1330, NEUTRAL} and speeds[0] == speeds[-1] == 1330
    ends = times[times > neutral[-1]][0]
    assert neutral[0] - times[0] >= TAP - 1e-9 and ends - neutral[0] >= TAP - 1e-9
    assert neutral[0] - times[0] <= TAP + tick and ends - neutral[0] <= TAP + tick
    assert speeds.count(NEUTRAL) == len(neutral) == int(np.sum((times >= neutral[0]) & (times < ends)))
    # In reverse it stays so through neutral, until it has gone forward again.
    actuator.write(20.0, 0.0, 0.0)
    actuator.write(21.0, 0.0, -1.0)
    actuator.write(21.2, 0.0, -1.0)
    assert actuator.speeds[-3:] == [NEUTRAL, 1330, 1330]
    actuator.write(22.0, 0.0, 1.0)
    for now in (23.0, 23.2, 23.4):
        actuator.write(now, 0.0, -1.0)
    assert actuator.speeds[-3:] == [1330, NEUTRAL, 1330]


@pytest.mark.parametrize("after", [0.02, 0.11, 0.14, 0.2, 0.26, 0.3, 0.6])
def test_a_car_that_is_going_backwards_is_not_braked_by_more_of_it(
    recorder: Callable[..., Recorder], after: float
) -> None:
    """Behind brake and neutral the brake's pulse is reverse, and the strongest."""
    actuator = recorder(neutral="brake", brake_time=2.0)
    actuator.write(0.0, 0.0, 1.0)
    for now in np.arange(0.02, 0.02 + after, 0.02):
        actuator.write(now, 0.0, -1.0)
    behind = NEUTRAL in actuator.speeds[1:]
    assert behind == (after > 0.13)
    for now in np.arange(0.04 + after, 0.5 + after, 0.02):
        actuator.write(now, 0.0, 0.0)
        assert actuator.speeds[-1] == (NEUTRAL if behind else BRAKE)
        assert actuator.braking(now) != behind


def test_a_double_tap_that_was_interrupted_or_refused_begins_anew(recorder: Callable[..., Recorder]) -> None:
    actuator = recorder(double_tap=True)
    actuator.write(0.0, 0.0, -1.0)
    actuator.write(0.1, 0.0, 0.0)
    for now in (0.2, 0.3, 0.4, 0.6):
        actuator.write(now, 0.0, -1.0)
    assert actuator.speeds == [1330, NEUTRAL, 1330, 1330, NEUTRAL, 1330]

    actuator = recorder(double_tap=True)
    actuator.refusing = True
    for now in (0.0, 0.2, 0.4):
        with pytest.raises(ActuatorError):
            actuator.write(now, 0.0, -1.0)
    actuator.refusing = False
    for now in (0.6, 0.8, 1.0):
        actuator.write(now, 0.0, -1.0)
    assert actuator.speeds == [1330, NEUTRAL, 1330]


def test_another_process_brakes_what_it_finds_driving_forward(recorder: Callable[..., Recorder]) -> None:
    motor = recorder(neutral="brake")
    stopper = recorder(neutral="brake")
    stopper.sent = motor.sent
    motor.write(0.0, 0.2, 3.0)
    for now in (5.0, 5.2, 5.4, 5.6, 5.8):
        stopper.stop(now)
    assert motor.sent[1:] == [(None, BRAKE)] * 3 + [(None, NEUTRAL)] * 2
    assert stopper.asked == 3  # not while it brakes
    motor.write(9.0, 0.2, 3.0)  # and again
    stopper.stop(9.1)
    assert motor.speeds[-1] == BRAKE


@pytest.mark.parametrize("left", [1500.0, 1515.0, 1330.0, None])
def test_another_process_brakes_nothing_else(recorder: Callable[..., Recorder], left: float | None) -> None:
    stopper = recorder(neutral="brake")
    stopper.sent.append((None, left))
    stopper.stop(0.0)
    assert stopper.speeds[1:] == [NEUTRAL]


def test_a_drive_whose_forward_is_the_shorter_pulse_is_known_by_it(recorder: Callable[..., Recorder]) -> None:
    stopper = recorder(neutral="brake", forward=((0, 1500), (4, 1200)), reverse=((0, 1510), (2, 1700)), brake=1700)
    for left, then in ((1300, 1700), (1490, NEUTRAL), (1600, NEUTRAL)):  # without a dead band
        stopper._rolled = -math.inf
        stopper.sent.append((None, left))
        stopper.stop(0.0)
        assert stopper.speeds[-1] == then


def test_the_stoppers_last_word_is_neutral_however_slow_it_is(
    recorder: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopper = pytest.importorskip("outlap_nodes.stopper", reason="needs ROS")
    monkeypatch.setattr(stopper, "WRITING", 0.01)
    monkeypatch.setattr(stopper, "EVERY", 0.03)  # longer than it means to write
    actuator = recorder(neutral="brake", brake_time=0.05)
    actuator.sent.append((None, 1640.0))
    stopper.stop(actuator)
    assert actuator.speeds[1] == BRAKE
    assert actuator.speeds[-1] == NEUTRAL
    assert NEUTRAL not in actuator.speeds[1:-2]


def test_a_stop_is_tried_even_where_the_hardware_does_not_tell(recorder: Callable[..., Recorder]) -> None:
    stopper = recorder(neutral="brake")
    stopper.deaf = True
    stopper.stop(0.0)
    assert stopper.sent == [(None, NEUTRAL)]
    stopper.refusing = True
    with pytest.raises(ActuatorError):
        stopper.stop(0.1)


def test_a_car_without_hardware_is_not_opened(car: Car) -> None:
    with pytest.raises(OutlapError, match="no section 'actuator'"):
        open_actuator(car.model_copy(update={"actuator": None}))
