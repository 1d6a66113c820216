"""What the cars of a task see: the canonical view, with looks, cameras and mishaps drawn anew for each episode."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from outlap.camera.view import View
from outlap.simulation.dressing import draw_looks, settle
from outlap.simulation.fleet import Fleet, Mounts, road_bounds
from outlap.simulation.optics import coverage_masks, draw_optics, lens_rays
from outlap.simulation.randomization import Randomization
from outlap.simulation.rendering import effects
from outlap.simulation.rendering.ground import GroundMaps
from outlap.simulation.rendering.look import Looks
from outlap.simulation.rendering.render import Renderer
from outlap.simulation.streams import Streams
from outlap.states import State, StateError, check_keys, restore, snapshot, under
from outlap.vehicle import dynamics

Rows = NDArray[np.int64]
Drawn = TypeVar("Drawn", Looks, NDArray[np.void])

AHEAD = 512  # looks drawn at once: a call for each number of each car would take longer than its pictures


class Eyes:
    """The cameras of a fleet's cars; call :meth:`reset` for cars whose episode begins.

    Args:
        fleet: the cars.
        view: the canonical view.
        seed: of every draw.
        randomization: what is drawn anew for each car; nothing leaves the plain look through a perfect camera.
        rate_hz: pictures a second, by which times become numbers of pictures.
        parallel: draw on all cores.
    """

    STATE: ClassVar = {
        "rng": "_rng",
        "grain_rng": "_renderer.rng",
        "new_looks": "_new_looks",
        "new_optics": "_new_optics",
        "looks": "_looks",
        "optics": "_optics",
        "gain": "_gain",
        "streams": "_streams",
        "age": "_age",
        "newest": "_newest",
        "latest": "_latest",
        "shown": "_shown",
    }

    def __init__(
        self,
        fleet: Fleet,
        view: View,
        seed: int,
        randomization: Randomization,
        rate_hz: float = 30.0,
        parallel: bool = True,
    ) -> None:
        self.fleet, self.view, self.randomization, self.rate_hz = fleet, view, randomization, rate_hz
        rng = np.random.default_rng(seed)
        self._low, self._high = road_bounds(fleet.tracks)
        lenses = lens_rays(randomization.camera, view, rng)
        self._renderer = Renderer(lenses, GroundMaps.of(fleet.tracks.tracks), 1, seed, parallel)
        self._masks = coverage_masks(randomization.coverage if _given(randomization, "covered") else None, view, rng)
        self._rng, *streams = rng.spawn(3)
        self._new_looks = _Store(self._draw_looks, streams[0])
        self._new_optics = _Store(self._draw_optics, streams[1])
        n = fleet.n
        self._looks, self._optics = Looks.plain(n, *self._bounds()), draw_optics(Randomization(), view, n, rng)
        self._gain = self._looks.scalars["gain"].copy()
        self._streams = Streams.of(n)  # of what befalls each car's pictures
        self._age = np.zeros(n, dtype=np.int64)  # pictures since the reset
        # The latest pictures, going round, for those that come late; and what was seen last, for those that repeat.
        held = self._deepest() + 1
        self._newest = 0
        self._latest = np.zeros((held, n, view.height, view.width), np.uint8)
        self._shown = np.zeros((n if held else 0, view.height, view.width), np.uint8)
        self.reset(np.arange(n))

    def reset(self, rows: Rows, rng: np.random.Generator | None = None) -> None:
        """New looks and cameras for the cars of ``rows``, drawn by ``rng`` where one is given."""
        track = self.fleet.track[rows]
        if self.randomization.look is None:
            looks = Looks.plain(len(rows), *self._bounds())
            for name, values in (
                ("room_west", self._low[track, 0] - 1.5),
                ("room_east", self._high[track, 0] + 1.5),
                ("room_south", self._low[track, 1] - 1.5),
                ("room_north", self._high[track, 1] + 1.5),
            ):
                looks.scalars[name] = values
            self._looks.put(rows, looks, slice(None))
        begin = 0
        for looks in () if self.randomization.look is None else self._new_looks.take(len(rows), rng):
            some = slice(begin, begin + len(looks.scalars))
            settle(looks, self.fleet.tracks, track[some], self.fleet.located.s[rows[some]], self._low, self._high)
            self._looks.put(rows[some], looks, slice(None))
            begin = some.stop
        begin = 0
        for optics in self._new_optics.take(len(rows), rng):
            self._optics[rows[begin : begin + len(optics)]] = optics
            begin += len(optics)
        self._gain[rows] = self._looks.scalars["gain"][rows]
        self._streams.seed(rows, rng or self._rng)
        self._age[rows] = 0

    def keep(self, rows: Rows) -> None:
        """From now on there are only the cars ``rows`` (k,), in this order; the fleet dropped the others before."""
        self._looks, self._optics = self._looks.part(rows), self._optics[rows]
        self._gain, self._age, self._latest = self._gain[rows], self._age[rows], self._latest[:, rows]
        self._shown = self._shown[rows] if len(self._shown) else self._shown
        self._streams.keep(rows)

    def look(self) -> NDArray[np.uint8]:
        """What every car sees now, (n, H, W) mono8; not to be changed, since some may be seen once more."""
        optics, n, camera = self._optics, self.fleet.n, self.randomization.camera
        if _given(self.randomization, "exposure_drift"):
            phase = optics["drift_phase"] + optics["drift_rate"] * self._age / self.rate_hz
            self._looks.scalars["gain"] = self._gain * (1 + optics["drift"] * np.sin(phase))
        pitch, roll = optics["pitch"], optics["roll"]
        if camera is not None and camera.shake is not None:
            shaken = self._streams.normal(2) * optics["shake"]
            pitch, roll = pitch + shaken[0], roll + shaken[1]
        mounts = Mounts(
            self.fleet.car.camera.x + optics["x"], np.zeros(n), optics["height"], pitch, roll, optics["yaw"]
        )
        (grain,) = self._streams.random(1)
        pictures = self.fleet.pictures(self._renderer, mounts, self._looks, optics["lens"], grain)[..., 0]
        if self.randomization.picture is not None:
            self._befall(pictures, pitch)
        if len(self._latest):
            pictures = self._delayed(pictures)
        self._age += 1
        return pictures

    def state(self) -> State:
        """All that the next pictures depend on."""
        return snapshot(self)

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken.

        Raises:
            StateError: it is not of such cameras.
        """
        restore(self, state)

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._low.min(axis=0), self._high.max(axis=0)

    def _deepest(self) -> int:
        """Steps, the latest that a picture may come; -1 where none ever comes late or once more."""
        picture = self.randomization.picture
        if picture is None or (picture.dropped is None and picture.late is None and picture.frame_delay is None):
            return -1
        longest = 0.0 if picture.frame_delay is None else max(end for _, end in picture.frame_delay.support)
        return round(longest * self.rate_hz) + (picture.late is not None)

    def _draw_looks(self, n: int, rng: np.random.Generator) -> Looks:
        assert self.randomization.look is not None
        return draw_looks(self.randomization.look, n, rng)

    def _draw_optics(self, n: int, rng: np.random.Generator) -> NDArray[np.void]:
        return draw_optics(self.randomization, self.view, n, rng)

    def _befall(self, pictures: NDArray[np.uint8], pitch: NDArray[np.float64]) -> None:
        """What happens to this step's pictures, in place."""
        optics, focal, n = self._optics, self.view.focal_length, self.fleet.n
        rate = self.fleet.state[:, dynamics.YAW_RATE] * focal  # pixels/s that the picture moves to the right
        changes = np.empty((n, 4), np.float32)
        changes[:, 0] = np.abs(rate) * optics["exposure_time"]
        changes[:, 1] = -rate * optics["readout_time"]
        changes[:, 2], changes[:, 3] = optics["defocus"], optics["compression"]
        yaw = self.fleet.state[:, dynamics.YAW] + optics["yaw"]
        spots = effects.lamp_spots(optics["lamps"], yaw, pitch, self.view)
        effects.befall(pictures, changes, spots, self._masks, optics["mask"], self._renderer.share)

    def _delayed(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What arrives now: this step's pictures, older ones, or once more what arrived last."""
        optics, depth = self._optics, len(self._latest)
        self._newest = (self._newest + 1) % depth
        self._latest[self._newest] = pictures
        chance = self._streams.random(2)
        lag = np.rint(optics["delay"] * self.rate_hz).astype(np.int64) + (chance[0] < optics["late"])
        lag = np.minimum(lag, np.minimum(self._age, depth - 1))
        late = np.flatnonzero(lag)
        pictures[late] = self._latest[(self._newest - lag[late]) % depth, late]
        again = np.flatnonzero((chance[1] < optics["dropped"]) & (self._age > 0))
        pictures[again] = self._shown[again]
        self._shown = pictures
        return pictures


class _Store(Generic[Drawn]):
    """Draws ahead, a good number at once, and hands them out a few at a time."""

    def __init__(self, draw: Callable[[int, np.random.Generator], Drawn], rng: np.random.Generator) -> None:
        self._draw = draw
        self._rng = rng
        self._next = AHEAD
        self._before = rng.bit_generator.state  # of the draws now in hand
        self._hand: Drawn | None = None

    def take(self, k: int, rng: np.random.Generator | None = None) -> list[Drawn]:
        """``k`` draws, in a few parts; by ``rng`` and not from the store where one is given."""
        if rng is not None:
            return [self._draw(k, rng)]
        parts: list[Drawn] = []
        while k:
            if self._hand is None or self._next == AHEAD:
                self._before, self._next = self._rng.bit_generator.state, 0
                self._hand = self._draw(AHEAD, self._rng)
            some = slice(self._next, min(self._next + k, AHEAD))
            parts.append(self._hand.part(some) if isinstance(self._hand, Looks) else self._hand[some])
            self._next, k = some.stop, k - (some.stop - some.start)
        return parts

    def state(self) -> State:
        """How to draw the same again."""
        return {"before": self._before, "next": self._next, "drawn": self._hand is not None}

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken.

        Raises:
            StateError: it is not of such a store.
        """
        check_keys(state, ("before", "next", "drawn"))
        if not isinstance(state["next"], int) or not 0 <= state["next"] <= AHEAD:
            raise StateError(f"is not a number up to {AHEAD}", "next")
        with under("before"):
            self._rng.bit_generator.state = self._before = state["before"]
        self._hand, self._next = self._draw(AHEAD, self._rng) if state["drawn"] else None, state["next"]


def _given(randomization: Randomization, name: str) -> bool:
    """Whether the randomization has a distribution for this of the pictures' quantities."""
    return randomization.picture is not None and getattr(randomization.picture, name) is not None
