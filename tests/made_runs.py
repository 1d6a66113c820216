"""Run folders made by hand, in no time: what a run leaves, without its learning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from outlap.learning.runs.checkpoint import save_checkpoint
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.records import About, Reached, RunEvaluation, Summary, ValidationLap

VERSIONS = {"outlap": "0.1.0", "numpy": "2"}


def make_run(path: Path, finished: bool = True, seed: int = 7) -> RunFolder:
    """A run of the recipe distill, finished or interrupted in its student's third iteration of twenty."""
    folder = RunFolder(path)
    about = About(
        finished=finished, versions=VERSIONS, seed=seed, car={"name": "deepracer"}, config={"recipe": "distill"}
    )
    reached = Reached(stage="student", done=3, total=20, clean_laps=0.25, lap_time_s=9.5)
    state: dict[str, Any] = {"stage": "student", "weights": np.arange(3)}
    save_checkpoint(folder.checkpoint_folder, "student-3", about.model_dump(mode="json"), reached, state, [])
    folder.training_file.write_text("recipe: distill\n")
    folder.policy_file.write_bytes(b"a policy")
    if finished:
        summary = Summary(
            policy="policy.onnx",
            digest="0" * 64,
            seed=seed,
            car="deepracer",
            train_seconds=100.0,
            teacher_seconds=60.0,
            student_seconds=40.0,
            report_seconds=1.0,
            first_clean_lap_s=None,
            camera_frames=1000,
            steps_per_s=25.0,
            clean_fraction=0.75,
            versions=VERSIONS,
        )
        folder.summary_file.write_text(summary.text(indent=2))
        lap = ValidationLap(track="oval", start_m=0.0, lap_time_s=8.5)
        evaluation = RunEvaluation(clean_fraction=0.75, mean_lap_time_s=8.5, randomization="here", laps=(lap,))
        folder.evaluation_file.write_text(evaluation.text(indent=1))
    return folder
