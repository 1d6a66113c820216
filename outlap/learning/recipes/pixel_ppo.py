"""PPO whose actor sees pictures and whose critic knows the state: rsl-rl-lib's, with an update in two threads.

The actor also predicts where the car is, as the student of the other recipe does: by that it learns to see long before
rewards could teach it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from rsl_rl.algorithms import PPO
from rsl_rl.modules.distribution import Distribution
from rsl_rl.storage import RolloutStorage
from rsl_rl.utils import resolve_class
from tensordict import TensorDict
from torch import nn

from outlap.learning.networks.student import Student, laid_out
from outlap.learning.networks.twin import Halves
from outlap.policy.observation import frames_to_tensor

LEARNING_RATES = (1e-5, 1e-2)  # least and most that PPO may adapt to, as rsl-rl-lib's


class PixelActor(nn.Module):
    """A student whose output is the middle of a distribution; what rsl-rl-lib wants of an actor.

    Args:
        obs: an observation, whose groups ``frames`` (N, T, H, W) uint8 and ``commands`` (N, K, 2) are looked at.
        obs_groups, obs_set: rsl-rl-lib's; not needed.
        output_dim: numbers in an action.
        student: the network.
        distribution_cfg: the distribution's class and arguments.
    """

    is_recurrent = False

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        student: Student,
        distribution_cfg: dict[str, Any],
    ) -> None:
        super().__init__()
        kind, arguments = resolve_class(distribution_cfg)
        self.student = laid_out(student, torch.channels_last)
        self.distribution: Distribution = kind(output_dim, **arguments)

    def judge(self, obs: TensorDict) -> torch.Tensor:
        """Set the distribution by what is seen; returns the auxiliary predictions (N, 6)."""
        frames = torch.from_numpy(frames_to_tensor(obs["frames"].numpy()))
        output, guessed = self.student.quickly(frames, obs["commands"])
        self.distribution.update(output)
        return guessed

    def forward(
        self, obs: TensorDict, masks: None = None, hidden_state: None = None, stochastic_output: bool = False
    ) -> torch.Tensor:
        """Actions: drawn, or the distribution's middle."""
        self.judge(obs)
        return self.distribution.sample() if stochastic_output else self.distribution.mean

    @property
    def output_distribution_params(self) -> tuple[torch.Tensor, ...]:
        """Of the distribution last set."""
        return self.distribution.params

    def get_output_log_prob(self, outputs: torch.Tensor) -> torch.Tensor:
        """(N,) logarithms of the chances of actions."""
        return self.distribution.log_prob(outputs)

    def reset(self, dones: torch.Tensor | None = None, hidden_state: None = None) -> None:
        """Nothing: there is no memory."""

    def get_hidden_state(self) -> None:
        """None: there is no memory."""


class _Learner(nn.Module):
    def __init__(self, actor: PixelActor, critic: nn.Module) -> None:
        super().__init__()
        self.actor, self.critic = actor, critic


class PixelPPO(PPO):
    """See the module; ``auxiliary_weight`` is the weight of predicting the observation's group ``auxiliary``."""

    actor: PixelActor  # type: ignore[assignment]  it asks of it no more than this has

    def __init__(self, *args: Any, auxiliary_weight: float, **named: Any) -> None:
        super().__init__(*args, **named)
        self.auxiliary_weight = auxiliary_weight
        self._halves = Halves(_Learner(self.actor, self.critic))

    def update(self) -> dict[str, float]:
        """Learn from the stored steps; returns the mean ``loss`` and the last ``kl``."""
        losses, kl = [], 0.0
        torch.set_num_threads(1)  # the halves are the threads
        for batch in self.storage.mini_batch_generator(self.num_mini_batches, self.num_learning_epochs):
            divergence = [0.0, 0.0]

            def loss(learner: _Learner, half: int, batch: Any = batch, divergence: list[float] = divergence) -> Any:
                return self._loss(learner, _part(batch, half), half, divergence)

            losses.append(self._halves.gradients(loss))
            kl = sum(divergence) / 2
            self._adapt(kl)
            nn.utils.clip_grad_norm_(self.actor.parameters(), self.max_grad_norm)
            nn.utils.clip_grad_norm_(self.critic.parameters(), self.max_grad_norm)
            self.optimizer.step()
        self.storage.clear()
        return {"loss": float(np.mean(losses)), "kl": kl}

    def _loss(self, learner: _Learner, batch: RolloutStorage.Batch, half: int, divergence: list[float]) -> torch.Tensor:
        """PPO's loss on half a batch (Schulman et al. 2017, eq. 9), and the auxiliary one."""
        observations: Any = batch.observations
        guessed = learner.actor.judge(observations)
        distribution = learner.actor.distribution
        with torch.no_grad():
            old: Any = batch.old_distribution_params
            divergence[half] = float(distribution.kl_divergence(old, distribution.params).mean())
        actions, advantages, values, returns, chances = (
            batch.actions,
            batch.advantages,
            batch.values,
            batch.returns,
            batch.old_actions_log_prob,
        )
        assert actions is not None and advantages is not None and values is not None
        assert returns is not None and chances is not None
        ratio = torch.exp(distribution.log_prob(actions) - chances.squeeze(-1))
        bound = ratio.clamp(1 - self.clip_param, 1 + self.clip_param)
        gain = torch.min(ratio * advantages.squeeze(-1), bound * advantages.squeeze(-1)).mean()
        valued = learner.critic(observations)
        near = values + (valued - values).clamp(-self.clip_param, self.clip_param)
        value_loss = torch.max((valued - returns).square(), (near - returns).square()).mean()
        auxiliary = (guessed - observations["auxiliary"]).square().mean()
        return (
            self.value_loss_coef * value_loss
            - gain
            - self.entropy_coef * distribution.entropy.mean()
            + self.auxiliary_weight * auxiliary
        )

    def _adapt(self, kl: float) -> None:
        """The learning rate to how far the policy moves."""
        assert self.desired_kl is not None
        least, most = LEARNING_RATES
        if kl > self.desired_kl * 2:
            self.learning_rate = max(least, self.learning_rate / 1.5)
        elif 0 < kl < self.desired_kl / 2:
            self.learning_rate = min(most, self.learning_rate * 1.5)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate


def _part(batch: RolloutStorage.Batch, half: int) -> RolloutStorage.Batch:
    """The first or the second half of a batch."""
    observations: Any = batch.observations
    middle = observations.batch_size[0] // 2
    rows = slice(0, middle) if half == 0 else slice(middle, None)

    def cut(values: torch.Tensor | None) -> torch.Tensor | None:
        return None if values is None else values[rows]

    return RolloutStorage.Batch(
        observations=observations[rows],
        actions=cut(batch.actions),
        values=cut(batch.values),
        advantages=cut(batch.advantages),
        returns=cut(batch.returns),
        old_actions_log_prob=cut(batch.old_actions_log_prob),
        old_distribution_params=tuple(each[rows] for each in batch.old_distribution_params or ()),
    )
