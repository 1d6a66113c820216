"""The motor node on a car that brakes at zero speed. The chip repeats its last pulse for ever: that must be neutral."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from geometry_msgs.msg import TwistStamped
from outlap_nodes.shared.messages import LATEST
from std_srvs.srv import SetBool

from outlap.drivers.fakes.pca9685 import FakePca9685
from outlap.vehicle.car import load_car

pytestmark = pytest.mark.live

STEP = 5.0  # µs, more than the chip's own


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_motor_that_ends_has_the_car_brake_and_then_neutral(
    start: Callable[..., Any], probe: Any, tmp_path: Path, number: signal.Signals
) -> None:
    with FakePca9685(tmp_path / "bus") as chip:
        content = load_car("donkeycar").model_dump(mode="json")
        content["actuator"] |= chip.hardware
        (tmp_path / "car.yaml").write_text(yaml.safe_dump(content))
        speed = content["actuator"]["speed"]
        motor = start("motor", use_sim_time=False, actuator="car", car=tmp_path / "car.yaml")

        def sent() -> list[float]:
            return [one.speed for one in chip.history() if one.speed is not None]

        probe.until(sent, "the first neutral")
        commands = probe.node.create_publisher(TwistStamped, "/cmd_vel", LATEST)

        def command() -> None:
            twist = TwistStamped()
            twist.header.stamp, twist.header.frame_id = probe.node.get_clock().now().to_msg(), "base_link"
            twist.twist.linear.x = 1.0
            commands.publish(twist)

        probe.node.create_timer(0.02, command)
        arm = SetBool.Request(data=True)
        probe.until(lambda: probe.call(SetBool, "/motor/arm", arm).success, "arming")
        probe.until(lambda: sent()[-1] > speed["forward"][0][1] + STEP, "driving")
        os.kill(motor.process.pid, number)
        motor.wait()
        probe.until(lambda: abs(sent()[-1] - speed["neutral"]) < STEP, "neutral")
        probe.spin(0.7)  # until the stopper has ended
        assert sent()[-1] == pytest.approx(speed["neutral"], abs=STEP)
        braked = [one.time for one in chip.history() if abs((one.speed or 0.0) - speed["brake"]) < STEP]
    assert braked[-1] - braked[0] > 0.8 * speed["brake_time"]
