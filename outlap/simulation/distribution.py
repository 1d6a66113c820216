"""Distributions as they stand in a YAML file: how one randomised number is drawn."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict, Field, model_serializer, model_validator

from outlap.files import Model

Floats = NDArray[np.float64]
Interval = tuple[float, float]
TAIL = 4.0  # deviations, beyond which a normal distribution is cut off

KINDS = ("constant", "uniform", "log_uniform", "normal", "choice", "chance")
# What each kind may stand beside.
COMPANIONS = {"normal": ("clip",), "choice": ("weights",), "chance": ("of", "otherwise")}


class Distribution(Model):
    """One of these, in the quantity's unit.

    | in the file | drawn |
    |---|---|
    | ``0.05`` or ``{constant: 0.05}`` | always the same |
    | ``{uniform: [0.02, 0.07]}`` | evenly between two numbers; ``[[0, 1], [2, 3]]``: evenly over several intervals |
    | ``{log_uniform: [1, 10]}`` | the same for the logarithm: 1 to 3.2 as often as 3.2 to 10 |
    | ``{normal: [0, 0.1], clip: [-0.2, 0.2]}`` | mean and deviation, cut at 4 deviations or at ``clip`` |
    | ``{choice: [1, 2, 5], weights: [2, 1, 1]}`` | one of these; ``weights`` may be left out |
    | ``{chance: 0.3, of: {uniform: [1, 2]}, otherwise: 0}`` | with this probability the one, otherwise the other |

    ``of`` and ``otherwise`` are distributions again; left out, they are 1 and 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    constant: float | None = None
    uniform: tuple[Interval, ...] | None = None
    log_uniform: tuple[Interval, ...] | None = None
    normal: Interval | None = None
    clip: Interval | None = None
    choice: Annotated[tuple[float, ...], Field(min_length=1)] | None = None
    weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    chance: Annotated[float, Field(ge=0, le=1)] | None = None
    of: Distribution | None = None
    otherwise: Distribution | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | dict | Distribution):
            raise ValueError(f"a number or a distribution ({', '.join(KINDS)}) is needed here")
        if isinstance(value, int | float):
            return {"constant": value}
        if isinstance(value, dict):
            kinds = [key for key in value if key in KINDS]
            if len(kinds) != 1:
                raise ValueError(
                    f"{' and '.join(map(str, kinds or value)) or 'nothing'} given; one distribution is needed, of "
                    f"{', '.join(KINDS)}"
                )
            stray = [str(key) for key in value if key != kinds[0] and key not in COMPANIONS.get(kinds[0], ())]
            if stray:
                raise ValueError(f"{', '.join(stray)} cannot stand beside {kinds[0]}")
            return {key: _intervals(part) if key in ("uniform", "log_uniform") else part for key, part in value.items()}
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Distribution:
        for low, high in (*(self.uniform or ()), *(self.log_uniform or ()), *((self.clip,) if self.clip else ())):
            if low > high:
                raise ValueError(f"the least, {low:g}, lies above the most, {high:g}")
        if self.log_uniform and min(low for low, _ in self.log_uniform) <= 0:
            raise ValueError("log_uniform needs numbers above 0")
        if self.normal and self.normal[1] < 0:
            raise ValueError(f"the deviation, {self.normal[1]:g}, is negative")
        if self.weights is not None and (len(self.weights) != len(self.choice or ()) or not sum(self.weights) > 0):
            raise ValueError("weights: one for each choice is needed, and one above 0")
        return self

    @model_serializer
    def _short(self) -> Any:
        """Only what was given, so that a written file reads like one written by hand."""
        if self.constant is not None:
            return self.constant
        given = self.model_fields_set  # which has no order of its own
        return {name: value for name, value in self if name in given and value is not None}

    @property
    def support(self) -> tuple[Interval, ...]:
        """The intervals in which draws lie."""
        if self.constant is not None:
            return ((self.constant, self.constant),)
        if self.normal is not None:
            mean, deviation = self.normal
            return (self.clip or (mean - TAIL * deviation, mean + TAIL * deviation),)
        if self.choice is not None:
            weights = self.weights or (1.0,) * len(self.choice)
            return tuple((one, one) for one, weight in zip(self.choice, weights, strict=True) if weight > 0)
        if self.chance is not None:
            parts = ((self.chance, self.of or ONE), (1 - self.chance, self.otherwise or ZERO))
            return tuple(interval for p, part in parts if p > 0 for interval in part.support)
        return self.uniform or self.log_uniform or ()

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """``n`` draws, (n,)."""
        if self.constant is not None:
            return np.full(n, self.constant)
        if self.uniform is not None:
            return _over(self.uniform, rng, n)
        if self.log_uniform is not None:
            return np.exp(_over(tuple((math.log(low), math.log(high)) for low, high in self.log_uniform), rng, n))
        if self.normal is not None:
            (interval,) = self.support
            return np.clip(rng.normal(*self.normal, n), *interval)
        if self.choice is not None:
            parts = None if self.weights is None else np.array(self.weights) / sum(self.weights)
            return rng.choice(np.array(self.choice), n, p=parts)
        happens = rng.random(n) < (self.chance or 0)
        return np.where(happens, (self.of or ONE).draw(rng, n), (self.otherwise or ZERO).draw(rng, n))


ZERO, ONE = Distribution(constant=0.0), Distribution(constant=1.0)


def within(low: float, high: float) -> AfterValidator:
    """Refuses a distribution some of whose draws would lie outside ``low`` to ``high``."""

    def check(given: Distribution | None) -> Distribution | None:
        for interval in () if given is None else given.support:
            for value in interval:
                if not low <= value <= high:
                    raise ValueError(f"{value:g} may be drawn, but only {low:g} to {high:g} makes sense here")
        return given

    return AfterValidator(check)


def _whole(given: Distribution | None) -> Distribution | None:
    if given is not None and any(low != high or low != round(low) for low, high in given.support):
        raise ValueError("choose whole numbers: one, or {choice: [...]}")
    return given


WHOLE = AfterValidator(_whole)  # refuses a distribution some of whose draws would lie between whole numbers


def _intervals(value: Any) -> Any:
    """A single [least, most] as a list of one."""
    return (value,) if isinstance(value, list | tuple) and value and not isinstance(value[0], list | tuple) else value


def _over(intervals: tuple[Interval, ...], rng: np.random.Generator, n: int) -> Floats:
    """Evenly over intervals, (n,)."""
    if len(intervals) == 1:
        return rng.uniform(*intervals[0], n)
    widths = np.array([high - low for low, high in intervals])
    ends = np.cumsum(widths)
    at = rng.random(n) * ends[-1]
    part = np.minimum(np.searchsorted(ends, at, side="right"), len(intervals) - 1)
    return np.array([low for low, _ in intervals])[part] + at - (ends - widths)[part]
