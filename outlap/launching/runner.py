"""Runs a launch file where ROS's own launch is not installed: starts its processes, shows their output, ends all."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from outlap.errors import OutlapError
from outlap.launching.children import Child, Guard, exit_text
from outlap.launching.domain import claim_domain
from outlap.launching.environment import ros_environment
from outlap.launching.namespace import argument_namespace
from outlap.launching.output import Output
from outlap.launching.plan import Process, plan_processes

# What a graph that must end is told, and how long it gets before the next word (s).
ESCALATION = ((signal.SIGINT, 5.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0))
FORWARDED = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM, signal.SIGHUP: signal.SIGTERM}


def run_launch_file(path: Path, arguments: dict[str, str], environment: dict[str, str] | None = None) -> int:
    """Run a launch file until a required process (``on_exit="shutdown"``) or all of them have ended.

    SIGINT, SIGTERM and SIGHUP are passed on, then escalated; a second one escalates at once. No process is left
    behind, even when this one is killed. Without an ``environment`` a ROS domain is claimed for the run.

    Returns:
        The exit code of the required process that ended the graph; without one, that of the first process that ended
        badly, else 0; 128 + N after signal N (Ctrl-C: 130).

    Raises:
        OutlapError: the file cannot be carried out (nothing was started), or a program cannot be started.
    """
    if environment is not None:
        return _Graph(plan_processes(path, arguments, environment)).run()
    with claim_domain(argument_namespace(arguments)) as domain:
        return _Graph(plan_processes(path, arguments, ros_environment(domain.id))).run()


class _Graph:
    def __init__(self, processes: list[Process]) -> None:
        self._processes = processes
        self._output = Output([process.name for process in processes])
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, Child] = {}  # by process id, the living ones
        self._result: int | None = None  # decided when the graph was told to end
        self._failure = 0  # exit code of the first process that ended badly by itself
        self._stage = -1  # index into ESCALATION; -1 while the graph is meant to run
        self._deadline = 0.0

    def run(self) -> int:
        refusal: OutlapError | None = None
        with Guard() as guard, self._signals(), contextlib.closing(self._selector):
            try:
                self._start_all(guard)
            except OutlapError as error:  # those that did start end like any others
                refusal = error
                self._stop(error.exit_code)
            try:
                while self._children and self._stage < len(ESCALATION):
                    self._wait(guard)
            except BaseException:  # an error of our own, too, leaves nothing behind
                for child in self._children.values():
                    child.reap(guard)
                raise
        if refusal is not None:
            raise refusal
        for child in self._children.values():
            self._output.say(f"{child.name} (process {child.pid}) does not even end when killed")
        return self._failure if self._result is None else self._result

    def _start_all(self, guard: Guard) -> None:
        for process in self._processes:
            child = Child(process, guard)
            self._children[child.pid] = child
            self._selector.register(child.ended, selectors.EVENT_READ, ("ended", child))
            self._selector.register(child.output, selectors.EVENT_READ, ("output", child))

    def _wait(self, guard: Guard) -> None:
        timeout = None if self._stage < 0 else max(0.0, self._deadline - time.monotonic())
        events = self._selector.select(timeout)
        if not events and timeout is not None:
            self._escalate()
        # Output first, so that the last words of a process stand before the note of its end.
        for key, _ in sorted(events, key=lambda event: event[0].data[0] != "output"):
            what, child = key.data
            if what == "signal":
                for number in os.read(key.fd, 64):
                    self._interrupted(signal.Signals(number))
            elif what == "output" and not self._output.copy(child.name, child.output):
                self._selector.unregister(child.output)
                child.closed = True
            elif what == "ended":
                self._ended(child, guard)
        if self._output.unread and self._stage < 0:
            self._stop(128 + signal.SIGPIPE)

    def _ended(self, child: Child, guard: Guard) -> None:
        self._selector.unregister(child.ended)
        code = child.reap(guard)
        del self._children[child.pid]
        if not child.closed:
            self._output.copy(child.name, child.output)
            self._selector.unregister(child.output)
        self._output.flush(child.name)
        child.close()
        if self._stage >= 0:
            if code not in (0, 130, 143, -signal.SIGINT, -signal.SIGTERM):
                self._output.say(f"{child.name} {exit_text(code)} while it was being stopped")
            return
        if code != 0:
            self._failure = self._failure or exit_code(code)
        if child.required:
            self._output.say(f"{child.name} {exit_text(code)}: stopping the rest" if self._children else "")
            self._stop(exit_code(code))
        elif code != 0:
            self._output.say(f"{child.name} {exit_text(code)}")

    def _interrupted(self, number: signal.Signals) -> None:
        if self._stage < 0:
            self._output.say(f"{number.name}: stopping")
            self._stop(128 + number, FORWARDED[number])
        elif self._stage + 1 < len(ESCALATION):
            self._escalate()

    def _stop(self, result: int, first: signal.Signals = signal.SIGINT) -> None:
        self._result = result
        self._stage = [number for number, _ in ESCALATION].index(first) - 1
        self._escalate()

    def _escalate(self) -> None:
        self._stage += 1
        if self._stage == len(ESCALATION):
            return
        number, patience = ESCALATION[self._stage]
        if number == signal.SIGKILL and self._children:
            self._output.say(f"killing {', '.join(child.name for child in self._children.values())}: did not stop")
        for child in self._children.values():
            child.signal(number)
        self._deadline = time.monotonic() + patience

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals to this process become bytes in a pipe that the loop reads."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python gives signals to the main thread only
            return
        read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(read, selectors.EVENT_READ, ("signal", None))
        kept = {number: signal.signal(number, lambda n, _: os.write(write, bytes([n]))) for number in FORWARDED}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)
            os.close(read)
            os.close(write)


def exit_code(code: int) -> int:
    """A process's return code as a shell would give it."""
    return code if code >= 0 else 128 - code
