"""What of an object changes as a run goes on, as plain data that a checkpoint can hold and give back bit for bit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

# Arrays and tensors, numbers, strings, lists and dictionaries of these; never an object that must be pickled.
State = dict[str, Any]


def snapshot(thing: object, skip: tuple[str, ...] = ()) -> State:
    """Copies of a thing's arrays, numbers and random streams, and of those in dataclasses that it holds.

    Args:
        thing: the object; other objects in it are left out: whoever owns them adds them.
        skip: attributes that never change and would only make the checkpoint large.
    """
    state: State = {}
    for name, value in vars(thing).items():
        if name in skip:
            continue
        if isinstance(value, np.ndarray):
            state[name] = value.copy()
        elif isinstance(value, np.random.Generator):
            state[name] = value.bit_generator.state
        elif isinstance(value, bool | int | float):
            state[name] = value
        elif dataclasses.is_dataclass(value):
            state[name] = snapshot(value)
    return state


def restore(thing: object, state: State) -> None:
    """Give a thing back what :func:`snapshot` took; arrays are filled in place, since others may look at them.

    Raises:
        ValueError: the thing has no such attribute, or one of another size.
    """
    for name, saved in state.items():
        value = vars(thing).get(name)
        if isinstance(value, np.ndarray):
            if value.shape != np.shape(saved) or value.dtype != saved.dtype:
                raise ValueError(f"{type(thing).__name__}.{name} has another shape or type")
            value[...] = saved
        elif isinstance(value, np.random.Generator):
            value.bit_generator.state = saved
        elif isinstance(value, bool | int | float):
            setattr(thing, name, saved)
        elif dataclasses.is_dataclass(value):
            restore(value, saved)
        else:
            raise ValueError(f"{type(thing).__name__} has no {name} to restore")
