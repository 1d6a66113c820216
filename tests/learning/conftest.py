"""What tests of runs need: a run that was interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlap.learning.runs.folder import RunFolder
from outlap.vehicle.car import Car

Make = Callable[..., dict[str, Any]]
SEED = 3  # as finished_run's


@pytest.fixture(scope="session")
def half_run(tiny: Make, car: Car, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run stopped after its student's second iteration; whoever writes there takes a copy."""
    # Here, since most tests of this folder do without PyTorch.
    from outlap.learning.config import TrainingConfig
    from outlap.learning.runs.control import Control, StoppedError
    from outlap.learning.runs.run import Progress, train

    out, control = tmp_path_factory.mktemp("half") / "run", Control()

    def stop(progress: Progress) -> None:
        if progress[:2] == ("student", 2):  # when there is a policy
            control.stop()

    with pytest.raises(StoppedError):
        train(TrainingConfig.model_validate(tiny()), car, out, SEED, stop, control)
    return out


@pytest.fixture
def half(half_run: Path, tmp_path: Path) -> RunFolder:
    """A copy of it."""
    shutil.copytree(half_run, tmp_path / "run")
    return RunFolder(tmp_path / "run")
