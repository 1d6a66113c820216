"""The car's hardware while it is calibrated: held alone, sent again and again, and neutral whatever ends it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from outlap.calibration.dialog import Dialog
from outlap.calibration.guard import Guarded
from outlap.drivers.actuator import ActuatorError, SignalActuator
from outlap.drivers.lock import hold_hardware
from outlap.drivers.opening import open_actuator
from outlap.errors import OutlapError
from outlap.vehicle.car import Car, load_car
from outlap.vehicle.hardware import DeepRacerPwm, Vesc

REFRESH = (
    0.05  # s, between writes; a VESC lets its motor go when nothing came for as long as its timeout, 1 s by default
)
ATTEMPTS = 3  # at a write that the bus does not take
RESTS = 20.0  # s without a key, after which turning wheels stop: the terminal's link may be cut


class Unit(NamedTuple):
    """A signal's unit, and steps of it that a person can tell apart."""

    name: str
    fine: float
    coarse: float
    probe: float  # enough to be seen
    low: float  # never sent below
    high: float  # never sent above
    digits: int  # after the point

    def show(self, signal: float) -> str:
        """The signal with its unit."""
        return f"{signal:.{self.digits}f}{' ' * bool(self.name)}{self.name}"


# Of a servo: 500 to 2500 µs is what the widest take. Of an RC speed controller: 1000 to 2000 µs is the usual range.
PULSE = Unit("µs", 2.0, 10.0, 60.0, 500.0, 2500.0, 0)
THROTTLE = PULSE._replace(low=1000.0, high=2000.0, probe=40.0)
SERVO = Unit("", 0.004, 0.02, 0.12, 0.0, 1.0, 3)
ERPM = Unit("ERPM", 50.0, 250.0, 1000.0, -60_000.0, 60_000.0, 0)


def units(car: Car) -> tuple[Unit, Unit]:
    """The units of the steering's and of the drive's signals."""
    return (SERVO, ERPM) if isinstance(car.actuator, Vesc) else (PULSE, THROTTLE)


class Rig:
    """The actuator of one car, and what it is sent now."""

    def __init__(self, car: Car, actuator: SignalActuator, dialog: Dialog, guard: Guarded | None = None) -> None:
        self._actuator, self._dialog, self._guard = actuator, dialog, guard
        self.steering_unit, self.speed_unit = units(car)
        self.neutral = actuator.speed_map.neutral  # signal at which the wheels stand
        self.steering = actuator.steering_map.centre
        self.speed = self.neutral
        self._speed_sent = False  # the drive is sent nothing before it is asked for something

    def send(self, steering: float | None = None, speed: float | None = None) -> None:
        """Send signals, within their units' limits; None leaves that one as it is.

        Raises:
            ActuatorError: the hardware did not take them, three times in a row.
        """
        if steering is not None:
            self.steering = min(max(steering, self.steering_unit.low), self.steering_unit.high)
        if speed is not None:
            self.speed = min(max(speed, self.speed_unit.low), self.speed_unit.high)
            self._speed_sent = True
        if self._guard is not None:
            self._guard.tell(self.neutral, self.speed != self.neutral)
        for attempt in range(ATTEMPTS):
            try:
                self._actuator.send(self.steering, self.speed if self._speed_sent else None)
                return
            except ActuatorError:
                if attempt == ATTEMPTS - 1:
                    raise

    def wait(self, seconds: float) -> str:
        """Go on sending for ``seconds``, or until a key is pressed, which is returned."""
        end = self._dialog.now() + seconds
        while (left := end - self._dialog.now()) > 1e-6:
            if key := self._dialog.key(min(left, REFRESH)):
                return key
            self.send()
        return ""

    def stop(self) -> None:
        """Speed zero, by all means: keeps trying through interruptions, and raises them afterwards.

        Raises:
            OutlapError: the hardware takes nothing any more.
        """
        interrupted: BaseException | None = None
        failed: ActuatorError | None = None
        self.speed = self.neutral
        for _ in range(ATTEMPTS):
            try:
                self._actuator.send(None, self.neutral)
                break
            except ActuatorError as error:
                failed = error
            except BaseException as error:
                interrupted = error
        else:
            raise OutlapError(f"neutral could not be sent, switch the car off NOW: {failed}") from failed
        if self._guard is not None:
            # One that is gone, or stops the car itself, changes nothing here: neutral is what was sent.
            with contextlib.suppress(OutlapError):
                self._guard.tell(self.neutral, False)
        if interrupted is not None:
            raise interrupted

    def nudge(self, drive: bool, start: float, positive: float = 1.0) -> float:
        """The signal that the person has found by keys, starting at ``start``; it is being sent when this returns.

        Args:
            drive: of the drive; else of the steering.
            start: signal.
            positive: sign of the signal that → stands for.
        """
        unit = self.speed_unit if drive else self.steering_unit
        steps = {"right": unit.fine, "left": -unit.fine, "d": unit.coarse, "a": -unit.coarse}
        signal, pressed, resting = start, self._dialog.now(), False
        while True:
            self.send(**{"speed" if drive else "steering": self.neutral if resting else signal})
            shown = "resting, any key goes on" if resting else "← → fine, a d coarse, Enter when done, q gives up"
            self._dialog.status(f"{unit.show(signal)}   ({shown})")
            key = self._dialog.key(REFRESH)
            now = self._dialog.now()
            if key:
                pressed = now
                if resting:
                    resting = False
                elif key == "enter":
                    return self.speed if drive else self.steering
                else:
                    signal = min(max(signal + positive * steps.get(key, 0.0), unit.low), unit.high)
            elif drive and now - pressed > RESTS:
                resting = True


@contextlib.contextmanager
def opened_rig(path: Path, dialog: Dialog) -> Iterator[Rig]:
    """The hardware of the car file at ``path``, opened and held for this process alone.

    Neutral is sent at the end, whatever ends it; when this process is killed or suspended, by a guard.

    Raises:
        ActuatorError: it is not there, or another process holds it.
        OutlapError: the car file names none.
    """
    car = load_car(path)
    if isinstance(car.actuator, DeepRacerPwm) and car.actuator.calibration:
        raise OutlapError(
            f"{path}: actuator.calibration names the car's own calibration, which takes the place of this file's: set "
            "it to '' first."
        )
    with hold_hardware(car, "a calibration"):
        actuator = open_actuator(car)
        try:
            guard = Guarded(path)
            try:
                rig = Rig(car, actuator, dialog, guard)
                try:
                    yield rig
                finally:
                    rig.stop()
            finally:
                guard.close()
        finally:
            actuator.close()
