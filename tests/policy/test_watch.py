"""A watched policy file: what replaces it is taken when it is whole, fitting and new, and nothing else is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.files import write_atomic
from outlap.policy.contract import Contract
from outlap.policy.file import load_policy, write_policy
from outlap.policy.runtime import Driver, Policy
from outlap.policy.watch import PolicyWatch
from outlap.vehicle.car import Car

Constant = Callable[[float, float], Path]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.onnx"


@pytest.fixture
def watch(path: Path, car: Car) -> Iterator[PolicyWatch]:
    watch = PolicyWatch(path, car)
    yield watch
    watch.close()


def settled(watch: PolicyWatch, current: Policy | None) -> Policy | None:
    """What polling comes to, once the file has been looked at as it is now."""
    looks = 0
    end = time.monotonic() + 30
    while looks < 3 and time.monotonic() < end:  # the first may have begun before the file changed
        before = watch._look
        if found := watch.poll(current):
            return found
        looks += watch._look is not before
        time.sleep(0.001)
    return None


def changed(source: Path, target: Path, **contract: object) -> Path:
    """The policy of ``source`` under a contract with these changes."""
    old = load_policy(source).contract
    write_policy(target, source.read_bytes(), Contract.model_validate(old.model_dump() | contract))
    return target


def test_nothing_there_is_nothing_new_and_the_first_file_is_taken(
    watch: PolicyWatch, path: Path, constant_policy: Constant
) -> None:
    assert settled(watch, None) is None
    shutil.copy(constant_policy(0.5, 1.0), path)
    first = settled(watch, None)
    assert first is not None
    assert first.digest == load_policy(path).digest
    assert settled(watch, first) is None
    shutil.copy(constant_policy(0.6, 1.0), path)
    second = settled(watch, first)
    assert second is not None
    assert second.digest != first.digest
    path.unlink()
    assert settled(watch, second) is None


def test_only_what_is_new_is_taken_where_that_is_wanted(path: Path, car: Car, constant_policy: Constant) -> None:
    shutil.copy(constant_policy(0.5, 1.0), path)
    watch = PolicyWatch(path, car, only_new=True)
    assert settled(watch, None) is None
    shutil.copy(constant_policy(0.6, 1.0), path)
    assert settled(watch, None) is not None
    watch.close()


def test_the_same_policy_under_a_new_inode_is_no_news(
    watch: PolicyWatch, path: Path, constant_policy: Constant
) -> None:
    shutil.copy(constant_policy(0.5, 1.0), path)
    first = settled(watch, None)
    path.unlink()
    shutil.copy(constant_policy(0.5, 1.0), path)
    assert settled(watch, first) is None


def test_a_file_that_is_still_being_written_is_refused_once_and_taken_when_whole(
    watch: PolicyWatch, path: Path, constant_policy: Constant
) -> None:
    content = constant_policy(0.5, 1.0).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(OutlapError, match="cut short"):
        settled(watch, None)
    assert settled(watch, None) is None, "it is judged once"
    path.write_bytes(content)
    assert settled(watch, None) is not None


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"rate_hz": 31.0}, "rate_hz"),
        ({"action": {"curvature_limit": 3.0, "speed_min": 0.0, "speed_limit": 4.0}}, "action"),
        (
            {"envelope": {"max_curvature": 3.5, "max_speed": 4, "latency": (0, 0.2), "camera_height": (0.08, 0.2)}},
            "envelope",
        ),
        ({"car": "another"}, "car"),
    ],
)
def test_another_contract_is_refused_while_a_policy_drives(
    watch: PolicyWatch, path: Path, constant_policy: Constant, tmp_path: Path, change: dict, name: str
) -> None:
    first = load_policy(constant_policy(0.5, 1.0))
    changed(constant_policy(0.6, 1.0), path, **change)
    with pytest.raises(OutlapError, match=f"its {name} is not that of the policy that drives"):
        settled(watch, first)


def test_a_seed_of_its_own_is_no_reason_to_refuse(
    watch: PolicyWatch, path: Path, constant_policy: Constant, tmp_path: Path
) -> None:
    changed(constant_policy(0.6, 1.0), path, seed=7)
    assert settled(watch, load_policy(constant_policy(0.5, 1.0))) is not None


def test_a_car_that_cannot_is_told(watch: PolicyWatch, path: Path, constant_policy: Constant) -> None:
    envelope = {"max_curvature": 9.0, "max_speed": 4.0, "latency": (0, 0.1), "camera_height": (0.08, 0.2)}
    changed(constant_policy(0.5, 1.0), path, envelope=envelope)
    with pytest.raises(OutlapError, match="cannot drive the car deepracer"):
        settled(watch, None)


def test_a_driver_exchanges_its_policy_and_keeps_its_memory(constant_policy: Constant, tmp_path: Path) -> None:
    first, second = (load_policy(constant_policy(curvature, 1.0)) for curvature in (0.5, 0.6))
    driver, picture = Driver(first), np.zeros((48, 80), np.uint8)
    assert driver.act(0.0, picture).curvature == pytest.approx(0.5)
    driver.exchange(second)
    memory = driver._batch._commands.copy()
    assert memory[0, 0, 0] == pytest.approx(0.5 / 3.5)
    assert driver.act(0.033, picture).curvature == pytest.approx(0.6)
    assert driver._batch._commands[0, :, 0] == pytest.approx([0.6 / 3.5, 0.5 / 3.5])
    other = load_policy(changed(constant_policy(0.7, 1.0), tmp_path / "other.onnx", rate_hz=31.0))
    with pytest.raises(OutlapError, match="rate_hz"):
        driver.exchange(other)
    assert driver.act(0.066, picture).curvature == pytest.approx(0.6)


def test_a_policy_that_is_not_allowed_is_not_taken(path: Path, car: Car, constant_policy: Constant) -> None:
    allowed, other = constant_policy(0.5, 1.0), constant_policy(0.2, 1.0)
    watch = PolicyWatch(path, car, allowed_digests={load_policy(allowed).digest})
    try:
        write_atomic(path, other.read_bytes())
        with pytest.raises(OutlapError, match="not on the list"):
            settled(watch, None)
        path.unlink()
        write_atomic(path, allowed.read_bytes())
        assert settled(watch, None) is not None
    finally:
        watch.close()
