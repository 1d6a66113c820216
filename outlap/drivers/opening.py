"""Opens the hardware that a car file names."""

from __future__ import annotations

import importlib

from outlap.drivers.actuator import SignalActuator
from outlap.errors import OutlapError
from outlap.vehicle.car import Car

# driver: module and class in it. A driver's module imports its bus's library, which only that car needs.
DRIVERS = {
    "pca9685": ("outlap.drivers.pca9685", "Pca9685Actuator"),
    "vesc": ("outlap.drivers.vesc", "VescActuator"),
    "deepracer": ("outlap.drivers.deepracer", "DeepRacerActuator"),
}


def open_actuator(car: Car) -> SignalActuator:
    """The hardware that steers and drives ``car``, opened; nothing has been written but what it needs to begin.

    Raises:
        ActuatorError: it is not there, or does not answer.
        OutlapError: the car file names none.
    """
    if car.actuator is None:
        raise OutlapError(f"the car file of {car.name!r} has no section 'actuator': it can only be simulated.")
    module, name = DRIVERS[car.actuator.driver]
    return getattr(importlib.import_module(module), name)(car)
