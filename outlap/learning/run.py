"""One training run: from nothing to a verified policy file in a folder of its own.

A run is a sequence of stages and a stage one of iterations. After each iteration the whole run is written to
``OUT/checkpoint``, so that a run which is killed goes on where it was, and ends with the same weights, bit for bit.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import yaml

from outlap import __version__
from outlap.errors import OutlapError
from outlap.files import validate, write_atomic
from outlap.learning.checkpoint import load_checkpoint, save_checkpoint
from outlap.learning.config import TrainingConfig
from outlap.learning.control import Control
from outlap.learning.distill import Distiller
from outlap.learning.eyes import Eyes
from outlap.learning.student import Student, export
from outlap.learning.task import DrivingTask
from outlap.learning.teacher import TeacherTraining
from outlap.policy.contract import Contract, Envelope
from outlap.policy.file import write_policy
from outlap.simulation.fleet import TICK
from outlap.states import State
from outlap.track.generate import generate_track
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import Car

TRANSPORT = 0.03  # s from a frame's exposure to its command that a live graph may add to the delays trained with
FOLDER = "checkpoint"
LIBRARIES = ("numpy", "torch", "rsl-rl-lib", "numba", "scipy")  # whose versions decide what a seed leads to


class Progress(NamedTuple):
    """How far a stage of training is."""

    stage: str  # "tracks", "teacher" or "student"
    done: int  # iterations
    total: int
    measures: dict[str, float]


Report = Callable[[Progress], None]


class Stage(Protocol):
    """A part of a run that learns, iteration by iteration."""

    iteration: int  # the next one

    @property
    def iterations(self) -> int:
        """Of the whole stage."""
        ...

    def iterate(self, between: Callable[[], None]) -> dict[str, float]:
        """Learn; ``between`` is called between steps, and may wait or raise."""
        ...

    def state(self) -> State:
        """All that the next iteration depends on."""
        ...

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken."""
        ...


def train(
    config: TrainingConfig,
    car: Car,
    out: Path,
    seed: int,
    report: Report | None = None,
    control: Control | None = None,
    elapsed: float = 0.0,
) -> Path:
    """Train a policy and write it, with the configuration that made it, into ``out``.

    Args:
        config: what to learn and how.
        car: the car that is to drive.
        out: the run's folder, made where missing; a finished run in it is replaced.
        seed: of everything random; same seed, same machine, same policy.
        report: called with each step of progress.
        control: asked between steps whether to pause or stop.
        elapsed: s of wall clock since the process started, added to the summary's.

    Returns:
        The policy file's path.

    Raises:
        OutlapError: the car could not run such a policy, the folder cannot be written or holds an unfinished run, or
            the learning diverged; no policy file is left half-written.
        StoppedError: ``control`` stopped the run, which can be resumed.
    """
    contract(config, car, seed).check_car(car, "a policy of this training file")  # now, not after minutes
    held = load_checkpoint(out / FOLDER)
    if held is not None and not held.about["finished"]:
        raise OutlapError(
            f"{out} holds an unfinished run: go on with it (outlap train --resume {out}), or choose another folder."
        )
    return _Run(config, car, out, seed, report, control, elapsed).go(None)


def resume(out: Path, report: Report | None = None, control: Control | None = None, elapsed: float = 0.0) -> Path:
    """Go on with the run in ``out`` that was interrupted; see :func:`train`.

    Raises:
        OutlapError: there is no unfinished run, or it was begun with other versions of what decides its results; and
            as :func:`train`.
    """
    held = load_checkpoint(out / FOLDER)
    if held is None:
        raise OutlapError(f"{out} holds no run to resume: start one with outlap train --out {out}.")
    about = held.about
    if about["finished"]:
        raise OutlapError(f"the run in {out} is finished: its policy is {out / 'policy.onnx'}.")
    changed = [
        f"{name} {was}, not {now}" for name, now in _versions().items() if (was := about["versions"][name]) != now
    ]
    if changed:
        raise OutlapError(
            f"the run in {out} was begun with {' and '.join(changed)}, so it cannot go on bit for bit: install that, "
            "or start a run in another folder."
        )
    where = str(out / FOLDER)
    config = validate(about["config"], TrainingConfig, where, "checkpoint")
    car = validate(about["car"], Car, where, "checkpoint")
    return _Run(config, car, out, about["seed"], report, control, elapsed).go(held.state)


class _Run:
    """A run under way."""

    def __init__(
        self,
        config: TrainingConfig,
        car: Car,
        out: Path,
        seed: int,
        report: Report | None,
        control: Control | None,
        elapsed: float,
    ) -> None:
        self.config, self.car, self.out, self.seed = config, car, out, seed
        self._tell = report or (lambda progress: None)
        self._control = control or Control()
        self._began = time.perf_counter() - elapsed
        self._folder = out / FOLDER
        self._streams = [int(child.generate_state(1)[0]) for child in np.random.SeedSequence(seed).spawn(8)]
        self._about: dict[str, Any] = {
            "finished": False,
            "versions": _versions(),
            "seed": seed,
            "car": car.model_dump(mode="json"),
            "config": config.model_dump(mode="json"),
        }

    def go(self, state: State | None) -> Path:
        """From ``state``, or from the beginning, to the end."""
        if state is None:
            state = {"stage": "", "seconds": 0.0}
            save_checkpoint(self._folder, "begin", self._about, state, [])
        self._began -= state["seconds"]
        torch.manual_seed(self.seed)
        tracks = self._tracks()
        task = DrivingTask(
            tracks, self.car, self.config.teacher.cars, self.config.task, self._streams[1], self.config.randomization
        )
        teacher = TeacherTraining(task, self.config.teacher)
        if state["stage"] != "student":
            self._learn("teacher", teacher, state)
        task = DrivingTask(
            tracks, self.car, self.config.distill.cars, self.config.task, self._streams[2], self.config.randomization
        )
        eyes = Eyes(task.fleet, self.config.view, self._streams[3], self.config.randomization)
        student = Student(self.config.student, self.config.observation)
        distiller = Distiller(
            task, eyes, teacher.teacher, student, self.config.observation, self.config.distill, self._streams[4],
            self._folder,
        )  # fmt: skip
        self._learn("student", distiller, state)
        return self._finish(distiller)

    def _learn(self, name: str, stage: Stage, state: State) -> None:
        """The rest of a stage."""
        if state["stage"] == name:
            stage.load(state[name])
            torch.set_rng_state(torch.from_numpy(state["torch"]))
        while stage.iteration < stage.iterations:
            measures = stage.iterate(self._between)
            self._save(name, stage)
            self._tell(Progress(name, stage.iteration, stage.iterations, measures))

    def _between(self) -> None:
        """Called between steps: what is asked of the run."""
        self._control.check(self._keep)

    def _keep(self) -> None:
        """Keep the policy as it is now, beside the run's own."""

    def _save(self, name: str, stage: Stage) -> None:
        inner = stage.state()
        state = {
            "stage": name,
            "seconds": time.perf_counter() - self._began,
            "torch": torch.get_rng_state(),
            name: inner,
        }
        shards = [shard[0] for shard in inner.get("shards", {}).get("shards", [])]
        save_checkpoint(self._folder, f"{name}-{stage.iteration}", self._about, state, shards)

    def _finish(self, distiller: Distiller) -> Path:
        """Write the run's results: the student as it is at the schedule's end."""
        write_atomic(self.out / "training.yaml", _as_yaml(self.config, self.car, self.seed))
        policy = self.out / "policy.onnx"
        network = export(distiller.student, self.config.observation, self.config.task.action)
        digest = write_policy(policy, network, contract(self.config, self.car, self.seed))
        seconds = time.perf_counter() - self._began
        frames = distiller.shards.steps * distiller.shards.cars
        summary = {
            "policy": policy.name,
            "digest": digest,
            "seed": self.seed,
            "car": self.car.name,
            "train_seconds": round(seconds, 2),
            "camera_frames": frames,
            "steps_per_s": round(frames / seconds, 1),
            **_versions(),
        }
        write_atomic(self.out / "summary.json", json.dumps(summary, indent=2) + "\n")
        save_checkpoint(self._folder, "end", {**self._about, "finished": True}, {"stage": "end"}, [])
        return policy

    def _tracks(self) -> TrackSet:
        rng = np.random.default_rng(self._streams[0])
        tracks = []
        for index in range(self.config.tracks):
            self._between()
            tracks.append(generate_track(rng, name=f"generated-{index}"))
            self._tell(Progress("tracks", index + 1, self.config.tracks, {}))
        return TrackSet(tracks)


def contract(config: TrainingConfig, car: Car, seed: int) -> Contract:
    """What the policy file promises and demands."""
    height, spread = config.view.camera_height, config.randomization.height_spread
    return Contract(
        observation=config.observation,
        action=config.task.action,
        rate_hz=config.task.rate_hz,
        envelope=Envelope(
            max_curvature=config.task.curvature_limit,
            max_speed=config.task.speed_limit,
            latency=(0.0, (config.task.ticks - 1) * TICK + TRANSPORT),
            # The warp corrects the ground for another height; beyond these it shows too little of it.
            camera_height=(height * (0.7 - spread), min(height * (1.7 + spread), 1.0)),
        ),
        car=car.name,
        recipe=config.recipe,
        seed=seed,
    )


def _versions() -> dict[str, str]:
    return {"outlap": __version__, "python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def _as_yaml(config: TrainingConfig, car: Car, seed: int) -> str:
    """The full configuration of a run; its training part can be given to ``outlap train --config`` again."""
    content = config.model_dump(mode="json")
    heading = f"# What made the policy beside this file: outlap {__version__}, car {car.name}, seed {seed}.\n"
    return heading + yaml.safe_dump(content, sort_keys=False)
