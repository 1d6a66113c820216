"""stopper: stops the car when the motor's process is gone or stands still. The motor starts it.

It opens the same actuator, is in no process group of the motor's, and listens to nothing but a pipe: each of the
motor's ticks is a byte, and is answered with one. When the pipe ends (the motor was killed) or stays silent, it says
so, for a motor that goes on after all. Then it writes speed zero and leaves the steering as it is, for half a second
(after the brake, where the car brakes), and ends. No message and no discovery is needed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from typing import BinaryIO

import rclpy
import rclpy.utilities
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from outlap.drivers.actuator import Actuator, ActuatorError
from outlap.drivers.opening import open_actuator
from outlap.errors import OutlapError
from outlap.files import Model, validate
from outlap.safety.gate import STALE_AFTER
from outlap.vehicle.car import load_car

from .shared.actuators import ActuatorName, SimulatorActuator

BEAT = b"."
STOPS = b"!"  # what is answered last: the motor was taken for dead
SILENCE = STALE_AFTER  # s without a beat, after which the motor is taken for dead
UNANSWERED = 1.0  # s without an answer, after which the motor takes the stopper for dead
WRITING = 0.5  # s, for which the last neutral is written
EVERY = 0.02  # s between these writes: a disturbed bus may refuse some
DISCOVERY = 2.0  # s, for which the simulator is waited for
SETTLING = 0.2  # s from knowing it until it knows the stopper, too
START_AGAIN = 2.0  # s between two attempts to start it


class Arguments(Model):
    """What the motor starts it with."""

    actuator: ActuatorName
    car: str
    namespace: str  # the motor's


def main() -> None:
    """Watch the motor whose pipe is standard input; the arguments are the actuator, the car and the namespace."""
    # What ends the graph must not end the one who stops the car; it ends by itself, right after the motor.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        words = dict(zip(("actuator", "car", "namespace"), sys.argv[1:], strict=False))
        arguments = validate(words, Arguments, "the command line of the stopper", "configuration")
        actuator = _open(arguments)
    except OutlapError as error:
        print(f"error: stopper: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    watch(sys.stdin.buffer, sys.stdout.buffer)
    # A motor that only stood still for a moment must not drive against what is written now.
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), STOPS)
    stop(actuator)
    actuator.close()
    rclpy.utilities.try_shutdown()


def _open(arguments: Arguments) -> Actuator:
    car = load_car(arguments.car)
    if arguments.actuator == "car":
        actuator = open_actuator(car)  # and no ROS beside it
        # That it opens is known now. A VESC whose port is held open comes back under another name when it is replugged;
        # the first write opens it again.
        actuator.close()
        return actuator
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node("stopper", namespace=arguments.namespace, enable_rosout=False, start_parameter_services=False)
    actuator = SimulatorActuator(node, car)
    # No beat is answered, so that nothing drives, before the simulator would hear it; where there is none, it goes on,
    # and where the motor is gone by now, there is nothing to wait for.
    ended = select.poll()
    ended.register(sys.stdin.buffer, 0)  # hung up is always told
    end = time.monotonic() + DISCOVERY
    while not actuator.heard and not ended.poll(0) and time.monotonic() < end:
        time.sleep(EVERY)
    time.sleep(SETTLING)
    return actuator


def watch(beats: BinaryIO, answers: BinaryIO) -> None:
    """Answer beats until they end or fail to come."""
    while select.select([beats], [], [], SILENCE)[0]:
        received = os.read(beats.fileno(), 4096)
        if not received:
            return
        with contextlib.suppress(BrokenPipeError):  # then it is gone, which the next look finds
            os.write(answers.fileno(), BEAT)


def stop(actuator: Actuator) -> None:
    """Write speed zero for a while, whatever is refused; of a car that brakes, the last of it is neutral."""
    end = time.monotonic() + WRITING
    while True:
        now = time.monotonic()
        with contextlib.suppress(ActuatorError):
            actuator.stop(now)
        if actuator.braking(now):
            end = now + WRITING
        elif now >= end:
            return
        time.sleep(EVERY)


class Watched:
    """The motor's end of it: starts a stopper, beats, and knows whether it listens."""

    def __init__(self, actuator: ActuatorName, car: str, namespace: str, now: float) -> None:
        self._command = [sys.executable, "-m", "outlap_nodes.stopper", actuator, car, namespace]
        self._start(now)

    def _start(self, now: float) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        os.set_blocking(self._process.stdout.fileno(), False)
        self._started, self._answered = now, float("-inf")  # steady s
        self._stops = False  # whether it has taken the motor for dead, and writes speed zero

    def beat(self, now: float) -> str:
        """Tell it at ``now`` (steady s) that the motor lives; what is wrong with it in words, empty when it listens."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._process.stdin.fileno(), BEAT)
        with contextlib.suppress(BlockingIOError):
            if answers := os.read(self._process.stdout.fileno(), 4096):
                self._answered = now
                self._stops |= STOPS in answers
        code = self._process.poll()
        if code is None and self._stops:
            return f"the stopper stops the car: it heard nothing of the motor's own process for {SILENCE:g} s"
        if code is None:
            listens = now - self._answered <= UNANSWERED
            return "" if listens else "the stopper, which guards the motor's own process, is not ready"
        if now - self._started >= START_AGAIN:
            self._close_pipes()
            self._start(now)
        return f"the stopper, which guards the motor's own process, has ended with exit code {code}"

    def close(self) -> None:
        """End it: it writes a last neutral of its own."""
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


if __name__ == "__main__":
    main()
