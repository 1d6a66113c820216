"""The contract refuses nonsense, and cars that cannot do what a policy may ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from outlap.camera.view import View
from outlap.errors import OutlapError
from outlap.policy.contract import Contract
from outlap.vehicle.car import load_car


def test_json_and_back(contract: Contract) -> None:
    assert Contract.model_validate_json(contract.model_dump_json()) == contract
    assert contract.frames_shape == (2, 20, 32) and contract.commands_shape == (2, 2)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "fast", None, 1e9])
@pytest.mark.parametrize(
    "key", ["rate_hz", "action.curvature_limit", "action.speed_limit", "envelope.max_speed", "envelope.max_curvature"]
)
def test_limits_must_be_sensible_numbers(contract: Contract, key: str, value: Any) -> None:
    content = contract.model_dump()
    *parents, last = key.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    place[last] = value
    with pytest.raises(ValidationError, match=last):
        Contract.model_validate(content)


@pytest.mark.parametrize(
    ("where", "changes"),
    [
        ("observation", {"frame_offsets": []}),
        ("observation", {"frame_offsets": [1, 2]}),
        ("observation", {"frame_offsets": [0, 0]}),
        ("observation", {"frame_offsets": [0, -1]}),
        ("observation", {"commands": 0}),
        ("observation", {"normalisation": "raw"}),
        ("observation", {"view": {"width": 1}}),
        ("action", {"speed_min": 2.5}),
        ("action", {"curvature_limit": 3.5}),
        ("action", {"speed_limit": 2.5}),
        ("envelope", {"latency": [0.1, 0.0]}),
        ("envelope", {"camera_height": [0.1]}),
        (None, {"format": 2}),
        (None, {"seed": -1}),
        (None, {"car": ""}),
        (None, {"extra": 1}),
    ],
)
def test_what_makes_no_sense_is_refused(contract: Contract, where: str | None, changes: dict[str, Any]) -> None:
    content = json.loads(contract.model_dump_json())
    (content[where] if where else content).update(changes)
    with pytest.raises(ValidationError):
        Contract.model_validate(content)


def test_a_car_that_can_do_it_all(contract: Contract) -> None:
    contract.check_car(load_car("deepracer"))


def test_deepracers_rate_takes_every_second_picture(contract_with: Callable[..., Contract]) -> None:
    slow = contract_with(rate_hz=15.0)
    slow.check_car(load_car("deepracer"))
    assert slow.pictures_a_command(load_car("deepracer")) == 2


def test_a_policy_made_for_the_very_limits_of_a_car(contract: Contract) -> None:
    car = load_car("deepracer")
    limits = {"max_curvature": car.max_curvature, "max_speed": car.drive.max_speed}
    contract.model_copy(update={"envelope": contract.envelope.model_copy(update=limits)}).check_car(car)


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("steering", {"max_angle": 0.4}, r"curvature goes up to 3 1/m, 0\.422 1/m beyond the car's 2\.578"),
        ("drive", {"max_speed": 1.5}, r"speed goes up to 2 m/s, 0\.5 m/s beyond the car's 1\.5"),
        ("camera", {"rate": 20.0}, "needs 30 frames per second, the car's camera gives 20"),
        ("camera", {"rate": 45.0}, "needs 30 frames per second, the car's camera gives 45"),
        ("camera", {"rate": 68.0}, "gives 68, which is more than 10% off that and its multiples"),
        ("camera", {"height": 0.3}, r"0\.08 to 0\.2 m above the ground, the car's is at 0\.3 m, 0\.1 m outside"),
        ("camera", {"yaw": 0.5, "pitch": -0.5}, "lens covers .*% of its view, less than the 95%"),
    ],
)
def test_a_car_that_cannot(contract: Contract, part: str, changes: dict[str, float], message: str) -> None:
    car = load_car("deepracer")
    changed = car.model_copy(update={part: getattr(car, part).model_copy(update=changes)})
    with pytest.raises(OutlapError, match=message):
        contract.check_car(changed)


def test_a_view_that_the_lens_hardly_covers(contract_with: Callable[..., Contract], contract: Contract) -> None:
    view = View(width=64, height=64, horizontal_fov=2.6)
    observation = contract.observation.model_copy(update={"view": view})
    with pytest.raises(OutlapError, match="lens covers"):
        contract_with(observation=observation).check_car(load_car("deepracer"))
