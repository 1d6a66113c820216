"""What of an object changes as a run goes on, as plain data that a checkpoint can hold and give back bit for bit.

A class names what it saves::

    class Scaled:
        STATE = {"sums": "_sums", "count": "_count"}  # key in the checkpoint: attribute of the object

Nothing else is saved. An attribute may be renamed at will: its key stays. Keys that come, go or change their meaning
make another format of checkpoint (``FORMAT`` in ``learning/runs/checkpoint.py``; ``tests/learning/test_state_keys.py``
holds the keys of the present one).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import numpy as np

from outlap.errors import OutlapError

# Arrays, numbers, strings, lists and dictionaries of these; never an object that must be pickled.
State = dict[str, Any]


class StateError(OutlapError):
    """A saved state that does not fit the object that is to go on from it: it is damaged, or of another version."""

    def __init__(self, problem: str, *keys: str) -> None:
        super().__init__(f"{'.'.join(keys) or 'the state'} {problem}.")
        self.problem, self.keys = problem, keys


@contextlib.contextmanager
def under(key: str) -> Iterator[None]:
    """Within a ``with`` block, say of a state that does not fit that it lies under ``key``.

    Raises:
        StateError: the block did, or stumbled over a value of another kind.
    """
    try:
        yield
    except StateError as error:
        raise StateError(error.problem, key, *error.keys) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RuntimeError) as error:
        raise StateError(f"does not fit ({type(error).__name__}: {' '.join(str(error).split())[:200]})", key) from error


def check_keys(state: object, keys: Iterable[str]) -> State:
    """The state, when it has just these keys.

    Raises:
        StateError: it has others, or is no mapping.
    """
    keys = set(keys)
    if not isinstance(state, dict):
        raise StateError(f"is not a mapping but {type(state).__name__}")
    for problem, names in (("lacks", keys - set(state)), ("has unknown", set(state) - keys)):
        if names:
            raise StateError(f"{problem} {', '.join(sorted(map(str, names)))}")
    return state


def snapshot(thing: object) -> State:
    """Copies of all that the class of ``thing`` names in ``STATE``: arrays, numbers, random streams, and things that
    have a state themselves (by ``STATE``, or by methods ``state`` and ``load``)."""
    return {key: _taken(attrgetter(attribute)(thing)) for key, attribute in _named(thing).items()}


def restore(thing: object, state: State, beside: Iterable[str] = ()) -> None:
    """Give a thing back what :func:`snapshot` took; arrays are filled in place, since others may look at them.

    Args:
        thing: what goes on from there.
        state: of a thing of its class.
        beside: further keys that the state must have, which the caller sees to.

    Raises:
        StateError: a key is missing or unknown, or a value of another kind, type or size.
    """
    named = _named(thing)
    check_keys(state, (*named, *beside))
    for key, attribute in named.items():
        with under(key):
            owner, _, name = attribute.rpartition(".")
            _put_back(attrgetter(owner)(thing) if owner else thing, name, state[key])


def _named(thing: object) -> Mapping[str, str]:
    return type(thing).STATE  # pyright: ignore[reportAttributeAccessIssue]  # whoever calls has one


def _taken(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, bool | int | float):
        return value
    return value.state() if hasattr(value, "load") else snapshot(value)


def _put_back(owner: object, name: str, saved: Any) -> None:
    value = getattr(owner, name)
    if isinstance(value, np.ndarray):
        if not isinstance(saved, np.ndarray) or value.shape != saved.shape or value.dtype != saved.dtype:
            raise StateError(f"is not an array of shape {value.shape} and type {value.dtype}")
        value[...] = saved
    elif isinstance(value, np.random.Generator):
        value.bit_generator.state = saved
    elif isinstance(value, bool | int | float):
        kinds = bool if isinstance(value, bool) else int if isinstance(value, int) else (int, float)
        if not isinstance(saved, kinds) or isinstance(saved, bool) != isinstance(value, bool):
            raise StateError(f"is not a number like {value!r}")
        setattr(owner, name, type(value)(saved))
    elif hasattr(value, "load"):
        value.load(saved)
    else:
        restore(value, saved)
