"""One training run: from nothing to a verified policy file in a folder of its own.

A run is a sequence of stages and a stage one of iterations. After each iteration the whole run is written to
its checkpoint, so that a run which is killed goes on where it was, and ends with the same weights, bit for bit.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from outlap.cage.cage import Cage
from outlap.driving.reward.reward import BUILT_IN
from outlap.driving.reward.user_reward import OWN, check_cage, keep_copy, opened_reward
from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.learning.config import AnyTraining, PixelTrainingConfig, TrainingConfig
from outlap.learning.networks.student import Student
from outlap.learning.networks.weights import network_state
from outlap.learning.recipes.distill import Distiller
from outlap.learning.recipes.pixels import PixelTraining
from outlap.learning.recipes.stage import Progress, Report, Stage
from outlap.learning.recipes.teacher import TeacherTraining
from outlap.learning.runs.begun import read_run
from outlap.learning.runs.checkpoint import FORMAT, fitting, old_format, read_index, save_checkpoint
from outlap.learning.runs.control import Control
from outlap.learning.runs.curves import Curves
from outlap.learning.runs.disk import full_disk_told, make_room
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.records import About, Reached
from outlap.learning.runs.results import Results, contract, versions
from outlap.learning.runs.training_tracks import TrainingTracks, keep_tracks, on_copies, training_tracks
from outlap.learning.runs.validation import Score, Validation
from outlap.simulation.cameras import Eyes
from outlap.simulation.randomization import Randomization
from outlap.simulation.rendering.warming import Warming
from outlap.states import State, StateError, check_keys, under
from outlap.vehicle.car import Car

__all__ = ["Progress", "Report", "contract", "interrupted", "resume", "train"]

# Of a run's state in its checkpoint: before the first stage, and besides the stage's own, which stands under its name.
BEGINNING = ("stage", "seconds")
KEYS = (*BEGINNING, "begun", "first_clean", "best", "curves", "torch")


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
        OutlapError: the car could not run such a policy, the reward's cage cannot start, the folder cannot be written
            or holds an unfinished run, or the learning diverged; no policy file is left half-written.
        StoppedError: ``control`` stopped the run, which can be resumed.
    """
    contract(config, car, seed).check_car(car, "a policy of this training file")  # now, not after minutes
    check_cage(config.reward, config.caged)
    folder = RunFolder(out)
    folder.check_own()
    held = read_index(folder.checkpoint_folder)
    if held is not None and not held.finished:
        if held.format != FORMAT:
            raise OutlapError(f"{folder.checkpoint_index}: {old_format(held)}")
        raise OutlapError(
            f"{out} holds an unfinished run: go on with it (outlap train --resume {out}), or choose another folder."
        )
    return _Run(config, car, folder, seed, report, control, elapsed).go(None)


def resume(out: Path, report: Report | None = None, control: Control | None = None, elapsed: float = 0.0) -> Path:
    """Go on with the run in ``out`` that was interrupted; see :func:`train`.

    Raises:
        OutlapError: there is no unfinished run, or it was begun with other versions of what decides its results; and
            as :func:`train`.
    """
    folder = RunFolder(out)
    folder.check_own()
    index = read_index(folder.checkpoint_folder)
    if index is not None and index.finished:
        raise OutlapError(f"the run in {out} is finished: its policy is {folder.policy_file}.")
    held = read_run(folder)
    if held is None:
        raise OutlapError(f"{out} holds no run to resume: start one with outlap train --out {out}.")
    began = held.about.versions
    changed = [f"{name} {was}, not {now}" for name, now in versions().items() if (was := began.get(name)) != now]
    if changed:
        raise OutlapError(
            f"the run in {out} was begun with {' and '.join(changed)}, so it cannot go on bit for bit: install that, "
            "or start a run in another folder."
        )
    check_cage(held.config.reward, held.config.caged, resuming=True)
    with fitting(folder.checkpoint_folder):
        return _Run(held.config, held.car, folder, held.about.seed, report, control, elapsed).go(held.state)


def interrupted(out: Path, config: AnyTraining, car: Car, seed: int) -> bool:
    """Whether ``out`` holds just this run, begun and not finished.

    Raises:
        OutlapError: what the folder holds is damaged.
    """
    held = read_index(RunFolder(out).checkpoint_folder)
    return held is not None and held.about == _about(config, car, seed)


def _about(config: AnyTraining, car: Car, seed: int, finished: bool = False) -> dict[str, Any]:
    """What a run is, as its checkpoint says."""
    about = About(
        finished=finished,
        versions=versions(),
        seed=seed,
        car=car.model_dump(mode="json"),
        config=config.model_dump(mode="json"),
    )
    return about.model_dump(mode="json")


class _Run:
    """A run under way."""

    def __init__(
        self,
        config: AnyTraining,
        car: Car,
        folder: RunFolder,
        seed: int,
        report: Report | None,
        control: Control | None,
        elapsed: float,
    ) -> None:
        self.config, self.car, self.folder, self.out, self.seed = config, car, folder, folder.path, seed
        self._tell = report or (lambda progress: None)
        self._control = control or Control()
        self._began = time.perf_counter() - elapsed
        self._folder = folder.checkpoint_folder
        self._results = Results(config, car, seed, folder, folder.tracks_folder)
        self._curves = Curves(folder.tensorboard_folder)
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
        with (
            full_disk_told(self.folder, self.config),
            contextlib.closing(self._curves),
            contextlib.closing(Warming()) as warming,
        ):
            return self._go(state, warming)

    def _go(self, state: State | None, warming: Warming) -> Path:
        config = self.config
        if state is None:
            keep_tracks(config.mix, self.folder.tracks_folder, resuming=False, replaces=self.folder.is_run)
            make_room(self.folder, self.config)
            keep_copy(config.reward, self.folder.reward_file, resuming=False)
            state = {"stage": "", "seconds": self.seconds}
            save_checkpoint(self._folder, "begin", self._about, Reached(stage="", done=0, total=0), state, [])
        else:
            keep_copy(config.reward, self.folder.reward_file, resuming=True)
            keep_tracks(config.mix, self.folder.tracks_folder, resuming=True)
            self._results.tidy()
            self._take(state)
        torch.manual_seed(self.seed)
        trained = self._tracks()
        pixels = isinstance(config, PixelTrainingConfig)
        ppo, drawn = (config.ppo, config.randomization) if pixels else (config.teacher, config.teacher.randomization)
        with opened_reward(
            config.reward,
            config.task,
            trained.tracks,
            self.car,
            ppo.cars,
            self._streams[5],
            ppo.discount,
            self.folder.reward_log,
            Cage() if config.caged else OWN,
        ) as reward:
            # Who learns from rewards: the teacher, or what drives in the end.
            one_lap = config.reward != BUILT_IN
            task = self._task(trained, ppo.cars, self._streams[1], drawn, reward=reward, one_lap=one_lap)
            if pixels:
                return self._finish(self._tried(config, task, state, warming))
            return self._finish(self._taught(config, trained, task, state, warming))

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
        config = self.config
        tracks = on_copies(config.mix, self.folder.tracks_folder, config.validation.tracks)
        validated = config.validation.model_copy(update={"tracks": tracks})
        promise = contract(config, self.car, self.seed)
        self._validation = Validation(validated, self.car, config.task, promise, self._streams[6])

    def _task(self, trained: TrainingTracks, cars: int, seed: int, drawn: Randomization, **others: Any) -> DrivingTask:
        """Cars on the run's tracks."""
        tracks, chances = trained
        return DrivingTask(tracks, self.car, cars, self.config.task, seed, drawn, chances=chances, **others)

    def _taught(
        self, config: TrainingConfig, trained: TrainingTracks, task: DrivingTask, state: State, warming: Warming
    ) -> Distiller:
        """The teacher's head start, then student and teacher side by side."""
        if config.task.guide is not None:
            task.find_guide(self._telling("lines"))
        training = TeacherTraining(task, config.teacher)
        if state["stage"] != "student":
            self._learn("teacher", training, state)
        warming.wait()
        task = self._task(trained, config.distill.cars, self._streams[2], config.randomization, guide=task.guide)
        eyes = Eyes(task.fleet, config.view, self._streams[3], config.randomization, config.task.rate_hz)
        student = Student(config.student, config.observation, task.table)
        self._watch(student)
        mirrors, seen, seed = config.mix.generated > 0, config.observation, self._streams[4]
        distiller = Distiller(task, eyes, training, student, seen, config.distill, seed, self._folder, mirrors=mirrors)
        self._learn("student", distiller, state)
        return distiller

    def _learn(self, name: str, stage: Stage, state: State) -> None:
        """The rest of a stage."""
        self._begun.setdefault(name, self.seconds)
        if state["stage"] == name:
            with under(name):
                stage.load(state[name])
            with under("torch"):
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
        keep = (
            None if student is None else (lambda: self._results.publish(student, self.folder.kept_policy(self.seconds)))
        )
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
            "torch": torch.get_rng_state().numpy(),
            name: inner,
        }
        shards = [shard[0] for shard in inner.get("shards", {}).get("shards", [])]
        clean, lap_time = (None, None) if self._best is None else self._best[:2]
        reached = Reached(
            stage=name,
            done=stage.iteration,
            total=stage.iterations,
            clean_laps=clean,
            lap_time_s=lap_time if lap_time is not None and math.isfinite(lap_time) else None,
        )
        save_checkpoint(self._folder, f"{name}-{stage.iteration}", self._about, reached, state, shards)

    def _take(self, state: State) -> None:
        """Go on where :meth:`_save` left off, or from the state of a run that had only begun.

        Raises:
            StateError: it is neither's.
        """
        stage = state.get("stage")
        stages = ("student",) if isinstance(self.config, PixelTrainingConfig) else ("teacher", "student")
        if stage not in ("", *stages):
            raise StateError("is no stage of the recipe", "stage")
        check_keys(state, (*KEYS, stage) if stage else BEGINNING)
        with under("seconds"):
            self._began -= float(state["seconds"])
        if not stage:
            return
        with under("curves"):
            self._curves.load(state["curves"])
        with under("begun"):
            self._begun = {str(name): float(seconds) for name, seconds in state["begun"].items()}
        with under("first_clean"):
            self._first_clean = None if (first := state["first_clean"]) is None else float(first)
        with under("best"):
            self._best = None if (best := state["best"]) is None else Score(float(best[0]), float(best[1]))

    def _finish(self, learned: Distiller | PixelTraining) -> Path:
        """Write the run's results; its policy is the student as it is at the schedule's end."""
        digest = self._results.publish(learned.student)
        seconds, frames = self.seconds, learned.frames
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
        about = _about(self.config, self.car, self.seed, finished=True)
        save_checkpoint(self._folder, "end", about, Reached(stage="end", done=0, total=0), state, [])
        return self.folder.policy_file

    def _tracks(self) -> TrainingTracks:
        return training_tracks(self.config.mix, self.folder.tracks_folder, self._streams[0], self._telling("tracks"))

    def _telling(self, stage: str) -> Callable[[int, int], None]:
        """Tells how far ``stage``, which learns nothing yet, is."""

        def told(done: int, total: int) -> None:
            self._between()
            self._tell(Progress(stage, done, total, {}))

        return told
