"""A lesson: the student of a finished run goes on learning while it drives in a simulator that only messages reach.

The student drives, the teacher says from ground truth what it would have done (aggregated imitation, as in
``distill.py``), and the student learns from that and from pictures of the built-in simulation, so that it forgets
nothing. The run itself is only read: all that a lesson makes lies in the folder ``live`` within the run's.
"""

from __future__ import annotations

import queue
from collections import deque
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from outlap.errors import OutlapError
from outlap.files import Model, read_bytes, read_yaml, share_directory, write_atomic
from outlap.learning.live.coach import Coach, Outcome
from outlap.learning.live.moments import Moment
from outlap.learning.live.rehearsal import FinishedRun, rehearse
from outlap.learning.networks.weights import load_network, load_optimizer, network_state, optimizer_state
from outlap.learning.recipes.distill import DIVERGED, imitation
from outlap.learning.recipes.shards import Shards
from outlap.learning.recipes.stage import Progress, Report
from outlap.learning.runs.checkpoint import fitting, load_checkpoint, save_checkpoint, tidy
from outlap.learning.runs.control import Control, StoppedError
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.records import LessonSummary, Reached
from outlap.learning.runs.results import Results
from outlap.states import check_keys, under
from outlap.track.track import Track
from outlap.vehicle.car import Car

# Of its state in a checkpoint.
KEYS = ("driven", "batches", "best", "outcomes", "student", "optimizer", "shards")
RECENT = 10  # episodes that say how well it drives
FEWEST = 3  # episodes, below which they say nothing
ENOUGH = 64  # driven pictures, before which nothing is learned
WARM_UP = 50  # gradient steps to the full learning rate
WAIT = 0.1  # s for the next message
AT_ONCE = 30  # messages taken in between two gradient steps
TELL_EVERY = 1.0  # s of driving between two reports


class LiveConfig(Model):
    """``config/live.yaml``, which explains every key."""

    minutes: Annotated[float, Field(gt=0)]
    laps: Annotated[int, Field(ge=1)]
    rehearsal: Annotated[int, Field(ge=2)]
    tracks: Annotated[int, Field(ge=1)]
    batches: Annotated[float, Field(gt=0)]
    batch: Annotated[int, Field(ge=4)]
    learning_rate: Annotated[float, Field(gt=0)]
    window: Annotated[int, Field(ge=ENOUGH)]
    exchange_s: Annotated[float, Field(gt=0)]
    save_s: Annotated[float, Field(gt=0)]


def load_live(**changes: Any) -> LiveConfig:
    """``config/live.yaml`` with some of its values changed."""
    path = share_directory() / "config" / "live.yaml"
    config = read_yaml(path, LiveConfig, "lesson's configuration")
    return LiveConfig.model_validate({**config.model_dump(), **changes})


class Lesson:
    """One lesson. ``add`` and ``placed`` may be called from another thread than :meth:`run`.

    Args:
        out: the finished run's folder.
        track: the one that the simulator shows.
        car: the one that drives there.
        config: the schedule.
        report: called now and then with the progress.
        control: asked between steps whether to pause, save or stop.

    Raises:
        OutlapError: the run is not finished, has no teacher, is damaged, or made a policy that cannot drive ``car``.
    """

    def __init__(
        self,
        out: Path,
        track: Track,
        car: Car,
        config: LiveConfig,
        report: Report | None = None,
        control: Control | None = None,
    ) -> None:
        self.config, self._track, self._car = config, track, car
        run = RunFolder(out)
        self._given = FinishedRun(run)
        self.contract = self._given.contract
        self.contract.check_car(car, f"the policy of {out}")
        self.folder = run.live
        self.folder.check_own()
        self._tell = report or (lambda progress: None)
        self._control = control or Control()
        self._heard: queue.SimpleQueue[Moment | tuple[float, float]] = queue.SimpleQueue()
        given = self._given
        self._results = Results(given.config, given.car, given.seed, self.folder, run.tracks_folder)
        self._period = 1 / self.contract.rate_hz  # s
        self._driven = self._batches = 0  # pictures, gradient steps
        self._losses: deque[float] = deque(maxlen=100)
        self._outcomes: list[tuple[float, str]] = []  # minutes driven, and how each episode ended
        self._best = -1.0  # clean part of the last episodes when the policy was kept
        self._exchanged = self._saved = 0  # driven pictures then
        self._learned_from = -1  # gradient steps in what drives now
        self._told = 0  # driven pictures when the progress was told last

    def add(self, moment: Moment) -> None:
        """The student drove by this."""
        self._heard.put(moment)

    def placed(self, x: float, y: float) -> None:
        """The car is put at x, y (m)."""
        self._heard.put((x, y))

    def run(self) -> Path:
        """Learn until the lesson is over; the path of the policy file that drove best.

        Raises:
            OutlapError: the folder cannot be written, what lies there is damaged, or the learning diverged; the policy
                file is whole.
            StoppedError: ``control`` ended the lesson; it goes on when it is begun again.
        """
        self._begin()
        try:
            while not self._over():
                self._control.check(self._keep)
                self._listen()
                if self._due():
                    self._learn()
                self._now_and_then()
        except StoppedError:
            self._save(finished=False)
            raise
        self._save(finished=True)
        return self.folder.policy_file

    def _begin(self) -> None:
        given, config = self._given, self.config
        torch.manual_seed(given.seed)
        self._rehearsed = rehearse(given, config.rehearsal, config.tracks, self._between)
        self._student = self._rehearsed.student
        self._teacher = self._rehearsed.teacher
        self._coach = Coach(self._track, self._car, given.config.task, self._teacher)
        self._optimizer = torch.optim.AdamW(
            self._student.parameters(), lr=config.learning_rate, weight_decay=1e-4, fused=True
        )
        self._rng = np.random.default_rng(given.seed)
        try:
            self.folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutlapError(f"cannot write {self.folder.path}: {error.strerror or error}.") from error
        self._results.tidy()
        known = self._coach.teacher_inputs
        self._data = Shards(config.window, config.window, 1, given.config.observation, known, self.folder.path)
        self._about = {"run": given.about, "track": self._track.name, "finished": False}
        followed = self._go_on()
        self._exchange()
        if not followed or not self.folder.policy_file.is_file():
            self._publish()

    def _go_on(self) -> bool:
        """Take up what an earlier lesson of this run left: its data and student; its schedule where it was not over."""
        held = load_checkpoint(self.folder.path)
        if held is None or held.about.get("run") != self._about["run"]:
            tidy(self.folder.path, [])
            return False
        with fitting(self.folder.path):
            state = check_keys(held.state, KEYS)
            with under("student"):
                load_network(self._student, state["student"])
            with under("optimizer"):
                load_optimizer(self._optimizer, state["optimizer"])
            with under("shards"):
                self._data.load(state["shards"])
            if held.about == self._about:
                with under("schedule"):
                    self._driven, self._batches = int(state["driven"]), int(state["batches"])
                    self._best = float(state["best"])
                    self._outcomes = [(float(when), str(how)) for when, how in state["outcomes"]]
        self._exchanged = self._saved = self._told = self._driven
        return True

    def _between(self) -> None:
        self._control.check(None)

    def _over(self) -> bool:
        laps = [how for _, how in self._outcomes[-self.config.laps :]]
        streak = len(laps) == self.config.laps and set(laps) == {Outcome.CLEAN.name}
        return streak or self._driven * self._period >= self.config.minutes * 60

    def _listen(self) -> None:
        """Take what has come; wait a little where there is nothing else to do."""
        try:
            heard = self._heard.get(timeout=0.0 if self._due() else WAIT)
            for _ in range(AT_ONCE):
                self._take(heard)
                heard = self._heard.get_nowait()
            self._take(heard)
        except queue.Empty:
            return

    def _take(self, heard: Moment | tuple[float, float]) -> None:
        if isinstance(heard, Moment):
            advice = self._coach.advise(heard)
            self._driven += 1
            if advice is not None:
                age = np.full(1, heard.age)
                self._data.append(heard.picture[None], heard.commands[None], *advice, age)
        else:
            self._coach.placed(*heard)
        for outcome in self._coach.outcomes:
            self._judge(outcome)
        self._coach.outcomes.clear()

    def _judge(self, outcome: Outcome) -> None:
        """An episode ended: keep what drove it where it is no worse than the best, and let what was learned drive."""
        self._outcomes.append((round(self._driven * self._period / 60, 3), outcome.name))
        rate = self._clean()
        if outcome is Outcome.CLEAN and len(self._outcomes) >= FEWEST and rate >= self._best:
            self._best = rate
            self._publish()
        if (self._driven - self._exchanged) * self._period >= self.config.exchange_s:
            self._exchange()

    def _clean(self) -> float:
        """Part of the last episodes that were clean laps."""
        recent = [how for _, how in self._outcomes[-RECENT:]]
        return recent.count(Outcome.CLEAN.name) / len(recent) if recent else 0.0

    def _due(self) -> bool:
        return self._data.size >= ENOUGH and self._batches < self._driven * self.config.batches

    def _learn(self) -> None:
        """One gradient step: half from the rehearsal, half from the driving."""
        rehearsed, config = self._rehearsed, self.config
        rate = config.learning_rate * min((self._batches + 1) / WARM_UP, 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        sets = (rehearsed.shards, self._data)
        rows = [self._rng.integers(0, data.size, config.batch // 2) for data in sets]
        mirror = rehearsed.mirrors and bool(self._batches % 2)
        weight = self._given.config.distill.auxiliary_weight
        loss = rehearsed.halves.gradients(
            lambda student, half: imitation(student, sets[half], rows[half], mirror, weight)
        )
        torch.nn.utils.clip_grad_norm_(self._student.parameters(), 1.0)
        self._optimizer.step()
        self._batches += 1
        self._losses.append(loss)
        if not np.isfinite(loss):
            raise OutlapError(DIVERGED.replace("distill.", ""))

    def _now_and_then(self) -> None:
        if self._driven - self._saved >= self.config.save_s / self._period:
            self._save(finished=False)
        if self._driven - self._told >= TELL_EVERY / self._period:
            self._told = self._driven
            self._report()

    def _exchange(self) -> None:
        """From now on the car drives by what was learned."""
        if self._batches != self._learned_from:
            self._results.publish(self._student, self.folder.driving_file)
            self._learned_from = self._batches
        self._exchanged = self._driven

    def _publish(self) -> None:
        """What drives now becomes the lesson's policy."""
        write_atomic(self.folder.policy_file, read_bytes(self.folder.driving_file, "policy"))

    def _keep(self) -> None:
        """Keep the policy as it is now beside the others."""
        self._results.publish(self._student, self.folder.kept_policy(self._driven * self._period))

    def _save(self, finished: bool) -> None:
        """A checkpoint, and the summary."""
        shards = self._data.state()
        state = {
            "driven": self._driven,
            "batches": self._batches,
            "best": self._best,
            "outcomes": [list(outcome) for outcome in self._outcomes],
            "student": network_state(self._student),
            "optimizer": optimizer_state(self._optimizer),
            "shards": shards,
        }
        name = f"{self._data.steps}-{self._batches}-{int(finished)}"
        keep = [shard[0] for shard in shards["shards"]]
        reached = Reached(stage="live", done=self._driven, total=round(self.config.minutes * 60 / self._period))
        save_checkpoint(self.folder.path, name, {**self._about, "finished": finished}, reached, state, keep)
        self._saved = self._driven
        write_atomic(self.folder.summary_file, self._summary().text(indent=1))

    def _summary(self) -> LessonSummary:
        """What the lesson has come to."""
        laps = [when for when, how in self._outcomes if how == Outcome.CLEAN.name]
        return LessonSummary(
            run=str(self._given.folder.path),
            track=self._track.name,
            driven_minutes=round(self._driven * self._period / 60, 3),
            pictures_learned_from=self._data.size,
            gradient_steps=self._batches,
            clean_laps=len(laps),
            put_back=len(self._outcomes) - len(laps),
            clean_of_last=round(self._clean(), 3),
            clean_when_kept=None if self._best < 0 else round(self._best, 3),
            first_clean_lap_minutes=min(laps, default=None),
            episodes=tuple(self._outcomes),
        )

    def _report(self) -> None:
        """Tell how it goes; the whole lesson is counted in seconds of driving."""
        laps = sum(how == Outcome.CLEAN.name for _, how in self._outcomes)
        measures = {
            "clean_laps": self._clean(),
            "laps": float(laps),
            "put_back": float(len(self._outcomes) - laps),
            "batches": float(self._batches),
        }
        if self._losses:
            measures["loss"] = float(np.mean(self._losses))
        done, total = self._driven * self._period, self.config.minutes * 60
        self._tell(Progress("live", int(done), max(round(total), 1), measures))
