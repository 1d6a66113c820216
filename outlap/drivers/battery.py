"""When a battery is too low to drive, by the voltage that an actuator reports."""

from __future__ import annotations

import math

from outlap.vehicle.hardware import Battery

SAG = 0.5  # s that the voltage may lie below `empty`: it gives way for a moment whenever the car speeds up


class BatteryWatch:
    """Watches one battery; times are steady s."""

    def __init__(self, battery: Battery | None) -> None:
        """``battery`` is the car file's; without one, nothing is watched."""
        self._battery = battery
        self._enough = -math.inf  # when it was last at `empty` or above

    def problem(self, now: float, voltage: float | None, armed: bool) -> str:
        """What is wrong, in words; empty where nothing is, or where the voltage (V) is not known.

        A car that is not armed needs ``low``; an armed one may go on until it has lain below ``empty`` for SAG.
        """
        if self._battery is None or voltage is None:
            return ""
        if voltage >= self._battery.empty:
            self._enough = now
        if not armed and voltage < self._battery.low:
            return f"the battery has {voltage:.1f} V, and arming needs {self._battery.low:g} V (battery.low): charge it"
        if armed and now - self._enough > SAG:
            return f"the battery has {voltage:.1f} V, less than {self._battery.empty:g} V (battery.empty): charge it"
        return ""
