"""A gate to try, and one that is armed."""

from __future__ import annotations

import pytest
from gate_bench import Bench

from outlap.safety.gate import State
from outlap.vehicle.car import Car


@pytest.fixture
def bench(car: Car) -> Bench:
    return Bench(car)


@pytest.fixture
def driving(bench: Bench) -> Bench:
    bench.command()
    assert bench.arm().state is State.ARMED
    return bench
