"""One training run: from nothing to a verified policy file in a folder of its own.

A run is a sequence of stages and a stage one of iterations. After each iteration the whole run is written to
``OUT/checkpoint``, so that a run which is killed goes on where it was, and ends with the same weights, bit for bit.
"""

from __future__ import annotations

import contextlib
import errno
import math
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from outlap.cage.cage import Cage
from outlap.driving.reward.reward import BUILT_IN
from outlap.driving.reward.user_reward import OWN, keep_copy, opened_reward
from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.files import validate
from outlap.learning.config import AnyTraining, PixelTrainingConfig, TrainingConfig, checked_training
from outlap.learning.networks.student import Student
from outlap.learning.recipes.distill import Distiller
from outlap.learning.recipes.pixels import PixelTraining
from outlap.learning.recipes.stage import Progress, Report, Stage
from outlap.learning.recipes.teacher import TeacherTraining
from outlap.learning.runs.checkpoint import load_checkpoint, network_state, save_checkpoint, tidy
from outlap.learning.runs.control import Control
from outlap.learning.runs.curves import FOLDER as TENSORBOARD
from outlap.learning.runs.curves import Curves
from outlap.learning.runs.results import POLICY, Results, contract, versions
from outlap.learning.runs.validation import Score, Validation
from outlap.simulation.cameras import Eyes
from outlap.simulation.rendering.warming import Warming
from outlap.states import State
from outlap.track.generate import generate_track
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import Car

__all__ = ["Progress", "Report", "contract", "interrupted", "resume", "train"]

FOLDER = "checkpoint"
BESIDE = 60_000_000  # bytes of everything in a run's folder but its pictures, generously
OTHERS = 300  # bytes of what is kept with each picture
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what the system says when there is no more room


def train(
    config: AnyTraining,
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
        f"{name} {was}, not {now}" for name, now in versions().items() if (was := about["versions"][name]) != now
    ]
    if changed:
        raise OutlapError(
            f"the run in {out} was begun with {' and '.join(changed)}, so it cannot go on bit for bit: install that, "
            "or start a run in another folder."
        )
    where = str(out / FOLDER)
    config = checked_training(about["config"], where, "checkpoint")
    car = validate(about["car"], Car, where, "checkpoint")
    return _Run(config, car, out, about["seed"], report, control, elapsed).go(held.state)


def interrupted(out: Path, config: AnyTraining, car: Car, seed: int) -> bool:
    """Whether ``out`` holds just this run, begun and not finished.

    Raises:
        OutlapError: what the folder holds is damaged.
    """
    held = load_checkpoint(out / FOLDER)
    return held is not None and held.about == _about(config, car, seed)


def _about(config: AnyTraining, car: Car, seed: int) -> dict[str, Any]:
    """What a run is, as its checkpoint says."""
    return {
        "finished": False,
        "versions": versions(),
        "seed": seed,
        "car": car.model_dump(mode="json"),
        "config": config.model_dump(mode="json"),
    }


class _Run:
    """A run under way."""

    def __init__(
        self,
        config: AnyTraining,
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
        self._results = Results(config, car, seed, out)
        self._curves = Curves(out)
        self._streams = [int(child.generate_state(1)[0]) for child in np.random.SeedSequence(seed).spawn(8)]
        self._student: Student | None = None
        self._validation: Validation | None = None
        self._best: Score | None = None
        self._first_clean: float | None = None  # s
        self._begun: dict[str, float] = {}  # s since the run began, at which each stage did
        self._about = _about(config, car, seed)

    @property
    def seconds(self) -> float:
        """Wall clock since the run began, without pauses and the time between interruption and resumption."""
        return time.perf_counter() - self._began

    def go(self, state: State | None) -> Path:
        """From ``state``, or from the beginning, to the end."""
        try:
            with contextlib.closing(self._curves), contextlib.closing(Warming()) as warming:
                return self._go(state, warming)
        except (OutlapError, OSError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(cause, OSError) or cause.errno not in FULL:
                raise
            raise OutlapError(
                f"there is no more room: {str(error).rstrip('.')}; the run takes about {_size(self._room())} in all "
                f"and {_size(shutil.disk_usage(self._folder).free)} are free there. What it has learned is safe: make "
                f"room, then go on with outlap train --resume {self.out}."
            ) from error

    def _go(self, state: State | None, warming: Warming) -> Path:
        config = self.config
        if state is None:
            self._make_room()
            keep_copy(config.reward, self.out, resuming=False)
            state = {"stage": "", "seconds": self.seconds}
            save_checkpoint(self._folder, "begin", self._about, state, [])
        else:
            keep_copy(config.reward, self.out, resuming=True)
            self._results.tidy()
            self._began -= state["seconds"]
        if state["stage"]:
            self._curves.load(state["curves"])
            self._begun, self._first_clean = state["begun"], state["first_clean"]
            self._best = None if state["best"] is None else Score(*state["best"])
        torch.manual_seed(self.seed)
        tracks = self._tracks()
        pixels = isinstance(config, PixelTrainingConfig)
        ppo, drawn = (config.ppo, config.randomization) if pixels else (config.teacher, config.teacher.randomization)
        with opened_reward(
            config.reward,
            config.task,
            tracks,
            self.car,
            ppo.cars,
            self._streams[5],
            ppo.discount,
            self.out / "reward.log",
            Cage() if config.caged else OWN,
        ) as reward:
            # Who learns from rewards: the teacher, or what drives in the end.
            task = DrivingTask(
                tracks,
                self.car,
                ppo.cars,
                config.task,
                self._streams[1],
                drawn,
                reward,
                one_lap=config.reward != BUILT_IN,
            )
            if pixels:
                return self._finish(self._tried(config, task, state, warming))
            return self._finish(self._taught(config, tracks, task, state, warming))

    def _tried(self, config: PixelTrainingConfig, task: DrivingTask, state: State, warming: Warming) -> PixelTraining:
        """All of the recipe ``ppo``."""
        warming.wait()
        eyes = Eyes(task.fleet, config.view, self._streams[3], config.randomization, config.task.rate_hz)
        student = Student(config.student, config.observation, task.table)
        training = PixelTraining(task, eyes, student, config.observation, config.ppo, self._streams[4])
        self._watch(training.student)
        self._learn("student", training, state)
        return training

    def _watch(self, student: Student) -> None:
        """Validate ``student`` as it learns, and publish it."""
        self._student = student
        self._validation = Validation(
            self.config.validation,
            self.car,
            self.config.task,
            contract(self.config, self.car, self.seed),
            self._streams[6],
        )

    def _taught(
        self, config: TrainingConfig, tracks: TrackSet, task: DrivingTask, state: State, warming: Warming
    ) -> Distiller:
        """The teacher's head start, then student and teacher side by side."""
        training = TeacherTraining(task, config.teacher)
        if state["stage"] != "student":
            self._learn("teacher", training, state)
        warming.wait()
        task = DrivingTask(tracks, self.car, config.distill.cars, config.task, self._streams[2], config.randomization)
        eyes = Eyes(task.fleet, config.view, self._streams[3], config.randomization, config.task.rate_hz)
        student = Student(config.student, config.observation, task.table)
        self._watch(student)
        distiller = Distiller(
            task, eyes, training, student, config.observation, config.distill, self._streams[4], self._folder
        )
        self._learn("student", distiller, state)
        return distiller

    def _learn(self, name: str, stage: Stage, state: State) -> None:
        """The rest of a stage."""
        self._begun.setdefault(name, self.seconds)
        if state["stage"] == name:
            stage.load(state[name])
            torch.set_rng_state(torch.from_numpy(state["torch"]))
        while stage.iteration < stage.iterations:
            began, before = self.seconds, stage.frames
            measures = stage.iterate(self._between)
            if (frames := stage.frames - before) > 0:
                measures["steps_per_s"] = frames / (self.seconds - began)
            found = self._validate(stage)
            self._curves.add(name, self.seconds, {**measures, **found})
            self._save(name, stage)
            best = {} if self._best is None else {"clean_laps": self._best.clean_laps, "lap_time": self._best.lap_time}
            best = {measure: value for measure, value in best.items() if math.isfinite(value)}
            self._tell(Progress(name, stage.iteration, stage.iterations, {**measures, **best}))

    def _validate(self, stage: Stage) -> dict[str, float]:
        """What the student is worth by now, where it is time to see; a better one becomes the run's policy file."""
        if self._student is None or self._validation is None:
            return {}
        if not self._validation.due(stage.iteration, stage.iterations, self._first_clean is not None):
            return {}
        with torch.random.fork_rng(devices=[]):  # how often this is done must not matter
            score = self._validation(self._student, self._between)
        if score.clean_laps and self._first_clean is None:
            self._first_clean = self.seconds
        if score.as_good_as(self._best):
            self._best = score
            self._results.publish(self._student)
        measures = {"clean_laps": score.clean_laps, "lap_time": score.lap_time}
        return {name: value for name, value in measures.items() if math.isfinite(value)}

    def _between(self) -> None:
        """Called between steps: what is asked of the run."""
        now, student = time.perf_counter(), self._student
        # Kept beside the run's own policy.
        keep = None if student is None else (lambda: self._results.publish(student, f"policy-{self.seconds:.0f}s.onnx"))
        self._control.check(keep)
        self._began += time.perf_counter() - now

    def _save(self, name: str, stage: Stage) -> None:
        inner = stage.state()
        state = {
            "stage": name,
            "seconds": self.seconds,
            "begun": self._begun,
            "first_clean": self._first_clean,
            "best": None if self._best is None else [self._best.clean_laps, self._best.lap_time],
            "curves": self._curves.state(),
            "torch": torch.get_rng_state(),
            name: inner,
        }
        shards = [shard[0] for shard in inner.get("shards", {}).get("shards", [])]
        save_checkpoint(self._folder, f"{name}-{stage.iteration}", self._about, state, shards)

    def _finish(self, learned: Distiller | PixelTraining) -> Path:
        """Write the run's results; its policy is the student as it is at the schedule's end."""
        digest = self._results.publish(learned.student)
        seconds = self.seconds
        frames = learned.frames
        score = self._results.report(learned.student, self._curves, self._streams[7])
        measured = {
            "train_seconds": round(seconds, 2),
            "teacher_seconds": round(self._begun["student"] - self._begun.get("teacher", self._begun["student"]), 2),
            "student_seconds": round(seconds - self._begun["student"], 2),
            "report_seconds": round(self.seconds - seconds, 2),
            "first_clean_lap_s": None if self._first_clean is None else round(self._first_clean, 2),
            "camera_frames": frames,
            "steps_per_s": round(frames / (seconds - self._begun["student"]), 1),
            "clean_fraction": round(score.clean_laps, 4),
        }
        self._results.summarise(digest, measured)
        # Little to keep, and enough for the student to go on learning elsewhere (learning/live/lesson.py).
        state: State = {"stage": "end", "student": network_state(learned.student)}
        if isinstance(learned, Distiller):
            state["teacher"] = learned.teacher.state()
        save_checkpoint(self._folder, "end", {**self._about, "finished": True}, state, [])
        return self.out / POLICY

    def _tracks(self) -> TrackSet:
        rng = np.random.default_rng(self._streams[0])
        tracks = []
        for index in range(self.config.tracks):
            self._between()
            tracks.append(generate_track(rng, name=f"generated-{index}"))
            self._tell(Progress("tracks", index + 1, self.config.tracks, {}))
        return TrackSet(tracks)

    def _room(self) -> int:
        """Bytes that the run takes on the disk, about."""
        if isinstance(self.config, PixelTrainingConfig):
            return BESIDE
        config, view = self.config.distill, self.config.view
        pictures = min(config.window, config.steps * config.cars) + config.iteration_steps * config.cars
        return pictures * (view.width * view.height + OTHERS) + BESIDE

    def _make_room(self) -> None:
        """Remove what an earlier run left in the checkpoint's folder, and see that there is room for this one.

        Raises:
            OutlapError: there is not.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        tidy(self._folder, [])
        shutil.rmtree(self.out / TENSORBOARD, ignore_errors=True)
        free = shutil.disk_usage(self._folder).free
        if free < self._room():
            raise OutlapError(
                f"{self.out}: the run takes about {_size(self._room())} there and only {_size(free)} are free: make "
                "room, choose another folder, or lower distill.window."
            )


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
