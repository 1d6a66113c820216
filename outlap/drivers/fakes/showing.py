"""Runs a stand-in as a program that prints what the car is told, for people without the hardware."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import yaml

from outlap.drivers.fakes.standin import StandIn
from outlap.errors import OutlapError
from outlap.files import write_atomic
from outlap.vehicle.car import load_car

LOOK = 0.05  # s between two looks at what arrived


def add_car(parser: argparse.ArgumentParser) -> None:
    """Let the program be asked for a car file."""
    parser.add_argument("--car", type=Path, help="a car file that it writes, with itself as the actuator")


def write_car(path: Path, like: str, hardware: dict[str, object]) -> None:
    """Write the car file of the car ``like``, with ``hardware`` instead of its own.

    Raises:
        OutlapError: the file cannot be written.
    """
    facts = load_car(like).model_dump(mode="json", exclude_none=True)
    facts["actuator"] |= hardware
    write_atomic(path, f"# {like}, with a stand-in for its actuator.\n{yaml.safe_dump(facts, sort_keys=False)}")
    print(f"{path} names it.\n", flush=True)


def run(kind: Callable[[str], StandIn], what: str, path: str, like: str) -> int:
    """Run a stand-in that lies at a path as a program, until Ctrl-C; the exit code.

    It says how a car file names it, and prints each change of its outputs in µs. With ``--car`` it writes the car file
    of the car ``like``, with itself as the actuator.

    Args:
        kind: makes the stand-in at a path.
        what: what it stands for, for the help.
        path: what lies there, for the help.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m outlap.drivers.fakes.{Path(sys.argv[0]).stem}", description=f"{what} to try with."
    )
    parser.add_argument("path", help=path)
    add_car(parser)
    options = parser.parse_args()
    stand_in, car = kind(options.path), options.car
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: what a script starts in the background ignores it
        signal.signal(number, signal.default_int_handler)
    try:
        with stand_in:
            print("In the car file, section actuator:\n")
            print("\n".join(f"  {line}" for line in yaml.safe_dump(stand_in.hardware, sort_keys=False).splitlines()))
            print()
            if car is not None:
                write_car(car, like, stand_in.hardware)
            print("Ctrl-C ends it. What the car is told:\n", flush=True)
            _follow(stand_in)
    except KeyboardInterrupt:
        return 0
    except OutlapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _follow(stand_in: StandIn) -> NoReturn:
    began, before, seen = time.monotonic(), None, 0
    while True:
        sent = stand_in.history()
        for one in sent[seen:]:
            if (one.steering, one.speed) != before:
                before = one.steering, one.speed
                told = "   ".join(
                    f"{name} {_told(value):>10}" for name, value in (("steering", one.steering), ("speed", one.speed))
                )
                print(f"{one.time - began:9.2f} s   {told}", flush=True)
        seen = len(sent)
        time.sleep(LOOK)


def _told(value: float | None) -> str:
    return "off" if value is None else f"{round(value, 1):g} µs"
