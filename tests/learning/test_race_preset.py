"""The preset race: what a race at the car's whole speed needs, with a track and without."""

from __future__ import annotations

import pytest

from outlap.errors import OutlapError
from outlap.learning.config import TrainingConfig, load_training
from outlap.simulation.randomization import load_randomization
from outlap.vehicle.car import Car, load_car


@pytest.fixture(scope="module")
def car() -> Car:
    return load_car()


def test_a_track_that_is_given_is_trained_on_alone(car: Car) -> None:
    config = load_training("race", car, ["oval"], both_directions=True)
    assert isinstance(config, TrainingConfig)
    assert (config.mix.generated, len(config.mix.files), config.mix.given_share) == (0, 1, 1.0)
    assert config.mix.both_directions
    assert config.validation.tracks == config.mix.files


def test_without_one_generated_tracks_are_trained_on(car: Car) -> None:
    config = load_training("race", car)
    assert isinstance(config, TrainingConfig)
    assert (config.mix.generated, config.mix.files, config.mix.given_share) == (128, (), 0.0)


def test_it_asks_for_the_cars_whole_speed_and_guides_the_teacher(car: Car) -> None:
    task = load_training("race", car).task
    assert task.speed_limit == car.drive.max_speed and task.wheels == 1 and task.guide is not None


def test_a_car_that_is_slower_is_refused_in_one_sentence(car: Car) -> None:
    slow = car.model_copy(update={"drive": car.drive.model_copy(update={"max_speed": 3.0})})
    with pytest.raises(OutlapError, match=r"task.speed_limit is 4 m/s, but the car deepracer reaches only 3 m/s"):
        load_training("race", slow)


def test_what_it_is_trained_in_differs_from_mild_by_how_the_floor_holds() -> None:
    mild, race = (load_randomization(name).model_dump() for name in ("mild", "race"))
    assert mild["car"].pop("friction") != race["car"].pop("friction")
    assert mild == race
