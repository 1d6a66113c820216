"""A DeepRacer's PWM as a tree of files that behaves; ``python -m outlap.drivers.fakes.deepracer PATH`` makes one.

Plain files cannot refuse a value as the kernel does, so what the kernel would have refused is kept in ``problems``
instead. The driver appends what it writes; that way no value is lost, however late it is read here.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import shutil
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from outlap.drivers.fakes.inotify import Inotify
from outlap.drivers.fakes.showing import run
from outlap.drivers.fakes.standin import Sent, StandIn
from outlap.errors import OutlapError

# What the kernel shows of a channel that was just exported, and of a line.
CHANNEL = {"polarity": "normal", "period": "0", "duty_cycle": "0", "enable": "0"}
LINE = {"direction": "in", "value": "1"}
CHANNELS = 16  # of the chip, a PCA9685 behind the kernel's driver


class FakeDeepRacer(StandIn):
    """The files below ``path``, a folder that does not exist yet; it is removed in the end."""

    def __init__(
        self, path: str | Path, steering_channel: int = 1, speed_channel: int = 0, line: int = 436, delay: float = 0.02
    ) -> None:
        """``delay`` s pass until an exported folder appears, and as many again until its files do."""
        self.problems: list[str] = []
        self._root, self._number, self._delay = Path(path).absolute(), line, delay
        self._chip, self._gpio = self._root / "pwm" / "pwmchip0", self._root / "gpio"
        self._channels = steering_channel, speed_channel
        self._values: dict[Path, str] = {}
        self._read: dict[Path, int] = {}  # bytes of each file that were taken in
        self._history: list[Sent] = []
        self._refused: int | None = 0
        self._lock = threading.Lock()

    @property
    def hardware(self) -> dict[str, object]:
        steering, speed = self._channels
        return {
            "driver": "deepracer",
            "chip": str(self._chip),
            "steering_channel": steering,
            "speed_channel": speed,
            "enable": str(self._gpio / f"gpio{self._number}"),
        }

    def history(self) -> list[Sent]:
        with self._lock:
            return list(self._history)

    def fail(self, writes: int | None) -> None:
        """Refuse pulses for the speed that often. Who tries again at once may be refused once more than that."""
        with self._lock:
            if (writes == 0) != (self._refused == 0):
                self._exchange(refusing=writes != 0)
            self._refused = writes

    def pulse(self, channel: int) -> float | None:
        """Width in µs of the pulses that come out of a channel; none: there are none."""
        folder, line = self._chip / f"pwm{channel}", self._gpio / f"gpio{self._number}"
        shut = (self._values.get(line / "direction"), self._values.get(line / "value")) != ("out", "0")
        if shut or self._values.get(folder / "enable") != "1":
            return None
        return int(self._values[folder / "duty_cycle"]) / 1000

    def __enter__(self) -> Self:
        try:
            self._root.mkdir(parents=True)
            for folder in (self._chip, self._gpio):
                folder.mkdir(parents=True)
                for name in ("export", "unexport"):
                    (folder / name).touch()
            (self._chip / "npwm").write_text(f"{CHANNELS}\n")
        except OSError as error:
            raise OutlapError(f"{self._root}: no folder can be made there: {error.strerror or error}.") from error
        self._inotify = Inotify()
        self._folders = {self._inotify.watch(folder): folder for folder in (self._chip, self._gpio)}
        # Files that open and take nothing, and of which inotify tells: for the steering and for the speed.
        self._sealed = [os.memfd_create("refusing", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC) for _ in range(2)]
        for handle in self._sealed:
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW)
        self._refusals = -1
        self._stop, self._stopper = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="DeepRacer")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._stopper)
        self._thread.join()
        for handle in (self._stop, *self._sealed):
            os.close(handle)
        self._inotify.close()
        shutil.rmtree(self._root)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._inotify, selectors.EVENT_READ)
            selector.register(self._stop, selectors.EVENT_READ)
            while all(key.fd != self._stop for key, _ in selector.select()):
                with self._lock:
                    exports = self._catch_up(time.monotonic())
                for path, number in exports:
                    self._export(path, number)

    def _catch_up(self, now: float) -> list[tuple[Path, str]]:
        """Take in all that was written, in order; what is to be exported comes back."""
        exports: list[tuple[Path, str]] = []
        changed: set[Path] = set()
        while True:
            sizes = {path: len(_content(path)) for path in changed if not path.is_symlink()}
            events = self._inotify.read()
            if not events:  # then all that was there a moment ago has had its event, or shared another's
                for path, size in sizes.items():
                    exports += self._take(now, path, end=size)
                return exports
            for watch, name in events:
                if watch == self._refusals:
                    self._was_refused()
                    continue
                path = self._folders.get(watch, self._root) / name
                if watch in self._folders and not name.startswith(".") and not path.is_symlink():
                    changed.add(path)
                    exports += self._take(now, path, only=1)

    def _take(self, now: float, path: Path, only: int | None = None, end: int | None = None) -> list[tuple[Path, str]]:
        """Take in at most ``only`` values of a file's first ``end`` bytes; what is to be exported comes back."""
        exports: list[tuple[Path, str]] = []
        begin = self._read.get(path, 0)
        content = _content(path)[:end]
        if len(content) < begin:
            begin = 0  # somebody began it anew, as a shell does
        for line in content[begin:].splitlines(keepends=True)[:only]:
            begin += len(line)
            value = line.decode(errors="replace").strip()
            if path.name == "export":
                exports.append((path, value))
            elif path.name == "unexport":
                self.problems.append(f"unexported {value}")
            elif problem := self._problem(path, value):
                self.problems.append(f"{path.parent.name}/{path.name} = {value!r}: {problem}")
            else:
                self._set(now, path, value)
        self._read[path] = begin
        return exports

    def _set(self, now: float, path: Path, value: str) -> None:
        steering, speed = self._channels
        self._values[path] = value
        if path.name == "direction" and value == "out":  # the kernel's: an output begins low
            self._values[path.with_name("value")] = "0"
        sent = Sent(now, self.pulse(steering), self.pulse(speed))
        known = self._history[-1][1:] if self._history else (None, None)
        if path == self._chip / f"pwm{speed}" / "duty_cycle" or (path.name != "duty_cycle" and sent[1:] != known):
            self._history.append(sent)

    def _problem(self, path: Path, value: str) -> str:
        """What the kernel would say to a value; empty: it takes it (drivers/pwm/core.c, drivers/pwm/sysfs.c)."""
        values = {name: self._values.get(path.with_name(name), "") for name in CHANNEL}
        match path.name:
            case "direction":
                return "" if value in ("in", "out", "low", "high") else "EINVAL"
            case "value":
                return "" if value in ("0", "1") and self._values[path.with_name("direction")] == "out" else "EPERM"
            case "polarity":
                return "EBUSY: it makes pulses" if values["enable"] == "1" else ""
        if not value.isdecimal():
            return "EINVAL: no number"
        values[path.name] = value
        if int(values["duty_cycle"]) > int(values["period"]) or (values["enable"] == "1" and values["period"] == "0"):
            return "EINVAL: the pulse is longer than the period"
        return ""

    def _export(self, file: Path, number: str) -> None:
        """Make the folder of a channel or line, late, as udev does."""
        prefix, content = ("gpio", LINE) if file.parent == self._gpio else ("pwm", CHANNEL)
        folder = file.parent / f"{prefix}{number}"
        if not number.isdecimal() or (prefix == "pwm" and int(number) >= CHANNELS) or folder.exists():
            self.problems.append(f"{file.parent.name}/export = {number!r}: EINVAL, or EBUSY: it was exported before")
            return
        time.sleep(self._delay)
        folder.mkdir()
        self._folders[self._inotify.watch(folder)] = folder
        time.sleep(self._delay)
        for name, value in content.items():
            with self._lock:
                self._values[folder / name] = value
                self._read[folder / name] = len(value) + 1
            hidden = folder / f".{name}"  # a file that is there has its content
            hidden.write_text(f"{value}\n")
            hidden.rename(folder / name)

    def _exchange(self, refusing: bool) -> None:
        """Put files that take nothing in the place of the pulses', or put those back."""
        if not refusing:
            self._inotify.ignore(self._refusals)
        for channel, handle in zip(self._channels, self._sealed, strict=True):
            path = self._chip / f"pwm{channel}" / "duty_cycle"
            kept = path.with_name(".duty_cycle")
            if refusing:
                assert path.exists(), "nobody has opened the stand-in yet"
                self._take(time.monotonic(), path)
                path.rename(kept)
                path.symlink_to(f"/proc/{os.getpid()}/fd/{handle}")
            else:
                kept.replace(path)
        if refusing:
            self._refusals = self._inotify.watch(path)

    def _was_refused(self) -> None:
        """Somebody tried the file that takes nothing."""
        if self._refused:
            self._refused -= 1
            if self._refused == 0:
                self._exchange(refusing=False)


def _content(path: Path) -> bytes:
    """What is in a file; nothing where it was removed before it could be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def main() -> int:
    """Run the stand-in until Ctrl-C."""
    return run(FakeDeepRacer, "A DeepRacer's PWM", "a new folder, in which it makes the files", "deepracer")


if __name__ == "__main__":
    sys.exit(main())
