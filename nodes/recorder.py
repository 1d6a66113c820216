"""recorder: writes what the car sees, is told and does to MCAP files, which ros2 bag and Foxglove open.

Messages are taken as they came over the wire, and a thread writes them: nothing waits for the disk.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Annotated, Any

from diagnostic_msgs.msg import DiagnosticArray
from pydantic import Field
from rclpy.serialization import deserialize_message

from outlap import __version__
from outlap.errors import OutlapError
from outlap.files import read_bytes
from outlap.recording.bag import make_folder
from outlap.recording.definitions import full_definition
from outlap.recording.recorder import MIB, Limits, Recorder
from outlap.recording.repair import repair_all
from outlap.recording.spool import Spool
from outlap.recording.tape import Entry, Kind
from outlap.recording.telling import progress_line
from outlap.timing import Rate
from outlap.vehicle.car import car_file, load_car

from .shared import topics
from .shared.program import ERROR, OK, WARN, Diagnostics, LifecycleProgram, read_parameters, run, seconds, steady_clock
from .shared.statuses import MotorStatus, PolicyStatus, RecorderStatus, StatusReader

TOPICS = (
    topics.VIEW,
    topics.CAMERA_INFO,
    topics.RAW_JPEG,
    topics.COMMAND,
    topics.HAND_COMMAND,
    topics.MOTOR_STATE,
    topics.DIAGNOSTICS,
    topics.JOY,
    topics.GAMEPAD,
    topics.ODOMETRY,
)
LINE = 0.5  # s from one line of progress to the next


class Parameters(Limits):
    """See config/drive.yaml."""

    out: Annotated[str, Field(min_length=1)]
    raw: bool
    car: str
    seconds: Annotated[float, Field(ge=0)]
    queue_mib: Annotated[float, Field(gt=0, le=4096)]
    progress: bool


class RecorderNode(LifecycleProgram):
    """Everything in, files out."""

    def __init__(self) -> None:
        super().__init__("recorder")
        self._spool: Spool | None = None

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        recorded = [topic for topic in TOPICS if parameters.raw or topic is not topics.RAW_JPEG]
        kinds = {topic.resolved(self): _kind(topic.type) for topic in recorded}
        facts = {"outlap": __version__}
        if parameters.car:
            load_car(parameters.car)  # one that nobody could drive is not worth keeping: it is refused
            facts |= _car_facts(parameters.car)
        out = Path(parameters.out)
        self._folder = make_folder(out, datetime.now())
        self._spool = Spool(Recorder(self._folder, parameters, kinds), round(parameters.queue_mib * MIB))
        self._spool.describe(facts)
        self._steady = steady_clock()
        self._began, self._wall = self._steady.now().nanoseconds, time.time_ns()
        self._seconds, self._rate, self._dropped = parameters.seconds, Rate(), 0
        self._car, self._digest = parameters.car, ""  # as far as they are known
        self._reader = StatusReader(topics.DIAGNOSTICS.resolved(self), self._unusable, PolicyStatus, MotorStatus)
        for topic in recorded:
            topic.subscription(self, self._taker(topic), "recorder", raw=True)
        self._diagnostics = Diagnostics(self, self._status)
        self.create_timer(LINE, self._tick, clock=self._steady)
        self._progress = parameters.progress and sys.stdout.isatty()
        self.get_logger().info(f"recording to {self._folder}")
        Thread(target=self._repair, args=(out,), name="repair", daemon=True).start()

    def close(self) -> None:
        """Finish the file in hand."""
        if self._spool is None:
            return
        if not self._spool.close():
            print(f"error: {self._spool.status().paused or 'the disk takes too long'}.", file=sys.stderr)
        if self._progress:
            self._show()
            print(flush=True)

    def _taker(self, topic: topics.Topic[Any]) -> Callable[..., None]:
        name = topic.resolved(self)

        def take(data: bytes, info: Any) -> None:
            assert self._spool is not None
            # The recorder's own time never goes back, even when somebody sets the clock.
            received = self._wall + self._steady.now().nanoseconds - self._began
            self._spool.put(Entry(name, received, info["source_timestamp"], data))
            self._rate.add(seconds(self._steady))
            if topic is topics.DIAGNOSTICS:
                self._find_facts(data)

        return take

    def _find_facts(self, data: bytes) -> None:
        """Keep which policy drives which car, as their nodes tell."""
        assert self._spool is not None
        for heard in self._reader.read(deserialize_message(data, DiagnosticArray)):
            match heard.values:
                case PolicyStatus(digest=digest) if digest not in ("", self._digest):
                    self._digest = digest
                    self._spool.describe({"policy_digest": digest})
                case MotorStatus(car=car) if car and not self._car:
                    self._car = car
                    try:
                        self._spool.describe(_car_facts(car))
                    except OutlapError as error:
                        self.get_logger().warning(f"the car file is not recorded: {error}")

    def _unusable(self, sentence: str) -> None:
        self.get_logger().warning(sentence)

    def _repair(self, out: Path) -> None:
        """Finish what an earlier recorder could not."""
        mended, problems = repair_all(out)
        for path in mended:
            self.get_logger().info(f"{path} was torn and is whole now")
        for problem in problems:
            self.get_logger().warning(problem)

    def _tick(self) -> None:
        if self._progress:
            self._show()
        if self._seconds and self._elapsed() >= self._seconds:
            self.exit_code = 0

    def _elapsed(self) -> float:
        return (self._steady.now().nanoseconds - self._began) * 1e-9

    def _show(self) -> None:
        assert self._spool is not None
        line = progress_line(self._spool.status(), self._elapsed(), self._rate.hertz(seconds(self._steady)))
        print(f"\r{line}\x1b[K", end="", flush=True)

    def _status(self) -> tuple[bytes, str, RecorderStatus]:
        assert self._spool is not None
        status = self._spool.status()
        rate = self._rate.hertz(seconds(self._steady))
        values = RecorderStatus(**status._asdict(), folder=str(self._folder), seconds=self._elapsed(), rate_hz=rate)
        dropping, self._dropped = status.dropped > self._dropped, status.dropped
        if status.paused:
            return ERROR, f"not recording: {status.paused}", values
        if dropping:
            return WARN, f"recording, but the disk is too slow: {status.dropped} messages were dropped", values
        return (OK, "recording", values) if rate else (WARN, "nothing comes to be recorded", values)


def _kind(message: type) -> Kind:
    """A message class's type, and its definition from the installation that the class comes from."""
    package = message.__module__.split(".")[0]
    paths = [*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)), sys.prefix]
    prefixes = [*map(Path, paths), *Path(str(sys.modules[package].__file__)).parents]
    name = f"{package}/msg/{message.__name__}"
    return Kind(name, full_definition(name, prefixes))


def _car_facts(name: str) -> dict[str, str]:
    path = car_file(name)
    return {"car": name, "car_file": read_bytes(path, "car file").decode(errors="replace")}


def main() -> None:
    run(RecorderNode)


if __name__ == "__main__":
    main()
