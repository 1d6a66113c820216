"""The PCA9685, a 16-channel PWM chip on the I2C bus, with a servo and a speed controller on two of its channels.

Registers, bits and rules are those of NXP's data sheet PCA9685, rev. 4 (16 April 2015); sections are named where they
are used. A pulse starts at count 0 of each period, so the count at which it ends is its width.
"""

from __future__ import annotations

import time

from outlap.drivers.actuator import ActuatorError, SignalActuator
from outlap.drivers.i2c import open_bus
from outlap.vehicle.car import Car
from outlap.vehicle.hardware import Pca9685, check_pulse

COUNTS = 4096  # of one period (12 bits)

# Table 4, register summary.
MODE1, MODE2, LED0_ON_L, ALL_LED_OFF_H, PRE_SCALE = 0x00, 0x01, 0x06, 0xFD, 0xFE
REGISTERS_PER_CHANNEL = 4  # ON_L, ON_H, OFF_L, OFF_H

# Table 5, MODE1. ALLCALL stays clear: what is written to every chip on the bus at once is not for a car.
EXTCLK, AUTO_INCREMENT, SLEEP = 0x40, 0x20, 0x10
# Table 6, MODE2: totem pole outputs, not inverted, that change on STOP.
INVRT, OCH, OUTDRV = 0x10, 0x08, 0x04
FULL_OFF = 0x10  # section 7.3.3: bit 4 of LEDn_OFF_H
PRE_SCALE_RANGE = 3, 255  # section 7.3.5: the hardware forces 3 as the least
WAKING = 0.001  # s; section 7.3.1: the oscillator needs 500 µs at most


class Pca9685Actuator(SignalActuator):
    """Servo and speed controller on a PCA9685. Signals are pulse widths in µs."""

    def __init__(self, car: Car) -> None:
        """Open the chip. One that already runs at the car's frequency goes on undisturbed.

        Raises:
            ActuatorError: it is not there, does not answer, or cannot be set up.
        """
        super().__init__(car)
        assert isinstance(car.actuator, Pca9685)
        self._chip = car.actuator
        self._scale = prescale(self._chip.frequency, self._chip.oscillator)
        self._ready = False
        self._bus = open_bus(self._chip.bus)
        try:
            self._prepare()
        except ActuatorError:
            self._bus.close()
            raise

    def send(self, steering: float | None, speed: float | None) -> None:
        channels = {
            channel: self._count(pulse)
            for channel, pulse in ((self._chip.steering_channel, steering), (self._chip.speed_channel, speed))
            if pulse is not None
        }
        if not self._ready:
            self._prepare()
        self._ready = False  # until all of this has succeeded
        for register, data in _writes(channels):
            self._bus.write(self._chip.address, bytes([register]) + data)
        mode = self._read(MODE1)
        if mode & (AUTO_INCREMENT | SLEEP | EXTCLK) != AUTO_INCREMENT:
            # A dip of the supply sets it back (section 7.5); nothing written since has done anything.
            raise ActuatorError(f"{self._named} has lost its settings: check its power supply (a dip resets it).")
        self._ready = True

    def sent_speed(self) -> float | None:
        if not self._ready:
            self._prepare()
        first = LED0_ON_L + REGISTERS_PER_CHANNEL * self._chip.speed_channel
        on_low, on_high, off_low, off_high = self._bus.read(self._chip.address, first, REGISTERS_PER_CHANNEL)
        if off_high & FULL_OFF:
            return None
        counts = ((off_high << 8 | off_low) - (on_high << 8 | on_low)) % COUNTS
        return counts * (self._scale + 1) / self._chip.oscillator * 1e6

    def close(self) -> None:
        self._bus.close()

    @property
    def _named(self) -> str:
        return f"the PCA9685 at {self._chip.address:#04x} of {self._chip.bus}"

    def _read(self, register: int) -> int:
        return self._bus.read(self._chip.address, register, 1)[0]

    def _set(self, register: int, value: int) -> None:
        self._bus.write(self._chip.address, bytes([register, value]))

    def _prepare(self) -> None:
        """See that the chip makes pulses of the car's frequency, without a break where it already does."""
        mode1, mode2, scale = self._read(MODE1), self._read(MODE2), self._read(PRE_SCALE)
        if mode1 & EXTCLK:
            # Section 7.3.1: nothing but a power cycle or a software reset of the whole bus takes that back.
            raise ActuatorError(f"{self._named} was set to an external clock: switch its power off and on.")
        if mode1 & SLEEP or scale != self._scale or mode2 & INVRT:
            self._begin()
        else:
            # None of these changes a pulse. Writing 0 to RESTART does nothing.
            if not mode1 & AUTO_INCREMENT:
                self._set(MODE1, AUTO_INCREMENT)
            if mode2 & (OCH | OUTDRV) != OUTDRV:
                self._set(MODE2, OUTDRV)
        self._ready = True

    def _begin(self) -> None:
        """Set the frequency. Until a channel is written it is off: no pulse is left from another frequency."""
        self._set(ALL_LED_OFF_H, FULL_OFF)  # the orderly shutdown of section 7.3.1.1: nothing to RESTART later
        self._set(MODE1, AUTO_INCREMENT | SLEEP)
        self._set(PRE_SCALE, self._scale)  # section 7.3.5: taken only while asleep
        self._set(MODE2, OUTDRV)
        self._set(MODE1, AUTO_INCREMENT)
        time.sleep(WAKING)
        found = self._read(MODE1), self._read(MODE2), self._read(PRE_SCALE)
        if found != (AUTO_INCREMENT, OUTDRV, self._scale):
            said = ", ".join(f"{value:#04x}" for value in found)
            raise ActuatorError(f"{self._named} does not keep its settings ({said}): is it a PCA9685 at all?")

    def _count(self, pulse: float) -> int:
        """Pulse width in µs as the count at which it ends: of the period that the chip really makes."""
        check_pulse(pulse, ActuatorError)
        return round(pulse * 1e-6 * self._chip.oscillator / (self._scale + 1))


def prescale(frequency: float, oscillator: float) -> int:
    """PRE_SCALE for ``frequency`` Hz: round(oscillator / (4096 · frequency)) - 1 (section 7.3.5)."""
    least, most = PRE_SCALE_RANGE
    return min(max(round(oscillator / (COUNTS * frequency)) - 1, least), most)


def _writes(channels: dict[int, int]) -> list[tuple[int, bytes]]:
    """First register and content of as few writes as set the channels (channel: count), neighbours in one."""
    writes: list[tuple[int, bytes]] = []
    for channel, count in sorted(channels.items()):
        register = LED0_ON_L + REGISTERS_PER_CHANNEL * channel
        data = bytes([0, 0, count & 0xFF, count >> 8])
        if writes and writes[-1][0] + len(writes[-1][1]) == register:
            register, before = writes.pop()
            data = before + data
        writes.append((register, data))
    return writes
