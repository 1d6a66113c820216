"""Randomization files: what ships is whole and explained, validation is never trained on, and mistakes are named."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.simulation.distribution import Distribution
from outlap.simulation.randomization import OFF, Randomization, load_randomization

FOLDER = share_directory() / "config" / "randomization"
VARIED = ("mild", "full", "validation")
# What is only there or not, or comes in whole steps, may be as it was in training.
SWITCHES = {
    "bright_line",
    "same_floor",
    "missing_line",
    "joint_parallel",
    "box",
    "lamp",
    "covered",
    "fisheye",
    "frame_delay",
}
SAMPLES = 3000


def quantities(randomization: Randomization) -> Iterator[tuple[str, str, Distribution]]:
    """Section, name and distribution of everything given."""
    for section in type(randomization).model_fields:
        given = getattr(randomization, section)
        for name in type(given).model_fields if given is not None else ():
            if (one := getattr(given, name)) is not None:
                yield section, name, one


def test_off_is_nothing() -> None:
    assert load_randomization("off") == OFF
    assert not list(quantities(OFF))


@pytest.mark.parametrize("name", VARIED)
def test_a_preset_varies_every_quantity_and_explains_it(name: str) -> None:
    given = load_randomization(name)
    fields = {
        (section, key) for section in Randomization.model_fields for key in type(getattr(given, section)).model_fields
    }
    assert {(section, key) for section, key, _ in quantities(given)} == fields
    # Each key has its unit and meaning beside or above it; a factor's name says all.
    lines = (FOLDER / f"{name}.yaml").read_text().splitlines()
    plain = {"friction", "cornering_stiffness", "deceleration", "motor_lag", "servo_rate", "servo_lag"}
    for before, line in pairwise(lines):
        if line.startswith("  ") and not line.strip().startswith("#"):
            assert "#" in line or before.strip().startswith("#") or line.split(":")[0].strip() in plain, line


def test_what_a_run_writes_down_is_read_as_the_same(tmp_path: Path) -> None:
    full = load_randomization("full")
    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(full.model_dump(mode="json")))
    assert load_randomization(path) == full
    assert "normal: null" not in path.read_text()


def test_validation_lies_where_training_never_goes() -> None:
    rng = np.random.default_rng(0)
    validation = {(section, name): one for section, name, one in quantities(load_randomization("validation"))}
    judged = 0
    for section, name, trained in quantities(load_randomization("full")):
        if name in SWITCHES:
            continue
        judged += 1
        for one, other in ((trained, validation[section, name]), (validation[section, name], trained)):
            drawn = one.draw(rng, SAMPLES)
            drawn = drawn[drawn != 0]  # where there is none of it
            assert len(drawn)
            for low, high in other.support:
                assert not ((drawn >= low) & (drawn <= high)).any(), f"{section}.{name}"
    assert judged > 70


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("look: {line_width: {uniform: [0.07, 0.02]}}", "look.line_width: the least, 0.07, lies above the most, 0.02"),
        ("look: {line_width: {uniform: [0.02, 0.7]}}", "look.line_width: 0.7 may be drawn, but only 0.005 to 0.3"),
        ("look: {noise: {triangular: [0, 1]}}", "look.noise: triangular given; one distribution is needed"),
        ("look: {noise: {uniform: [0, .nan]}}", "look.noise.uniform.0.1: Input should be a finite number"),
        ("look: {wear: {chance: 1.2}}", "look.wear.chance: Input should be less than or equal to 1"),
        ("look: {wear: {chance: 0.5, of: {uniform: [1, 0]}}}", "look.wear.of: the least, 1, lies above the most, 0"),
        ("look: {floor_tile: {choice: [0, 99]}}", "look.floor_tile: 99 may be drawn, but only 0 to 7"),
        ("look: {floor_tile: {uniform: [0, 3]}}", "look.floor_tile: choose whole numbers"),
        ("look: {colour: 3}", "look.colour: unknown key"),
        ("weather: {rain: 1}", "weather: unknown key"),
        ("camera: {pitch: {normal: [0, 1]}}", "camera.pitch: -4 may be drawn"),
        ("car: {friction: 0}", "car.friction: 0 may be drawn"),
        ("picture: {covered: {chance: 0.5}}", "picture.covered needs the section coverage"),
        ("coverage: {fisheye: 1}", "coverage.focal_length: missing"),
        ("look: 3", "look: "),
        ("[1, 2]", "must be a mapping"),
        ("look: {noise: [0, 1]}", "look.noise: a number or a distribution"),
    ],
)
def test_mistakes_are_named_by_file_and_key(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(OutlapError) as caught:
        load_randomization(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_none_is_answered_with_those_that_are() -> None:
    with pytest.raises(OutlapError, match=r"no randomization named 'wild'.*full, mild, off, race, validation"):
        load_randomization("wild")


def test_heights_trained_with_are_those_of_mounts_and_coverages() -> None:
    assert OFF.camera_heights == (1, 1)
    one = Randomization.model_validate({"camera": {"height": {"uniform": [0.9, 1.2]}}})
    assert one.camera_heights == (0.9, 1.2)
    low, high = load_randomization("full").camera_heights
    assert low < 0.7 and high > 2.5
