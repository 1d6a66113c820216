"""The privileged teacher: learns by PPO (rsl-rl-lib) from the state and the road ahead, without any picture."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any, ClassVar

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from rsl_rl.algorithms import PPO
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.learning.networks.categorical import CategoricalDistribution
from outlap.learning.networks.weights import PPO_KEYS, load_network, load_ppo, network_state, ppo_state
from outlap.learning.settings import TeacherConfig
from outlap.states import State, restore, snapshot
from outlap.vehicle import dynamics


class TeacherEnv(VecEnv):
    """The driving task as rsl-rl-lib wants an environment."""

    def __init__(self, task: DrivingTask) -> None:
        self.task = task
        self.num_envs = task.fleet.n
        self.num_actions = 2 if task.table is None else 1  # a curvature and a speed, or the number of an action
        self.max_episode_length = task.episode_steps
        self.device = "cpu"
        self.cfg = {}
        self.get_observations()

    @property
    def episode_length_buf(self) -> torch.Tensor:
        """(n,) steps since each episode began."""
        return torch.from_numpy(self.task.age)

    def get_observations(self) -> TensorDict:
        """What the teacher knows now, under ``policy``."""
        self._known = torch.from_numpy(self.task.teacher_observation())
        return TensorDict({"policy": self._known}, batch_size=[self.num_envs])

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict]:
        """Take one action each; episodes that ended begin anew before the observation is made."""
        task = self.task
        reward, done, timed_out = task.step(in_parts(actions, task.table, guidance(self._known, task.guided)))
        self.task.reset(np.flatnonzero(done))
        extras = {"time_outs": torch.from_numpy(timed_out).float()}
        return self.get_observations(), torch.from_numpy(reward).float(), torch.from_numpy(done).float(), extras


def in_parts(
    output: torch.Tensor, table: NDArray[np.float64] | None, guidance: torch.Tensor | float = 0.0
) -> NDArray[np.float64]:
    """Actions (n, 2) in -1 … 1 of a network's outputs: numbers (n, 1) of the table's rows, or (n, 2) themselves.

    The latter are added to ``guidance`` (n, 2).
    """
    if table is not None:
        return table[output[:, 0].long().numpy()]
    return (output + guidance).clamp(-1, 1).double().numpy()


def guidance(known: torch.Tensor, guided: bool) -> torch.Tensor | float:
    """The actions (n, 2) that follow the guide, of what a teacher knows (n, teacher_inputs); 0 for one without."""
    return known[:, -2:] if guided else 0.0


class Teacher:
    """A trained teacher: labels states with what it would do.

    Args:
        network: from observations to actions, or to numbers of the table's rows.
        table: (k, 2) the task's, where actions are a list.
        guided: whether it corrects a guide.
    """

    def __init__(
        self, network: torch.nn.Module, table: NDArray[np.float64] | None = None, guided: bool = False
    ) -> None:
        self._network = network.eval()
        self._table, self._guided = table, guided

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """Actions (n, 2) in -1 … 1 for observations (n, teacher_inputs)."""
        with torch.inference_mode():
            known = torch.from_numpy(observation)
            return in_parts(self._network(known), self._table, guidance(known, self._guided))

    def state(self) -> State:
        """Its weights."""
        return network_state(self._network)

    def load(self, state: State) -> None:
        """Take the weights of ``state``."""
        load_network(self._network, state)


class TeacherTraining:
    """PPO on a task, iteration by iteration.

    Args:
        task: the cars and what they are rewarded for; its episodes are this object's to reset.
        config: PPO's numbers; the schedule counts iterations.
    """

    STATE: ClassVar = {"iteration": "iteration", "task": "task", "learning_rate": "_ppo.learning_rate"}

    def __init__(self, task: DrivingTask, config: TeacherConfig) -> None:
        self.task, self.config = task, config
        self.iteration = 0  # the next one
        self._env = TeacherEnv(task)
        with contextlib.redirect_stdout(io.StringIO()):  # rsl-rl-lib prints its networks
            algorithm = PPO.construct_algorithm(
                self._env.get_observations(), self._env, _ppo_config(config, task.table), "cpu"
            )
        self._ppo: Any = algorithm
        self._ppo.train_mode()
        if task.guided:
            _begin_small(self._ppo.actor)

    @property
    def iterations(self) -> int:
        """Before the student begins; the others it learns beside the student."""
        return min(self.config.head_start, self.config.iterations)

    @property
    def beside(self) -> int:
        """How many are due in the student's next iteration; 0 when the teacher has learned all it will."""
        return min(self.config.beside, self.config.iterations - self.iteration)

    @property
    def frames(self) -> int:
        """Camera pictures drawn so far: it needs none."""
        return 0

    @property
    def teacher(self) -> Teacher:
        """What has been learned so far."""
        return Teacher(self._ppo.get_policy().as_jit(), self.task.table, self.task.guided)

    def iterate(self, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Collect and update once; ``between`` is called between steps.

        Returns:
            ``reward`` a step, ``crashes`` a car and minute, ``speed`` in m/s.

        Raises:
            OutlapError: the learning diverged.
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
        if not all(np.isfinite(value) for value in losses.values()):
            raise OutlapError(
                f"the teacher's learning diverged in iteration {self.iteration}: lower teacher.learning_rate."
            )
        self.iteration += 1
        return {"reward": float(np.mean(rewards)), "crashes": crashes / minutes, "speed": float(np.mean(speeds))}

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
        for group in self._ppo.optimizer.param_groups:
            group["lr"] = self._ppo.learning_rate  # PPO adapts it


def _begin_small(network: torch.nn.Module) -> None:
    """Let the network's outputs be near zero at first, so that a guided teacher begins by following the line."""
    last = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.mul_(0.01)
        assert last.bias is not None
        last.bias.zero_()


def _ppo_config(config: TeacherConfig, table: NDArray[np.float64] | None) -> dict[str, Any]:
    """Our numbers in rsl-rl-lib's form."""
    if table is None:
        distribution = {"class_name": "GaussianDistribution", "init_std": config.first_deviation, "std_type": "log"}
    else:
        distribution = {"class_name": CategoricalDistribution, "choices": len(table)}
    network = {
        "class_name": "MLPModel",
        "hidden_dims": list(config.hidden),
        "activation": "elu",
        "obs_normalization": False,
    }
    return {
        "num_steps_per_env": config.steps,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "multi_gpu": None,
        "actor": {**network, "distribution_cfg": distribution},
        "critic": dict(network),
        "algorithm": {
            "class_name": "PPO",
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
