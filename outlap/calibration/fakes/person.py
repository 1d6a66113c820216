"""A person with a tape measure: does what a calibration asks for, looks at the simulated car, and reads the tape."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from outlap.calibration.dialog import Dialog
from outlap.calibration.fakes.car import STANDS, HiddenCar

PRESSES = 0.25  # s from one key to the next
LINE = 3.0  # m, of the tape on the floor
PUSHES = 0.15  # m/s
SEEN = 0.03  # rad; a smaller turn is not sure to be seen
STEP = 0.008  # rad; a smaller turn of the wheels is not seen


class Person(Dialog):
    """Answers about one car; ``answers`` holds what it says instead of what it sees, by the question's name."""

    def __init__(
        self,
        car: HiddenCar,
        rng: np.random.Generator,
        tape: float = 0.005,
        room: float = 8.0,
        top: float = 2.5,
        answers: Mapping[str, object] | None = None,
    ) -> None:
        self.car, self._rng, self._tape, self._room, self._top = car, rng, tape, room, top
        self._answers = dict(answers or {})
        self._keys: Iterator[str] = iter(())
        self._due = 0.0
        self._turned = 0.0  # m/s, how the wheels turned when it last looked
        self._looked: list[tuple[float, float]] = [(0.0, 0.0)]  # (s, rad): how the front wheels stood
        self._rolled: list[tuple[float, float, float]] = []
        self.said: list[str] = []
        self.asked: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def status(self, text: str) -> None:
        pass

    def table(self, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.said.append(f"{title} {headings} {rows}")

    def now(self) -> float:
        return self.car.time

    def task(self, name: str, text: str) -> None:
        self.asked.append(name)
        self._due = self.now() + PRESSES
        plans = {"centre": self._centre, "neutral": self._standing, "edge": self._edge, "reverse_edge": self._edge}
        plans |= {side: functools.partial(self._outwards, side) for side in ("left", "right")}
        self._keys = plans[name]() if name in plans else iter(())

    def key(self, seconds: float) -> str:
        self.car.run(seconds)
        self._looked.append((self.now(), self.car.wheel_angle))
        self._turned = self.car.wheel_speed
        if self.now() < self._due:
            return ""
        self._due = self.now() + PRESSES
        return next(self._keys, "")

    def confirm(self, name: str, text: str) -> None:
        self.asked.append(name)
        self._told(name)
        self.car.run(1.0)
        if name == "blocks":
            self.car.lifted = True
        elif name in ("floor", "floor_back"):
            self.car.lifted = False
            self.car.put(0, 0, 0)
        elif name == "place":
            self.car.put(0, 0, 0)
        elif name.startswith("aim"):
            self._roll()

    def choose(self, name: str, question: str, choices: Mapping[str, str]) -> str:
        self.asked.append(name)
        told = self._told(name)
        self.car.run(0.3)
        if told is not None:
            return str(told)
        speed = self.car.wheel_speed
        if name == "turned" and "f" in choices:
            return "f" if self._turned > STANDS else "b" if self._turned < -STANDS else "n"
        if name == "turned":
            turned = self.car.wheel_angle - next(a for t, a in reversed(self._looked) if t <= self.now() - 0.85)
            return "l" if turned > SEEN else "r" if turned < -SEEN else "n"
        seen = {
            "dimensions": True,
            "stand": abs(speed) < STANDS,
            "reverse": True,
            "backwards": self._turned < -STANDS,
            "braked": abs(speed) < STANDS,
        }
        return "y" if seen[name] else "n"

    def number(self, name: str, question: str, low: float, high: float) -> float:
        self.asked.append(name)
        told = self._told(name)
        if told is not None:
            return float(str(told))
        answer = {
            "circle_left": self._circle,
            "circle_right": self._circle,
            "length": lambda: LINE,
            "half": lambda: 100 * self._offset(question),
            "end": lambda: 100 * self._offset(question),
            "space": lambda: self._room,
            "top": lambda: self._top,
            "top_back": lambda: 1.2,
            "distance": self._distance,
        }[name]()
        assert low <= answer <= high, (name, answer)
        return answer

    def _told(self, name: str) -> object:
        told = self._answers.get(name)
        if isinstance(told, list):
            told = told.pop(0) if told else None
        if isinstance(told, BaseException):
            raise told
        return told

    def _read(self, metres: float) -> float:
        """What is read off the tape, m, to the millimetre."""
        return round(metres + float(np.clip(self._rng.normal(0, self._tape), -3 * self._tape, 3 * self._tape)), 3)

    def _centre(self) -> Iterator[str]:
        """Keys until the wheels point straight ahead, by eye."""
        error = self._rng.normal(0, math.radians(1.5))
        for _ in range(300):
            angle = self.car.wheel_angle + error
            if abs(angle) < 0.006:
                break
            coarse = abs(angle) > 0.04
            yield ("d" if coarse else "right") if angle > 0 else ("a" if coarse else "left")
        yield "enter"

    def _outwards(self, side: str) -> Iterator[str]:
        """Keys until the wheels turn no further, and one step back."""
        out, back, sign = ("a", "d", 1) if side == "left" else ("d", "a", -1)
        still, last = 0, self.car.wheel_angle
        yield out
        while still < 3:
            yield out
            moved, last = sign * (self.car.wheel_angle - last), self.car.wheel_angle
            still = still + 1 if moved < STEP else 0
        yield from (back,) * 4
        yield "enter"

    def _edge(self) -> Iterator[str]:
        """Keys until the wheels just turn; Enter, too, when they never do."""
        for _ in range(40):
            if abs(self.car.wheel_speed) < STANDS:
                break
            yield ""
        for direction in ("d", "left", "right"):
            for _ in range(30 if direction == "d" else 12):
                turns = abs(self.car.wheel_speed) > STANDS
                if turns == (direction != "left"):
                    break
                yield direction
                yield ""
        yield "enter"

    def _standing(self) -> Iterator[str]:
        for _ in range(30):
            if abs(self.car.wheel_speed) < STANDS:
                break
            yield "left" if self.car.wheel_speed > 0 else "right"
            yield ""
        yield "enter"

    def _circle(self) -> float:
        """cm across half a circle, pushed, from mark to mark of the outer rear wheel."""
        self.car.run(0.5)
        self.car.put(0, 0, 0)
        side = -math.copysign(1.0, self.car.wheel_angle)  # the outer wheel's
        before, turned = self._wheel(side), 0.0
        self.car.pushed = PUSHES
        last = 0.0
        while turned < math.pi:
            self.car.run(0.02)
            yaw = self.car.place[2]
            turned += abs((yaw - last + math.pi) % (2 * math.pi) - math.pi)
            last = yaw
        self.car.pushed = 0.0
        return 100 * self._read(math.dist(before, self._wheel(side)))

    def _wheel(self, side: float) -> tuple[float, float]:
        x, y, yaw = self.car.place
        half = side * self.car.car.axles.track / 2
        return x - half * math.sin(yaw), y + half * math.cos(yaw)

    def _roll(self) -> None:
        """Push the car along the line, aimed at it by eye."""
        self.car.put(0.0, self._rng.normal(0, 0.003), self._rng.normal(0, math.radians(1.0)))
        self.car.pushed, self._rolled = PUSHES, [self.car.place]
        while len(self._rolled) < 500 and self._rolled[-1][0] < LINE + 0.05:
            self.car.run(0.05)
            self._rolled.append(self.car.place)
        self.car.pushed = 0.0

    def _offset(self, question: str) -> float:
        """m left of the line, where the question says."""
        said = re.search(r"come (\d+) cm", question)
        assert said is not None, question
        along = int(said[1]) / 100
        places = np.array(self._rolled)
        return self._read(float(np.interp(along, places[:, 0], places[:, 1])))

    def _distance(self) -> float:
        while abs(self.car.wheel_speed) > 0.001:
            self.car.run(0.2)
        return 100 * max(self._read(math.hypot(*self.car.place[:2])), 0.0)
