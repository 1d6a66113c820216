"""What the motor writes to: the simulator's topics, or the hardware that the car file names."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

from rclpy.node import Node
from std_msgs.msg import Float64

from outlap.drivers.actuator import Actuator
from outlap.drivers.lock import hold_hardware
from outlap.drivers.opening import open_actuator
from outlap.vehicle.car import Car

from . import topics

ActuatorName = Literal["simulator", "car"]


class SimulatorActuator(Actuator):
    """Writes to the simulator's topics."""

    def __init__(self, node: Node, car: Car) -> None:
        self._car = car
        self._steering = topics.STEERING.publisher(node)
        self._wheel_speed = topics.WHEEL_SPEED.publisher(node)

    def write(self, now: float, steering: float, speed: float) -> None:
        self._steering.publish(Float64(data=steering))
        self._wheel_speed.publish(Float64(data=self._car.wheel_speed(speed)))

    def stop(self, now: float) -> None:
        self._wheel_speed.publish(Float64(data=0.0))

    @property
    def heard(self) -> bool:
        """Whether anybody listens yet: what is written before that is lost."""
        return self._wheel_speed.get_subscription_count() > 0

    def close(self) -> None:
        """Nothing is held: the topics end with their node."""


def held(name: ActuatorName, car: Car) -> AbstractContextManager[None]:
    """While this lasts, no other motor node and no calibration has the same hardware; the topics hold nobody off.

    Raises:
        OutlapError: another process has it; or the car file names no hardware.
    """
    return nullcontext() if name == "simulator" else hold_hardware(car, "the motor node")


def open_named(name: ActuatorName, car: Car, node: Node) -> Actuator:
    """The actuator of that name; the simulator's topics are published by ``node``.

    Raises:
        OutlapError: the car file names no hardware, or it is not there.
    """
    return SimulatorActuator(node, car) if name == "simulator" else open_actuator(car)
