"""The stopper: what happens to the car when the motor's process is killed, or stands still, or loses its stopper."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_graph import PATIENCE
from outlap_nodes.stopper import Watched
from std_msgs.msg import Float64

from outlap.launching.domain import Domain
from outlap.launching.environment import ros_environment

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def driving(bench: Any, motor: Any) -> Iterator[None]:
    bench.drive()
    yield
    motor.process.send_signal(signal.SIGCONT)


def stoppers(motor: Any) -> list[int]:
    """Process ids of the motor's children."""
    pid = motor.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"
    except FileNotFoundError:
        return True


def stopped_after(bench: Any, number: signal.Signals, pid: int) -> float:
    """Seconds from a signal to the first zero that the actuator is sent."""
    heard: list[float] = []

    def hear(message: Float64) -> None:
        if message.data == 0:
            heard.append(time.monotonic())

    bench.probe.node.create_subscription(Float64, "/sim/wheel_speed", hear, 10)
    bench.probe.spin(0.3)
    while heard:  # a busy machine held the motor up, and the stopper has stopped the car
        bench.drive()
        heard.clear()
        bench.probe.spin(0.3)
    began = time.monotonic()
    os.kill(pid, number)
    bench.probe.until(lambda: heard, "speed zero")
    return heard[0] - began


def test_a_motor_that_is_killed_leaves_a_car_that_stops_and_a_stopper_that_ends(bench: Any, motor: Any) -> None:
    (stopper,) = stoppers(motor)
    steering = bench.steering[-1].data
    # The limit, 0.2 s, is measured by the faults' table; here the machine may be busy with other things.
    assert stopped_after(bench, signal.SIGKILL, motor.process.pid) < 2.0
    bench.probe.until(lambda: gone(stopper), "the stopper's end")
    assert bench.wheel_speed[-1].data == 0
    assert bench.steering[-1].data == steering


def test_a_motor_that_stands_still_is_stopped_and_stays_so_when_it_goes_on(bench: Any, motor: Any) -> None:
    assert stopped_after(bench, signal.SIGSTOP, motor.process.pid) < 2.0
    bench.probe.spin(0.2)
    motor.process.send_signal(signal.SIGCONT)
    bench.stops_for_good("sto")  # "stood still" or "the stopper has ended", whichever is seen first
    bench.drive()


def test_a_motor_without_its_stopper_does_not_drive(bench: Any, motor: Any) -> None:
    (stopper,) = stoppers(motor)
    os.kill(stopper, signal.SIGKILL)
    bench.stops_for_good("the stopper, which guards the motor's own process, has ended with exit code -9")
    bench.drive()  # with another
    assert stoppers(motor) != [stopper]


def test_a_stopper_that_does_not_answer_counts_for_none(bench: Any, motor: Any) -> None:
    (stopper,) = stoppers(motor)
    os.kill(stopper, signal.SIGSTOP)
    bench.stops_for_good("the stopper, which guards the motor's own process, is not ready")
    os.kill(stopper, signal.SIGCONT)


def test_a_signal_to_the_graph_does_not_end_it_before_the_motor(bench: Any, motor: Any) -> None:
    (stopper,) = stoppers(motor)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(stopper, number)
    bench.probe.spin(0.3)
    assert not gone(stopper)
    assert motor.stop() == 0
    bench.probe.until(lambda: gone(stopper), "the stopper's end")


def until(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"{what} did not come"


def test_a_motor_that_was_taken_for_dead_is_told_so_before_the_stopper_has_ended(
    domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in ros_environment(domain.id).items():
        monkeypatch.setenv(key, value)
    watched = Watched("simulator", "deepracer", "/", time.monotonic())

    def beaten() -> str:
        time.sleep(0.02)
        return watched.beat(time.monotonic())

    until(lambda: beaten() == "", "the stopper being ready")
    time.sleep(0.5)
    told: list[str] = []
    until(lambda: told.append(beaten()) or "has ended" in told[-1], "its end")
    assert "the stopper stops the car: it heard nothing of the motor's own process for 0.15 s" in told
    watched.close()
