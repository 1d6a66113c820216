"""``outlap calibrate`` at a real terminal, on a stand-in for the hardware: whatever ends it, the car stands."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outlap.calibration.fakes.trials import car_file
from outlap.drivers.fakes.pca9685 import FakePca9685
from outlap.drivers.lock import lock_path
from outlap.vehicle.car import load_car

pytestmark = pytest.mark.slow

pytest.importorskip("smbus2", reason="the driver of the PCA9685 needs it: pip install 'outlap[car]'")

PATIENCE = 60.0  # s, for anything that must happen on a busy machine
STALLED = "the calibration stood still for 0.3 s while the wheels turned"  # on a busy machine, at any moment


class Session:
    """The command in a pseudo-terminal, and what a person sees and types."""

    def __init__(self, *words: str) -> None:
        self._terminal, inner = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "outlap.cli.main", "calibrate", *words],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            env=os.environ | {"COLUMNS": "1000"},
        )
        os.close(inner)
        self.seen = ""

    def expect(self, pattern: str) -> None:
        """Wait until something is seen; what was before it has been read."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < end, f"{pattern!r} never came: {self.seen!r}"
            assert self._read(), f"ended before {pattern!r}: {self.seen!r}"
        self.seen = self.seen[found.end() :]

    def type(self, keys: str) -> None:
        # A question first throws away what was typed before it: a person is slower than that.
        time.sleep(0.1)
        os.write(self._terminal, keys.encode())

    def answer(self, pattern: str, keys: str) -> None:
        self.expect(pattern)
        self.type(keys)

    def ended(self) -> int:
        """The exit code; all that was still said has been read."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._terminal)

    def _read(self) -> bool:
        if select.select([self._terminal], [], [], 0.2)[0]:
            try:
                self.seen += os.read(self._terminal, 65536).decode(errors="replace")
            except OSError:  # the other side has been closed
                return False
            return True
        return self.process.poll() is None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A car file with an actuator that nobody has calibrated."""
    return car_file(tmp_path)


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[FakePca9685]:
    with FakePca9685(str(tmp_path / "bus")) as chip:
        yield chip


@pytest.fixture
def wired(path: Path, chip: FakePca9685) -> Iterator[Path]:
    """The car file with the stand-in's socket."""
    keys = "".join(f"  {key}: {value}\n" for key, value in chip.hardware.items() if key != "driver")
    path.write_text(path.read_text().replace("  driver: pca9685\n", f"  driver: pca9685\n{keys}"))
    file = lock_path(load_car(path))
    yield path
    file.unlink(missing_ok=True)


@pytest.fixture
def start() -> Iterator[Callable[..., Session]]:
    """``start("steering", "--car", path)``: the command, running."""
    sessions: list[Session] = []

    def begin(*words: object) -> Session:
        sessions.append(Session(*map(str, words)))
        return sessions[-1]

    yield begin
    for session in sessions:
        session.close()


def turn_wheels(session: Session, chip: FakePca9685) -> None:
    """Go on until the drive's signal is well off neutral."""
    session.answer("ALL wheels off the floor", "\r")
    session.answer("Switch the speed controller on", "\r")
    session.answer("Do all wheels stand still", "y")
    session.answer("just begin to turn", "dddddddd")
    until(lambda: (chip.history()[-1].speed or 0) > 1550)


def given_up(session: Session) -> None:
    code = session.ended()
    assert code == 130 or STALLED in session.seen, session.seen


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_whole_steering_calibration(start: Callable, wired: Path, chip: FakePca9685) -> None:
    session = start("steering", "--car", wired)
    session.answer("wheelbase 164 mm", "y")
    session.answer("Lift the front wheels", "\r")
    session.answer("Which way did the front wheels turn", "l")
    session.answer("straight ahead, by eye", "d\x1b[C\x1b[D\r")  # coarse right, fine right, fine left
    session.answer("to the left until", "aaaa\r")
    session.answer("to the right until", "dddd\r")
    session.answer("Put the car on the floor", "\r")
    for _ in range(4):
        session.answer("from mark to mark", "88,5\r")
    session.answer("How many m", "3\r")
    for length, slip in ((100, "wide"), (300, "1,5,")):
        for _ in range(2):
            session.answer("at the line's start", "\r")
            session.answer(f"come {length // 2} cm", "0\r")
            session.answer(f"come {length} cm", f"{slip}\r")
            session.answer("A number, please", "0\r")
    session.answer(r"actuator\.steering\.centre.*1500.*1490", "")
    session.answer("Write it to", "y")
    assert session.ended() == 0, session.seen
    car = load_car(wired)
    assert car.actuator is not None
    assert car.actuator.steering.centre == 1490  # the file's left is the wider pulse
    assert car.actuator.steering.left[1] == 1590
    assert car.actuator.steering.right[1] == 1390
    assert all(sent.speed is None or sent.speed == pytest.approx(1500, abs=3) for sent in chip.history())
    assert chip.history()[-1].speed == pytest.approx(1500, abs=3)


def test_one_may_think_about_a_question(start: Callable, wired: Path, chip: FakePca9685) -> None:
    session = start("speed", "--car", wired)
    turn_wheels(session, chip)
    session.type("\r")
    session.expect("Which way did they turn")
    until(lambda: chip.history()[-1].speed == pytest.approx(1500, abs=3))
    time.sleep(0.6)  # longer than the guard lets wheels turn that nobody sends anew
    session.type("f")
    session.answer("Shall the car be able to drive backwards", "y")
    session.answer("And then, backwards", "y")
    session.answer("just begin to turn backwards", "dddddd")
    until(lambda: (chip.history()[-1].speed or 1500) < 1450)
    session.type("\r")
    session.answer("Now on the floor", "q")
    given_up(session)
    assert chip.history()[-1].speed == pytest.approx(1500, abs=3)


@pytest.mark.parametrize("how", ["q", "SIGINT", "SIGHUP", "SIGKILL", "SIGSTOP"])
def test_turning_wheels_stop_whatever_ends_it(start: Callable, wired: Path, chip: FakePca9685, how: str) -> None:
    before = wired.read_text()
    session = start("speed", "--car", wired)
    turn_wheels(session, chip)
    if how == "q":
        session.type("q")
    else:
        session.process.send_signal(getattr(signal, how))
    until(lambda: chip.history()[-1].speed == pytest.approx(1500, abs=3))
    if how in ("q", "SIGINT"):
        given_up(session)
        assert "Traceback" not in session.seen
    assert wired.read_text() == before


def test_one_that_stood_still_sends_nothing_any_more(start: Callable, wired: Path, chip: FakePca9685) -> None:
    session = start("speed", "--car", wired)
    turn_wheels(session, chip)
    session.process.send_signal(signal.SIGSTOP)
    until(lambda: chip.history()[-1].speed == pytest.approx(1500, abs=3))
    stopped = len(chip.history())
    session.process.send_signal(signal.SIGCONT)  # while the guard still writes
    assert session.ended() == 2
    assert STALLED in session.seen
    assert all(sent.speed == pytest.approx(1500, abs=3) for sent in chip.history()[stopped:] if sent.speed)


def test_a_second_one_is_refused(start: Callable, wired: Path, chip: FakePca9685) -> None:
    session = start("speed", "--car", wired)
    turn_wheels(session, chip)
    second = start("steering", "--car", wired)
    assert second.ended() == 2
    assert re.search(r"error: .* is held by a calibration \(process \d+\): stop that first\.", second.seen), second.seen
    session.type("q")
    given_up(session)


def test_it_needs_a_terminal_and_a_car_file_of_one_s_own(path: Path, outlap: Callable, tmp_path: Path) -> None:
    for words, told in (
        (("steering", "--car", path), "run it in a terminal"),
        (("steering", "--car", "deepracer"), "--out FILE.yaml"),
        (("speed", "--car", "deepracer", "--out", path), "exists: go on with it by --car"),
        (("speed", "--car", "deepracer", "--out", tmp_path / "car.txt"), "ends in .yaml"),
        (("undo", "--car", path), "nothing to undo"),
    ):
        code, _, stderr = outlap("calibrate", *words)
        assert code == 2
        assert told in stderr
        assert stderr.count("\n") == 1
