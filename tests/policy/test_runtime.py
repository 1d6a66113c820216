"""What a driver remembers, and when it forgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.policy.file import load_policy
from outlap.policy.observation import frames_to_tensor
from outlap.policy.runtime import BatchDriver, Command, Driver, Policy

PERIOD = 1 / 30  # s


@pytest.fixture(scope="module")
def policy(policy_path: Path) -> Policy:
    return load_policy(policy_path)


def pictures(steps: int, cars: int = 1) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (steps, cars, 20, 32), dtype=np.uint8)


def test_the_network_gets_what_the_contract_says(policy: Policy) -> None:
    images = pictures(5)[:, 0]
    driver, actions = Driver(policy), []
    limits = np.array([3.0, 2.0], np.float32)
    for step, image in enumerate(images):
        past = [np.array(actions[-k]) / limits if k <= len(actions) else np.zeros(2) for k in (1, 2)]
        frames = frames_to_tensor(np.stack([image, images[max(step - 2, 0)]]))
        expected = policy.infer(frames[None], np.asarray(past, np.float32)[None])[0]
        command = driver.act(step * PERIOD, image)
        np.testing.assert_allclose(command, expected, atol=1e-6)
        actions.append(command)
    assert isinstance(command, Command) and abs(command.curvature) <= 3 and 0.5 <= command.speed <= 2
    assert len({round(command.speed, 6) for command in actions}) == 5  # the pictures do matter


def test_driver_is_a_batch_of_one(policy: Policy) -> None:
    images = pictures(6)
    driver, batch = Driver(policy), BatchDriver(policy, 1)
    for step, image in enumerate(images):
        assert tuple(driver.act(step * PERIOD, image[0])) == tuple(batch.act(image)[0].tolist())


def test_cars_of_a_batch_do_not_mix(policy: Policy) -> None:
    cars = 70  # more than one chunk of inference
    images = pictures(5, cars)
    batch, drivers = BatchDriver(policy, cars), [Driver(policy) for _ in range(cars)]
    for step, row in enumerate(images):
        if step == 3:
            mask = np.arange(cars) == 1
            batch.reset(mask)
            drivers[1].reset()
        actions = batch.act(row)
        assert actions.shape == (cars, 2) and actions.dtype == np.float32
        expected = [driver.act(step * PERIOD, image) for driver, image in zip(drivers, row, strict=True)]
        np.testing.assert_allclose(actions, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("jump", "restarts"),
    [(PERIOD, False), (0.45, False), (0.6, True), (-1.0, True), (0.0, True), (3600.0, True), (float("nan"), True)],
)
def test_history_restarts_when_time_jumps(policy: Policy, jump: float, restarts: bool) -> None:
    images = pictures(4)[:, 0]
    driver = Driver(policy)
    for step in range(3):
        driver.act(step * PERIOD, images[step])
    after = driver.act(2 * PERIOD + jump, images[3])
    assert (after == Driver(policy).act(0.0, images[3])) is restarts


def test_of_a_quicker_camera_it_takes_every_second_picture_and_no_lost_one_shifts_that(policy: Policy) -> None:
    driver = Driver(policy, every=2)  # of 60 pictures a second, for a policy of 30
    image = pictures(1)[0, 0]
    taken = []
    for number in [0, 1, 2, 3, 4, 5, 8, 9, 10, 13, 14, 15, 16]:  # some are lost
        stamp = number * PERIOD / 2 + (number % 3 - 1) * 1e-3  # and none is on time
        if driver.due(stamp):
            driver.act(stamp, image)
            taken.append(number)
    assert taken == [0, 2, 4, 8, 10, 13, 15]
    assert driver.due(0.0)  # time has begun anew
    assert all(Driver(policy).due(stamp) for stamp in (0.0, 1e-3))


def test_reset_forgets(policy: Policy) -> None:
    images = pictures(3)[:, 0]
    driver = Driver(policy)
    first = [driver.act(step * PERIOD, image) for step, image in enumerate(images)]
    driver.reset()
    assert [driver.act(9 + step * PERIOD, image) for step, image in enumerate(images)] == first


def test_wrong_pictures_are_refused(policy: Policy) -> None:
    with pytest.raises(OutlapError, match="32x20"):
        Driver(policy).act(0.0, np.zeros((32, 20), np.uint8))


def test_large_and_empty_batches(policy: Policy) -> None:
    frames, commands = np.zeros((100, 2, 20, 32), np.float32), np.zeros((100, 2, 2), np.float32)
    actions = policy.infer(frames, commands)
    assert actions.shape == (100, 2) and np.ptp(actions, axis=0).max() < 1e-5
    assert policy.infer(frames[:0], commands[:0]).shape == (0, 2)
