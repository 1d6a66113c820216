"""The weights of networks and the moments of optimizers, as arrays that a checkpoint can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from outlap.states import State, StateError, check_keys, under


def network_state(network: torch.nn.Module) -> State:
    """A network's weights."""
    return {name: _array(value) for name, value in network.state_dict().items()}


def load_network(network: torch.nn.Module, state: State) -> None:
    """Fill the weights in place, so that who shares them shares these, too.

    Raises:
        StateError: they are of another network.
    """
    own = network.state_dict()
    check_keys(state, own)
    for name, value in own.items():
        _check(name, state[name], value)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})


def optimizer_state(optimizer: torch.optim.Optimizer) -> State:
    """The moments and step counts of each parameter, in the order of the parameters."""
    return {
        str(index): {name: _array(value) for name, value in optimizer.state[parameter].items()}
        for index, parameter in enumerate(_parameters(optimizer))
        if parameter in optimizer.state
    }


def load_optimizer(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Give an optimizer back its moments, laid out in memory as its parameters are.

    Raises:
        StateError: they are of other parameters.
    """
    if not isinstance(state, dict):
        raise StateError("is not a mapping")
    parameters = {str(index): parameter for index, parameter in enumerate(_parameters(optimizer))}
    if unknown := set(state) - set(parameters):
        raise StateError(f"has unknown parameters {', '.join(sorted(map(str, unknown)))}")
    for index, moments in state.items():
        parameter = parameters[index]
        with under(index):
            for name, value in check_keys(moments, ("step", "exp_avg", "exp_avg_sq")).items():
                _check(name, value, torch.zeros(()) if name == "step" else parameter)
                saved = torch.from_numpy(value)
                # A fused optimizer walks through memory: its moments must lie there in the order of the weights.
                like = torch.empty_like(saved if name == "step" else parameter)
                optimizer.state[parameter][name] = like.copy_(saved).requires_grad_(False)


PPO_KEYS = ("actor", "critic", "optimizer")  # of what rsl-rl-lib's PPO has learned


def ppo_state(ppo: Any) -> State:
    """What rsl-rl-lib's PPO has learned: its networks and its optimizer, under PPO_KEYS."""
    networks = {name: network_state(getattr(ppo, name)) for name in ("actor", "critic")}
    return {**networks, "optimizer": optimizer_state(ppo.optimizer)}


def load_ppo(ppo: Any, state: State) -> None:
    """Give PPO back what :func:`ppo_state` took; other keys of ``state`` are somebody else's.

    Raises:
        StateError: it is of other networks.
    """
    for name in ("actor", "critic"):
        with under(name):
            load_network(getattr(ppo, name), state[name])
    with under("optimizer"):
        load_optimizer(ppo.optimizer, state["optimizer"])


def _parameters(optimizer: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _array(value: torch.Tensor) -> np.ndarray:
    """A copy, in the order of the indices, however the tensor lies in memory."""
    return np.array(value.detach().numpy(), order="C")


def _check(name: str, saved: Any, like: torch.Tensor) -> None:
    if not isinstance(saved, np.ndarray) or saved.shape != tuple(like.shape):
        raise StateError(f"is not an array of shape {tuple(like.shape)}", name)
    if saved.dtype.kind not in "fiub":
        raise StateError("is not an array of numbers", name)
