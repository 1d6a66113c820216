"""A run that is interrupted and resumed ends as one that never was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlap.errors import OutlapError
from outlap.learning.config import TrainingConfig
from outlap.learning.runs.control import Control, StoppedError
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.run import Progress, resume, train
from outlap.policy.file import load_policy
from outlap.vehicle.car import Car

pytestmark = pytest.mark.slow

Make = Callable[..., dict[str, Any]]


def digest(out: Path) -> str:
    return load_policy(RunFolder(out).policy_file).digest


def test_a_run_stopped_after_every_iteration_ends_with_the_same_weights(tiny: Make, car: Car, tmp_path: Path) -> None:
    config = TrainingConfig.model_validate(tiny(distill={"window": 20}))  # the ring of data turns round
    train(config, car, tmp_path / "straight", 5)
    out = tmp_path / "stopped"
    done: list[tuple[str, int]] = []
    finished = False
    while not finished:
        control = Control()

        def report(progress: Progress, control: Control = control) -> None:
            if progress.stage != "tracks":
                done.append(progress[:2])
                control.stop()

        try:
            if done:
                resume(out, report, control)
            else:
                train(config, car, out, 5, report, control)
            finished = True
        except StoppedError:
            pass
    # Each iteration was made once.
    assert done == [("teacher", 1), *(("student", index) for index in range(1, 6))]
    assert digest(out) == digest(tmp_path / "straight")
    with pytest.raises(OutlapError, match="is finished"):
        resume(out)


def test_a_run_stopped_in_the_middle_of_an_iteration_makes_it_again(tiny: Make, car: Car, tmp_path: Path) -> None:
    config = TrainingConfig.model_validate(tiny())
    train(config, car, tmp_path / "straight", 6)
    out, control = tmp_path / "stopped", Control()

    class Late(Control):
        """Stops at the fifth step after the student's first iteration."""

        steps = -1

        def check(self, save: Callable[[], None]) -> None:
            self.steps += self.steps >= 0
            if self.steps == 2:
                self.stop()
            super().check(save)

    control = Late()

    def report(progress: Progress) -> None:
        if progress.stage == "student":
            control.steps = 0

    with pytest.raises(StoppedError):
        train(config, car, out, 6, report, control)
    with pytest.raises(OutlapError, match=r"unfinished run.*--resume"):
        train(config, car, out, 6)
    resume(out)
    assert digest(out) == digest(tmp_path / "straight")
