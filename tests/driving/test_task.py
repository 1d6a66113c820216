"""The driving task: rewards, ends, actions, and the same world in a mirror."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from outlap.driving.task import DrivingTask
from outlap.driving.task_config import TaskConfig
from outlap.learning.config import TrainingConfig
from outlap.learning.recipes.distill import auxiliary_targets, mirrored
from outlap.learning.recipes.teacher import TeacherEnv
from outlap.simulation.cameras import Eyes
from outlap.simulation.randomization import OFF
from outlap.simulation.rendering.look import WALL_DARK, WALL_LIGHT
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car

STILL = np.array([0.0, -1.0])  # straight ahead at the least speed


@pytest.fixture(scope="module")
def config(tiny: Callable[..., dict[str, Any]]) -> TrainingConfig:
    return TrainingConfig.model_validate(tiny())


def make(ring: Track, car: Car, config: TaskConfig, n: int = 4, **changes: Any) -> DrivingTask:
    """Cars on the ring, all alike, one metre apart on the centre line and rolling at 1 m/s."""
    task = DrivingTask(TrackSet([ring]), car, n, config.model_copy(update=changes), 1, OFF)
    task.fleet.place(np.arange(n), 0, np.arange(n), speed=1.0)
    task.begin(np.arange(task.fleet.n))
    task.last[:] = STILL
    return task


def round_the_ring(task: DrivingTask, speed: float = 1.0) -> np.ndarray:
    n = task.fleet.n
    return task.to_action(np.full(n, 1 / 1.2), np.full(n, speed))


def test_actions_and_commands_undo_each_other(ring: Track, car: Car, config: TrainingConfig) -> None:
    task = make(ring, car, config.task)
    action = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    np.testing.assert_allclose(task.to_action(*task.to_command(action)), action, atol=1e-12)
    curvature, speed = task.to_command(np.array([[1.0, 1], [-1, -1], [0, 0], [9, -9]]))
    limit, least, most = config.task.curvature_limit, config.task.speed_min, config.task.speed_limit
    np.testing.assert_allclose(curvature, [limit, -limit, 0, limit])
    np.testing.assert_allclose(speed, [most, least, (least + most) / 2, least])
    np.testing.assert_array_equal(task.to_action(np.array([99.0, -99]), np.array([0.0, 99])), [[1, -1], [-1, 1]])


def test_positive_curvature_turns_left(ring: Track, car: Car, config: TrainingConfig) -> None:
    task = make(ring, car, config.task)
    for _ in range(5):
        task.step(np.array([[0.5, 0], [-0.5, 0], [0, 0], [1, 0]]))
    rate = task.fleet.state[:, dynamics.YAW_RATE]
    assert rate[3] > rate[0] > 0.1
    assert rate[1] < -0.1
    assert rate[2] == pytest.approx(0)


def test_progress_pays_and_driving_back_costs(ring: Track, car: Car, config: TrainingConfig) -> None:
    task = make(ring, car, config.task, change_penalty=0.0, speed_min=0.0)
    forward = [task.step(round_the_ring(task))[0] for _ in range(10)]
    # A metre per second, as a part of the limit, whatever the rate.
    np.testing.assert_allclose(np.mean(forward[4:], axis=0), 1 / config.task.speed_limit, rtol=0.03)
    task.fleet.place(np.arange(4), 0, np.arange(4), turn=np.pi, speed=1.0)
    task.begin(np.arange(task.fleet.n))
    back, *_ = task.step(np.tile([0.0, 0.0], (4, 1)))
    assert (back < 0).all()


def test_wheels_near_a_border_cost_the_more_the_nearer(ring: Track, car: Car, config: TrainingConfig) -> None:
    task = make(ring, car, config.task, speed_min=0.0, change_penalty=0.0, edge_margin=0.05)
    half = 0.4 - car.axles.track / 2  # m, of the road inside the wheels
    task.fleet.place(np.arange(4), 0, np.arange(4), [0, half - 0.03, half, half + 0.02], speed=0)
    task.begin(np.arange(task.fleet.n))
    reward, done, _ = task.step(np.tile(STILL, (4, 1)))
    assert not done.any()
    assert reward[0] == pytest.approx(0, abs=1e-6)
    assert 0 > reward[1] > reward[2] > reward[3]
    assert reward[2] == pytest.approx(-config.task.edge_penalty, rel=0.2)


def test_jerking_the_wheel_costs(ring: Track, car: Car, config: TrainingConfig) -> None:
    task, calm = (make(ring, car, config.task, change_penalty=penalty) for penalty in (1.0, 0.0))
    action = np.array([[0, -1], [0.5, -1], [-0.5, -1], [1, -1]])
    cost = calm.step(action)[0] - task.step(action)[0]
    np.testing.assert_allclose(cost, [0, 0.25, 0.25, 1], atol=1e-9)
    np.testing.assert_allclose(calm.step(action)[0] - task.step(action)[0], 0, atol=1e-9)  # holding it does not


def test_leaving_the_road_ends_the_episode_and_costs(ring: Track, car: Car, config: TrainingConfig) -> None:
    task = make(ring, car, config.task)
    task.fleet.place([1], 0, 1.0, 0.39, 0.6, speed=1.5)
    task.begin(np.arange(task.fleet.n))
    ended = np.zeros(4, dtype=bool)
    for _ in range(10):
        reward, done, timed_out = task.step(round_the_ring(task))
        assert not timed_out.any()
        if done.any():
            np.testing.assert_array_equal(done, [False, True, False, False])
            assert reward[1] < -config.task.crash_penalty + 1
            assert (reward[[0, 2, 3]] > 0).all()
            ended |= done
            break
    assert ended[1]


def test_an_episode_whose_time_is_up_is_no_crash(ring: Track, car: Car, config: TrainingConfig) -> None:
    task = make(ring, car, config.task, episode_s=1.5)
    task.age[:] = [43, 10, 20, 44]
    _, done, timed_out = task.step(round_the_ring(task))
    np.testing.assert_array_equal(done, [False, False, False, True])
    np.testing.assert_array_equal(timed_out, done)
    task.reset(np.flatnonzero(done))
    np.testing.assert_array_equal(task.age, [44, 11, 21, 0])


def test_a_reset_puts_cars_on_the_road_and_leaves_the_others(car: Car, config: TrainingConfig) -> None:
    tracks = TrackSet([load_track("hairpins"), load_track("grand").reversed()])
    task = DrivingTask(tracks, car, 300, config.task, 2, config.randomization)
    assert len(np.unique(task.age)) > 50  # they shall not all end at once
    fleet, before = task.fleet, task.fleet.state.copy()
    rows = np.arange(0, 300, 2)
    task.reset(rows)
    assert (fleet.state[rows] != before[rows]).any(axis=1).all()
    np.testing.assert_array_equal(fleet.state[1::2], before[1::2])
    assert fleet.located.on_road.all()
    assert set(fleet.track) == {0, 1}
    assert (fleet.delay >= 0).all() and (fleet.delay < config.task.ticks).all()
    speed = fleet.state[:, dynamics.SPEED]
    assert 0.1 < (speed == 0).mean() < 0.35
    assert speed.max() <= config.task.speed_limit
    assert np.ptp(fleet.parameter[:, dynamics.FRICTION]) > 0.3
    again = DrivingTask(tracks, car, 300, config.task, 2, config.randomization)
    again.reset(rows)
    np.testing.assert_array_equal(again.fleet.state, fleet.state)
    np.testing.assert_array_equal(again.fleet.parameter, fleet.parameter)


def test_what_the_teacher_knows_is_finite_and_as_wide_as_promised(car: Car, config: TrainingConfig) -> None:
    task = DrivingTask(
        TrackSet([load_track("narrows"), load_track("coil")]), car, 50, config.task, 3, config.randomization
    )
    rng = np.random.default_rng(0)
    for _ in range(60):  # also far off the road: nobody is reset
        observation = task.teacher_observation()
        assert observation.shape == (50, task.teacher_inputs)
        assert observation.dtype == np.float32
        assert np.isfinite(observation).all()
        reward, *_ = task.step(rng.uniform(-1, 1, (50, 2)))
        assert np.isfinite(reward).all()


def test_the_environment_starts_ended_episodes_anew(ring: Track, car: Car, config: TrainingConfig) -> None:
    task = make(ring, car, config.task)
    env = TeacherEnv(task)
    task.age[:] = task.episode_steps - 1
    observation, reward, done, extras = env.step(torch.zeros(4, 2))
    assert observation["policy"].shape == (4, env.task.teacher_inputs)
    assert reward.dtype == torch.float32
    assert done.tolist() == [1, 1, 1, 1] == extras["time_outs"].tolist()
    assert env.episode_length_buf.tolist() == [0, 0, 0, 0]
    assert torch.equal(env.get_observations()["policy"], observation["policy"])


def test_in_a_mirror_all_is_the_same_with_left_and_right_changed(car: Car, config: TrainingConfig) -> None:
    track, flip = load_track("hairpins"), np.array([1.0, -1.0])
    mirror = Track("mirror", track.center * flip, track.right * flip, track.left * flip)
    task = DrivingTask(TrackSet([track, mirror]), car, 2, config.task, 0, OFF)
    task.fleet.place([0, 1], [0, 1], 4.0, [0.1, -0.1], [0.2, -0.2], 0.8)
    task.begin(np.arange(task.fleet.n))
    task.last[:] = STILL
    eyes = Eyes(task.fleet, config.view, 0, OFF)
    for name in ("floor_grain", "road_grain", "noise"):  # which no mirror turns round
        eyes._looks.scalars[name] = 0
    eyes._looks.colours[:, WALL_DARK] = eyes._looks.colours[:, WALL_LIGHT]
    for step in range(12):
        action = np.array([0.4 * np.sin(step), 0.1])
        task.step(np.stack([action, action * [-1, 1]]))
    seen, auxiliary = eyes.look(), auxiliary_targets(task)
    assert np.abs(auxiliary[0]).min() > 1e-3  # nothing that hides by being zero
    frames, commands, actions, guesses = mirrored(
        torch.from_numpy(seen[:1, None].astype(np.float32)),
        torch.tensor([[[0.3, 0.5], [-0.1, 0.4]]]),
        torch.tensor([[0.2, 0.6]]),
        torch.from_numpy(auxiliary[:1]).float(),
    )
    apart = np.abs(frames[0, 0].numpy() - seen[1])
    assert apart.mean() < 1.0
    assert (apart > 20).mean() < 0.01
    assert np.abs(seen[0].astype(float) - seen[1]).mean() > 5  # without the mirror it is another picture
    np.testing.assert_allclose(commands, [[[-0.3, 0.5], [0.1, 0.4]]])
    np.testing.assert_allclose(actions, [[-0.2, 0.6]])
    np.testing.assert_allclose(guesses.numpy(), auxiliary[1:], atol=2e-3)
    # What the teacher knows, group by group.
    one, two = task.teacher_observation().astype(float)
    k = (task.teacher_inputs - 10) // 3
    sign = np.repeat([1.0, -1, 1], k)
    np.testing.assert_allclose(two[: 3 * k], sign * one[: 3 * k], atol=1e-4)
    speed, lateral, rate, angle, sine, cosine, left, right, curvature, fast = one[3 * k :]
    np.testing.assert_allclose(
        two[3 * k :], [speed, -lateral, -rate, -angle, -sine, cosine, right, left, -curvature, fast], atol=1e-4
    )
