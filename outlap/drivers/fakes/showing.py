"""Runs a stand-in as a program that prints what the car is told, for people without the hardware."""

from __future__ import annotations

import signal
import sys
import time
from typing import NoReturn

import yaml

from outlap.drivers.fakes.standin import StandIn
from outlap.errors import OutlapError

LOOK = 0.05  # s between two looks at what arrived


def show(stand_in: StandIn, unit: str) -> int:
    """Say how a car file names the stand-in, then print each change of its outputs, until Ctrl-C; the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: what a script starts in the background ignores it
        signal.signal(number, signal.default_int_handler)
    try:
        with stand_in:
            print("In the car file, section actuator:\n")
            print("\n".join(f"  {line}" for line in yaml.safe_dump(stand_in.hardware, sort_keys=False).splitlines()))
            print("\nCtrl-C ends it. What the car is told:\n", flush=True)
            _follow(stand_in, unit)
    except KeyboardInterrupt:
        return 0
    except OutlapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _follow(stand_in: StandIn, unit: str) -> NoReturn:
    began, before, seen = time.monotonic(), None, 0
    while True:
        sent = stand_in.history()
        for one in sent[seen:]:
            if (one.steering, one.speed) != before:
                before = one.steering, one.speed
                told = "   ".join(
                    f"{name} {_told(value, unit):>10}"
                    for name, value in (("steering", one.steering), ("speed", one.speed))
                )
                print(f"{one.time - began:9.2f} s   {told}", flush=True)
        seen = len(sent)
        time.sleep(LOOK)


def _told(value: float | None, unit: str) -> str:
    return "off" if value is None else f"{round(value, 1 if abs(value) > 100 else 3):g} {unit}".strip()
