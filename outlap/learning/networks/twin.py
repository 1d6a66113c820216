"""Gradients of a network in two threads, half a batch each.

Two threads that each compute half a batch meet once a batch; torch's own threads meet in every layer, and on two busy
cores they mostly wait for each other. There are always two halves, added in the same order, so that the result does not
depend on how many cores there are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

NetworkT = TypeVar("NetworkT", bound=torch.nn.Module)
ResultT = TypeVar("ResultT")


class Halves(Generic[NetworkT]):
    """A network and a twin that shares its weights but not its gradients."""

    def __init__(self, network: NetworkT) -> None:
        self.network = network
        self._twin = copy.deepcopy(network)
        for own, shared in zip(self._twin.parameters(), network.parameters(), strict=True):
            own.data = shared.data
        # A new thread would give its convolutions as many threads as there are cores, and sums depend on how many.
        self._pool = ThreadPoolExecutor(1, "half", initializer=torch.set_num_threads, initargs=(1,))

    def each(self, work: Callable[[NetworkT, int], ResultT]) -> tuple[ResultT, ResultT]:
        """Results of ``work(network, 0)`` and ``work(twin, 1)``, computed at the same time."""
        second = self._pool.submit(work, self._twin, 1)
        first = work(self.network, 0)
        return first, second.result()

    def gradients(self, loss: Callable[[NetworkT, int], torch.Tensor]) -> float:
        """Leave in the network the gradients of the mean of both halves' losses; returns that mean.

        Args:
            loss: of a network on half 0 or 1 of the batch.
        """

        def backward(network: NetworkT, half: int) -> float:
            network.zero_grad(set_to_none=True)
            value = loss(network, half)
            value.backward()
            return float(value.detach())

        values = self.each(backward)
        for own, other in zip(self.network.parameters(), self._twin.parameters(), strict=True):
            assert own.grad is not None and other.grad is not None, "a parameter took no part in the loss"
            own.grad.add_(other.grad).mul_(0.5)
        return sum(values) / 2
