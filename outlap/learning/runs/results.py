"""What a run leaves in its folder: the policy with what made it, a summary, an evaluation, curves and a short film."""

from __future__ import annotations

import copy
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from outlap import __version__
from outlap.driving.reward.reward import BUILT_IN
from outlap.files import write_atomic
from outlap.learning.config import Recipe
from outlap.learning.networks.student import Student, export
from outlap.learning.runs.curves import Curves
from outlap.learning.runs.film import LapFilm
from outlap.learning.runs.folder import REWARD_COPY, TRACKS_COPY, LearningFolder
from outlap.learning.runs.records import RunEvaluation, Summary
from outlap.learning.runs.training_tracks import given_tracks, on_copies, trained_on
from outlap.learning.runs.validation import Score, Validation
from outlap.policy.contract import Contract, Envelope, TrainedOn
from outlap.policy.file import write_policy
from outlap.simulation.clock import TICK
from outlap.track.formats import track_names
from outlap.vehicle.car import Car

TRANSPORT = 0.03  # s from a frame's exposure to its command that a live graph may add to the delays trained with
LIBRARIES = ("numpy", "torch", "rsl-rl-lib", "numba", "scipy")  # whose versions decide what a seed leads to


class Results:
    """The results of one run.

    Args:
        config, car, seed: what made them.
        folder: the run's, or the lesson's.
        tracks: folder with the run's copies of the given tracks.
    """

    def __init__(self, config: Recipe, car: Car, seed: int, folder: LearningFolder, tracks: Path) -> None:
        self.config, self.car, self.seed, self.folder, self._tracks = config, car, seed, folder, tracks
        self._of_a_policy = (folder.summary_file, folder.evaluation_file, folder.curves_file, folder.film_file)

    def tidy(self) -> None:
        """Remove what a killed run left half-written beside its results."""
        for path in (self.folder.training_file, self.folder.policy_file, *self._of_a_policy):
            for left in path.parent.glob(f".{path.name}.*"):
                if left.is_file() or left.is_symlink():  # what else there is was left by nobody of ours
                    left.unlink(missing_ok=True)

    def publish(self, student: Student, path: Path | None = None) -> str:
        """Write the student as it is into a policy file, by default the folder's; returns its digest.

        Raises:
            OutlapError: the folder cannot be written.
        """
        for left in self._of_a_policy:  # of an earlier run: they tell of another policy
            left.unlink(missing_ok=True)
        write_atomic(self.folder.training_file, self._configuration())
        # A copy, since the exporter lays the weights out in memory in its own way.
        network = export(copy.deepcopy(student), self.config.observation, self.config.task.action)
        promise = contract(self.config, self.car, self.seed, trained_on(self.config.mix, self._tracks))
        return write_policy(path or self.folder.policy_file, network, promise)

    def report(self, student: Student, curves: Curves, seed: int) -> Score:
        """Drive a last lap on all shipped tracks and the given ones, and write evaluation, curves and film.

        Raises:
            OutlapError: the folder cannot be written.
        """
        own = given_tracks(self.config.mix, self._tracks)
        others = [name for name in track_names() if name not in own]
        config = self.config.validation.model_copy(
            update={"tracks": (*others, *map(str, own.values())), "cars": self.config.validation.last_cars}
        )
        promise = contract(self.config, self.car, self.seed)
        film = LapFilm(self.config.task.rate_hz)
        score = Validation(config, self.car, self.config.task, promise, seed)(student, watch=film.add)
        film.write(self.folder.film_file)
        curves.draw(self.folder.curves_file)
        times = [lap.lap_time_s for lap in score.laps if lap.lap_time_s is not None]
        evaluation = RunEvaluation(
            clean_fraction=score.clean_laps,
            mean_lap_time_s=round(float(np.mean(times)), 3) if times else None,
            randomization=f"validation.randomization of {self.folder.training_file.name}",
            laps=score.laps,
            trained_on=tuple(own),
        )
        write_atomic(self.folder.evaluation_file, evaluation.text(indent=1))
        return score

    def summarise(self, digest: str, measured: dict[str, Any]) -> None:
        """Write the summary: ``measured``, the other fields of :class:`Summary`, and what the policy is.

        Raises:
            OutlapError: the folder cannot be written.
        """
        name = self.folder.policy_file.name
        summary = Summary(
            policy=name, digest=digest, seed=self.seed, car=self.car.name, **measured, versions=versions()
        )
        write_atomic(self.folder.summary_file, summary.text(indent=2))

    def _configuration(self) -> str:
        """The full configuration as YAML; its training part can be given to ``outlap train --config`` again."""
        content = self.config.model_dump(mode="json")
        if self.config.reward != BUILT_IN:
            content["reward"] = REWARD_COPY  # it lies beside
        if self.config.mix.files:
            mix, beside = self.config.mix, Path(TRACKS_COPY)
            content["tracks"]["files"] = list(on_copies(mix, beside, mix.files))
            content["validation"]["tracks"] = list(on_copies(mix, beside, self.config.validation.tracks))
        made_by = f"outlap {__version__}, car {self.car.name}, seed {self.seed}"
        return f"# What made the policy beside this file: {made_by}.\n{yaml.safe_dump(content, sort_keys=False)}"


def contract(config: Recipe, car: Car, seed: int, tracks: TrainedOn | None = None) -> Contract:
    """What the policy file promises and demands."""
    height, trained = config.view.camera_height, config.randomization.camera_heights
    return Contract(
        observation=config.observation,
        action=config.task.action,
        rate_hz=config.task.rate_hz,
        envelope=Envelope(
            max_curvature=config.task.curvature_limit,
            max_speed=config.task.speed_limit,
            latency=(0.0, (config.task.ticks - 1) * TICK + TRANSPORT),
            # The warp corrects the ground for another height; beyond these it shows too little of it.
            camera_height=(height * min(0.7, trained[0]), min(height * max(1.7, trained[1]), 1.0)),
        ),
        car=car.name,
        recipe=config.recipe,
        seed=seed,
        trained_on=tracks,
    )


def versions() -> dict[str, str]:
    """Of everything that decides what a seed leads to."""
    return {"outlap": __version__, "python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
