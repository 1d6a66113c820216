"""The recipe ``ppo``: one network learns to drive straight from pictures, by trial and reward, as DeepRacer's do.

What only simulation knows helps while it learns: the critic is given the state and the road ahead, and the network has
to predict where the car is. What drives later needs neither.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any, ClassVar

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.learning.networks.categorical import CategoricalDistribution
from outlap.learning.networks.student import Student
from outlap.learning.networks.weights import PPO_KEYS, load_ppo, ppo_state
from outlap.learning.recipes.distill import auxiliary_targets
from outlap.learning.recipes.pixel_ppo import PixelActor, PixelPPO
from outlap.learning.recipes.teacher import in_parts
from outlap.learning.settings import PixelConfig
from outlap.policy.contract import Observation
from outlap.simulation.cameras import Eyes
from outlap.states import State, restore, snapshot
from outlap.vehicle import dynamics


class PixelEnv(VecEnv):
    """The driving task, seen through the cars' cameras, as rsl-rl-lib wants an environment."""

    STATE: ClassVar = {
        "task": "task",
        "eyes": "eyes",
        "rng": "rng",
        "commands": "_commands",
        "pictures": "_pictures",
    }

    def __init__(
        self, task: DrivingTask, eyes: Eyes, observation: Observation, look_steps: float, rng: np.random.Generator
    ) -> None:
        self.task, self.eyes, self.rng = task, eyes, rng
        self.num_envs = n = task.fleet.n
        self.num_actions = 2 if task.table is None else 1  # a curvature and a speed, or the number of an action
        self.max_episode_length = task.episode_steps
        self.device = "cpu"
        self.cfg = {}
        self._look_chance = 1 / look_steps
        self._offsets = list(observation.frame_offsets)
        self._scale = np.array([task.config.curvature_limit, task.config.speed_limit])
        self._commands = np.zeros((n, observation.commands, 2), dtype=np.float32)
        # The latest pictures, newest first.
        shape = (n, max(self._offsets) + 1, observation.view.height, observation.view.width)
        self._pictures = np.zeros(shape, dtype=np.uint8)
        self._look(np.arange(n))

    @property
    def episode_length_buf(self) -> torch.Tensor:
        """(n,) steps since each episode began."""
        return torch.from_numpy(self.task.age)

    def get_observations(self) -> TensorDict:
        """What is seen and known now."""
        groups = {
            "frames": torch.from_numpy(self._pictures[:, self._offsets]),
            "commands": torch.from_numpy(self._commands.copy()),
            "state": torch.from_numpy(self.task.teacher_observation()),
            "auxiliary": torch.from_numpy(auxiliary_targets(self.task)).float(),
        }
        return TensorDict(groups, batch_size=[self.num_envs])

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict]:
        """Take one action each; episodes that ended begin anew before the observation is made."""
        task = self.task
        parts = in_parts(actions, task.table)
        reward, done, timed_out = task.step(parts)
        self._commands = np.roll(self._commands, 1, axis=1)
        self._commands[:, 0] = np.stack(task.to_command(parts), axis=1) / self._scale
        rows = np.flatnonzero(done)
        if len(rows):
            task.reset(rows)
            self._commands[rows] = 0
        fresh = np.flatnonzero(done | (self.rng.random(self.num_envs) < self._look_chance))
        if len(fresh):
            self.eyes.reset(fresh)
        self._look(fresh)
        extras = {"time_outs": torch.from_numpy(timed_out).float()}
        return self.get_observations(), torch.from_numpy(reward).float(), torch.from_numpy(done).float(), extras

    def _look(self, fresh: NDArray[np.int64]) -> None:
        """New pictures; for the cars ``fresh`` they stand in for those before, too."""
        frames = self.eyes.look()
        self._pictures = np.roll(self._pictures, 1, axis=1)
        self._pictures[:, 0] = frames
        self._pictures[fresh] = frames[fresh, None]

    def state(self) -> State:
        """All that the next step depends on."""
        return snapshot(self)

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken.

        Raises:
            StateError: it is not of such an environment.
        """
        restore(self, state)


class PixelTraining:
    """PPO from pictures, iteration by iteration.

    Args:
        task: the cars and what they are rewarded for; its episodes are this object's to reset.
        eyes: their cameras.
        student: the network; what learns is a copy, see :attr:`student`.
        observation: what the network is given.
        config: PPO's numbers; the schedule counts iterations.
        seed: of changes of look.
    """

    STATE: ClassVar = {"iteration": "iteration", "env": "_env", "learning_rate": "_ppo.learning_rate"}

    def __init__(
        self,
        task: DrivingTask,
        eyes: Eyes,
        student: Student,
        observation: Observation,
        config: PixelConfig,
        seed: int,
    ) -> None:
        self.task, self.config = task, config
        self.iteration = 0  # the next one
        self._env = PixelEnv(task, eyes, observation, config.look_steps, np.random.default_rng(seed))
        with contextlib.redirect_stdout(io.StringIO()):  # rsl-rl-lib prints its networks
            algorithm = PixelPPO.construct_algorithm(
                self._env.get_observations(), self._env, _ppo_config(config, student, task.table), "cpu"
            )
        self._ppo: Any = algorithm
        self._ppo.train_mode()

    @property
    def student(self) -> Student:
        """The network that learns."""
        return self._ppo.actor.student

    @property
    def iterations(self) -> int:
        """Of the whole schedule."""
        return self.config.iterations

    @property
    def frames(self) -> int:
        """Pictures seen so far."""
        return self.iteration * self.config.steps * self.config.cars

    def iterate(self, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Collect and update once; ``between`` is called between steps.

        Returns:
            ``reward`` a step, ``crashes`` a car and minute, ``speed`` in m/s, ``loss``, and the ``deviation`` of the
            actions that are tried.

        Raises:
            OutlapError: the learning diverged, or the user's reward function is at fault.
        """
        numba.get_num_threads()  # starts the renderer's threads, which would undo the next line when they start later
        torch.set_num_threads(2)  # not as many as there are cores: sums, and so results, depend on it
        task, ppo, env = self.task, self._ppo, self._env
        minutes = self.config.steps * task.fleet.n / task.config.rate_hz / 60
        rewards, crashes, speeds = [], 0.0, []
        with torch.inference_mode():
            observation = env.get_observations()
            for _ in range(self.config.steps):
                between()
                observation, reward, done, extras = env.step(ppo.act(observation))
                ppo.process_env_step(observation, reward, done, extras)
                rewards.append(float(reward.mean()))
                crashes += float(done.sum() - extras["time_outs"].sum())
                speeds.append(float(task.fleet.state[:, dynamics.SPEED].mean()))
            ppo.compute_returns(observation)
        losses = ppo.update()
        if not all(bool(torch.isfinite(weights).all()) for weights in ppo.actor.parameters()):
            raise OutlapError(f"the learning diverged in iteration {self.iteration}: lower ppo.learning_rate.")
        self.iteration += 1
        return {
            "reward": float(np.mean(rewards)),
            "crashes": crashes / minutes,
            "speed": float(np.mean(speeds)),
            "loss": losses["loss"],
            "deviation": float(ppo.actor.distribution.std.mean().detach()),
        }

    def state(self) -> State:
        """All that the next iteration depends on, except torch's own random stream."""
        return {**snapshot(self), **ppo_state(self._ppo)}

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken.

        Raises:
            StateError: it is not of such a training.
        """
        restore(self, state, beside=PPO_KEYS)
        load_ppo(self._ppo, state)


def _ppo_config(config: PixelConfig, student: Student, table: NDArray[np.float64] | None) -> dict[str, Any]:
    """Our numbers in rsl-rl-lib's form."""
    if table is None:
        distribution = {"class_name": "GaussianDistribution", "init_std": config.first_deviation, "std_type": "log"}
    else:
        distribution = {"class_name": CategoricalDistribution, "choices": len(table)}
    return {
        "num_steps_per_env": config.steps,
        "obs_groups": {"actor": ["frames", "commands"], "critic": ["state"]},
        "multi_gpu": None,
        "actor": {"class_name": PixelActor, "student": student, "distribution_cfg": distribution},
        "critic": {
            "class_name": "MLPModel",
            "hidden_dims": list(config.critic),
            "activation": "elu",
            "obs_normalization": False,
        },
        "algorithm": {
            "class_name": PixelPPO,
            "auxiliary_weight": config.auxiliary_weight,
            "num_learning_epochs": config.epochs,
            "num_mini_batches": config.minibatches,
            "gamma": config.discount,
            "lam": config.trace,
            "entropy_coef": config.entropy,
            "learning_rate": config.learning_rate,
            "schedule": "adaptive",
            "desired_kl": config.desired_kl,
            "rnd_cfg": None,
            "symmetry_cfg": None,
        },
    }
