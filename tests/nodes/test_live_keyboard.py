"""Driving with the keys of a terminal: a real pseudo-terminal, real programs, and every way in which they can end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from geometry_msgs.msg import TwistStamped
from live_graph import PATIENCE, Probe
from nav_msgs.msg import Odometry
from outlap_nodes.shared.messages import LATEST, to_yaw
from seat import LEFT, UP, Seat
from std_msgs.msg import Float64

from outlap.launching.domain import Domain
from outlap.launching.environment import ros_environment
from outlap.vehicle.car import load_car

pytestmark = pytest.mark.live


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@pytest.fixture
def seat(domain: Domain) -> Iterator[Seat]:
    seat = Seat([program("outlap_keyboard")], ros_environment(domain.id))
    yield seat
    seat.end()


def arm(probe: Probe, seat: Seat) -> None:
    """Press Enter until it is so: the motor's stopper needs a moment to be ready."""
    end = time.monotonic() + PATIENCE
    while "armed · you drive" not in seat.line:
        assert time.monotonic() < end, "arming did not happen"
        seat.type(b"\r")
        probe.spin(1.0)


def hold(probe: Probe, seat: Seat, key: bytes, happened: Callable[[], bool], what: str) -> None:
    """Hold a key until something is so; where a busy machine made the gate stop the car, begin anew."""

    def held() -> bool:
        if "armed · you drive" not in seat.line:
            seat.hold(None)
            arm(probe, seat)
            seat.hold(UP)  # a key that steers keeps the speed that there is
            probe.spin(0.5)
        seat.hold(key)
        return happened()

    probe.until(held, what, patience=2 * PATIENCE)


class Watch:
    """Sees what the motor writes, and drives by the seat's keys."""

    def __init__(self, probe: Probe, seat: Seat) -> None:
        self.probe, self.seat = probe, seat
        self.speeds: list[float] = []
        self.angles: list[Float64] = probe.listen(Float64, "/sim/steering_angle", LATEST)
        probe.node.create_subscription(Float64, "/sim/wheel_speed", lambda m: self.speeds.append(m.data), LATEST)
        probe.until(lambda: "not armed yet" in seat.line, "the line that says how things stand")

    def drive(self) -> None:
        """Arm, and drive ahead by the key."""
        self.hold(UP, lambda: bool(self.speeds) and self.speeds[-1] > 5, "driving")

    def hold(self, key: bytes, happened: Callable[[], bool], what: str) -> None:
        hold(self.probe, self.seat, key, happened, what)

    def policy_sends(self) -> None:
        """From now on there is a policy, which drives straight on at 0.5 m/s."""
        publisher = self.probe.node.create_publisher(TwistStamped, "/cmd_vel", LATEST)
        twist = TwistStamped()
        twist.header.frame_id, twist.twist.linear.x = "base_link", 0.5

        def send() -> None:
            twist.header.stamp = self.probe.node.get_clock().now().to_msg()
            publisher.publish(twist)

        self.probe.node.create_timer(0.02, send)
        self.probe.spin(0.5)

    def neutral_after(self, what: str) -> None:
        began = time.monotonic()
        self.probe.until(lambda: self.speeds[-1] == 0, "neutral", patience=5)
        print(f"{what}: neutral after {(time.monotonic() - began) * 1000:.0f} ms")


@pytest.fixture
def watch(start: Callable[..., Any], probe: Probe, seat: Seat) -> Watch:
    start("motor")
    return Watch(probe, seat)


def test_keys_drive_and_q_leaves_the_car_disarmed_and_the_terminal_as_it_was(watch: Watch) -> None:
    seat, probe = watch.seat, watch.probe
    watch.drive()
    watch.hold(LEFT, lambda: watch.angles[-1].data > 0.2 and watch.speeds[-1] > 0, "steering to the left as it drives")
    seat.hold(None)
    watch.neutral_after("keys let go")
    assert "armed · you drive" in seat.line
    watch.hold(UP, lambda: watch.speeds[-1] > 0, "driving on")
    seat.hold(None)
    seat.type(b" ")
    watch.neutral_after("space")
    seat.type(b"x")
    probe.until(lambda: "DISARMED: by request" in seat.line, "disarming")
    seat.type(b"p")
    probe.until(lambda: "motor: arming refused: no command from the policy" in seat.shown, "a refusal being told")
    watch.policy_sends()
    seat.type(b"p")
    probe.until(lambda: "armed · the policy drives" in seat.line, "the policy driving")
    probe.until(lambda: watch.speeds[-1] == pytest.approx(load_car().wheel_speed(0.5)), "the policy's speed")
    seat.hold(UP)
    probe.until(lambda: "armed · you drive" in seat.line, "taking over")
    seat.type(b"q")
    probe.until(lambda: seat.process.poll() is not None, "its end")
    assert seat.process.returncode == 0
    watch.neutral_after("q")
    assert seat.restored
    assert "Traceback" not in seat.shown


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_a_keyboard_program_that_is_gone_stops_the_car(watch: Watch, number: signal.Signals) -> None:
    watch.drive()
    watch.seat.process.send_signal(number)
    watch.neutral_after(number.name)
    if number == signal.SIGTERM:
        watch.probe.until(lambda: watch.seat.process.poll() is not None, "its end")
        assert watch.seat.restored
    watch.seat.process.send_signal(signal.SIGCONT)
    seen = len(watch.speeds)
    watch.probe.spin(0.5)
    assert not any(watch.speeds[seen:])  # the key that is still held moves nothing


def test_a_terminal_that_is_closed_stops_the_car(watch: Watch) -> None:
    watch.drive()
    watch.seat.close()
    watch.neutral_after("terminal closed")
    watch.probe.until(lambda: watch.seat.process.poll() is not None, "its end")


@pytest.mark.usefixtures("as_nodes_talk")
def test_outlap_drive_with_a_simulator(tmp_path: Path) -> None:
    """From nothing to a car that turns left, and what kills the program in the foreground ends all of it."""
    log = tmp_path / "log.txt"
    words = [program("outlap"), "drive", "--track", "oval", "--log", str(log)]
    seat = Seat(words, {**os.environ, "PYTHONUNBUFFERED": "1"})
    probe = None
    try:
        probe = Probe(seat.domain(PATIENCE))  # which the program chose for itself
        places: list[Odometry] = probe.listen(Odometry, "/sim/odom", LATEST)
        probe.until(lambda: places and "not armed yet" in seat.line, "the graph", patience=150)
        assert "watch it in a browser: http://127.0.0.1:" in seat.shown
        arm(probe, seat)
        x = places[-1].pose.pose.position.x
        hold(probe, seat, UP, lambda: places[-1].pose.pose.position.x > x + 0.3, "driving ahead")
        assert to_yaw(places[-1].pose.pose.orientation) == pytest.approx(0, abs=0.05)
        hold(probe, seat, LEFT, lambda: to_yaw(places[-1].pose.pose.orientation) > 0.5, "turning left")
        children = Path(f"/proc/{seat.process.pid}/task/{seat.process.pid}/children").read_text().split()
        keyboard = next(int(pid) for pid in children if b"outlap_keyboard" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(keyboard, signal.SIGKILL)
        probe.until(lambda: seat.process.poll() is not None, "its end")
        assert seat.process.returncode == 128 + signal.SIGKILL
        assert seat.restored
        said = log.read_text()
        assert "killing" not in said  # all ended when asked to
        # The motor's last word; its topic may be gone before a busy machine has heard that.
        assert max(said.rfind("[motor]: disarmed: by"), said.rfind("[motor]: fault")) > said.rfind("[motor]: armed")
    finally:
        seat.end()
        if probe is not None:
            probe.close()
        if log.exists():
            print(log.read_text())
