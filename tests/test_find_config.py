"""Names of configurations, and paths in their place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from outlap.errors import OutlapError
from outlap.evaluation.suite import load_suite
from outlap.files import find_config, share_directory
from outlap.learning.config import load_training
from outlap.simulation.randomization import load_randomization
from outlap.vehicle.car import load_car


def test_a_name_means_the_shipped_file_and_a_path_itself() -> None:
    assert find_config("cars", "deepracer", "car") == share_directory() / "config" / "cars" / "deepracer.yaml"
    assert find_config("cars", "mine/car.yml", "car") == Path("mine/car.yml")
    assert find_config("cars", Path("deepracer.yaml"), "car") == Path("deepracer.yaml")  # in the folder one is in


@pytest.mark.parametrize(
    ("load", "what", "known"),
    [
        (load_car, "car", "deepracer, "),
        (load_randomization, "randomization", "full, mild, off, race, validation"),
        (load_suite, "suite", "perturbations"),
        (partial(load_training, car=load_car()), "training preset", "full, ppo, quick"),
    ],
    ids=["car", "randomization", "suite", "training"],
)
@pytest.mark.parametrize("name", ["hard", "", "deepracer.yaml.bak", "../hard"])
def test_an_unknown_name_is_told_with_those_that_exist(load: Callable, what: str, known: str, name: str) -> None:
    with pytest.raises(OutlapError) as caught:
        load(name)
    assert str(caught.value).startswith(f"there is no {what} named {name!r}: give a .yaml file, or one of {known}")
    assert str(caught.value).endswith(".")


def test_a_path_that_leads_nowhere_is_told_as_a_path(tmp_path: Path) -> None:
    with pytest.raises(OutlapError, match=r"hard\.yaml: cannot read the car file: No such file"):
        load_car(tmp_path / "hard.yaml")
