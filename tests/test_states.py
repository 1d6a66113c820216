"""Explicit states: only what is named is saved, under keys that outlive the attributes; what does not fit is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from outlap.states import State, StateError, restore, snapshot


@dataclass
class Inner:
    """Numbers of its own."""

    STATE: ClassVar = {"values": "values"}
    values: np.ndarray


class Thing:
    """Of everything that can be saved one."""

    STATE: ClassVar = {"age": "age", "rng": "_rng", "inner": "inner", "deep": "other.rng", "count": "count", "on": "on"}

    def __init__(self, seed: int) -> None:
        self.age = np.full(3, seed)
        self._rng = np.random.default_rng(seed)
        self.inner = Inner(np.full(2, 0.5 * seed))
        self.other = Other(seed)
        self.count, self.on, self.part = seed, bool(seed), 0.25 * seed
        self.secret = np.zeros(9)


class Other:
    """Not saved as a whole."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed + 1)


class Renamed(Thing):
    """The same with other attributes."""

    STATE: ClassVar = {**Thing.STATE, "age": "steps_since_start"}

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.steps_since_start = self.age
        del self.age


def test_only_what_is_named_is_saved_and_arrays_are_filled_in_place() -> None:
    one, other = Thing(1), Thing(2)
    age = other.age
    state = snapshot(one)
    assert set(state) == set(Thing.STATE)
    assert set(state["inner"]) == {"values"}
    first = one._rng.random(), one.other.rng.random()
    one.age[:] = 7  # a copy was taken
    restore(other, state)
    assert other.age is age
    assert (other.age == 1).all() and (other.inner.values == 0.5).all()
    assert (other.count, other.on, other.part) == (1, True, 0.5)
    assert (other._rng.random(), other.other.rng.random()) == first


def test_an_attribute_may_be_renamed() -> None:
    thing = Renamed(2)
    restore(thing, snapshot(Thing(1)))
    assert (thing.steps_since_start == 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": 1}, "the state has unknown more."),
        ({"age": np.zeros(4, np.int64)}, "age is not an array of shape (3,) and type int64."),
        ({"age": np.zeros(3)}, "age is not an array of shape (3,) and type int64."),
        ({"age": [1, 1, 1]}, "age is not an array of shape (3,) and type int64."),
        ({"count": 1.5}, "count is not a number like 2."),
        ({"count": True}, "count is not a number like 2."),
        ({"count": None}, "count is not a number like 2."),
        ({"on": 1}, "on is not a number like True."),
        ({"rng": {"bit_generator": "MT19937"}}, "rng does not fit (ValueError: "),
        ({"rng": 5}, "rng does not fit (TypeError: "),
        ({"inner": {"values": np.zeros(3)}}, "inner.values is not an array of shape (2,) and type float64."),
        ({"inner": {}}, "inner lacks values."),
        ({"inner": [1]}, "inner is not a mapping but list."),
    ],
)
def test_what_does_not_fit_is_told(change: State, message: str) -> None:
    with pytest.raises(StateError) as caught:
        restore(Thing(2), {**snapshot(Thing(1)), **change})
    assert str(caught.value).startswith(message)


@dataclass
class Numbers:
    """One of each kind."""

    STATE: ClassVar = {"whole": "whole", "part": "part", "on": "on"}
    whole: int
    part: float
    on: bool


def test_a_number_keeps_the_kind_that_it_had() -> None:
    numbers = Numbers(1, 0.5, False)
    restore(numbers, {"whole": 2, "part": 3, "on": True})
    assert numbers == Numbers(2, 3.0, True)
    assert [type(value) for value in (numbers.whole, numbers.part, numbers.on)] == [int, float, bool]


def test_a_number_beyond_its_kind_is_told() -> None:
    with pytest.raises(StateError, match="part does not fit"):
        restore(Numbers(1, 0.5, False), {"whole": 2, "part": 10**400, "on": True})


@pytest.mark.parametrize("key", Thing.STATE)
def test_what_is_missing_is_told(key: str) -> None:
    state: dict[str, Any] = snapshot(Thing(1))
    del state[key]
    with pytest.raises(StateError, match=f"the state lacks {key}"):
        restore(Thing(2), state)
