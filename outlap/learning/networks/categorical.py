"""A choice among k actions as an output distribution of rsl-rl-lib, which has only continuous ones."""

from __future__ import annotations

import torch
from rsl_rl.modules.distribution import Distribution
from torch import nn
from torch.nn import functional


class CategoricalDistribution(Distribution):
    """Picks one of ``choices`` by the network's scores; what is picked is its number, as a float of shape (..., 1).

    Args:
        output_dim: of what is picked: always 1.
        choices: how many there are.
    """

    def __init__(self, output_dim: int, choices: int) -> None:
        super().__init__(output_dim)
        if output_dim != 1:
            raise ValueError("one choice at a time")
        self.choices = choices
        self._log: torch.Tensor = torch.zeros(0)  # logarithms of the probabilities

    def update(self, mlp_output: torch.Tensor) -> None:
        """Take new scores (..., choices)."""
        self._log = functional.log_softmax(mlp_output, dim=-1)

    def sample(self) -> torch.Tensor:
        """Numbers of choices drawn, (n, 1)."""
        return torch.multinomial(self._log.exp(), 1).to(self._log.dtype)

    def deterministic_output(self, mlp_output: torch.Tensor) -> torch.Tensor:
        """Numbers of the likeliest choices, (..., 1)."""
        return mlp_output.argmax(dim=-1, keepdim=True).to(mlp_output.dtype)

    def as_deterministic_output_module(self) -> nn.Module:
        """The same as a module."""
        return _Likeliest()

    @property
    def input_dim(self) -> int:
        """Scores that the network must give."""
        return self.choices

    @property
    def mean(self) -> torch.Tensor:
        """Numbers of the likeliest choices, which is as near to a mean as choices come."""
        return self.deterministic_output(self._log)

    @property
    def std(self) -> torch.Tensor:
        """How far from certain: one less the likeliest choice's probability."""
        return 1 - self._log.exp().amax(dim=-1, keepdim=True)

    @property
    def entropy(self) -> torch.Tensor:
        """(...,) in nats."""
        return -(self._log.exp() * self._log).sum(dim=-1)

    @property
    def params(self) -> tuple[torch.Tensor, ...]:
        """The logarithms of the probabilities, (..., choices)."""
        return (self._log,)

    def log_prob(self, outputs: torch.Tensor) -> torch.Tensor:
        """(...,) of the choices whose numbers are ``outputs`` (..., 1)."""
        return self._log.gather(-1, outputs.long()).squeeze(-1)

    def kl_divergence(self, old_params: tuple[torch.Tensor, ...], new_params: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """(...,) from the old to the new probabilities."""
        (old,), (new,) = old_params, new_params
        return (old.exp() * (old - new)).sum(dim=-1)

    def init_mlp_weights(self, mlp: nn.Module) -> None:
        """Begin near an even chance for all."""
        last = [layer for layer in mlp.modules() if isinstance(layer, nn.Linear)][-1]
        nn.init.uniform_(last.weight, -1e-2, 1e-2)
        nn.init.zeros_(last.bias)


class _Likeliest(nn.Module):
    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        return scores.argmax(dim=-1, keepdim=True).to(scores.dtype)
