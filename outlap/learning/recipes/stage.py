"""What a run is made of: stages that learn iteration by iteration, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from outlap.states import State


class Progress(NamedTuple):
    """How far a stage of training is."""

    stage: str  # "tracks", "lines", "teacher" or "student"
    done: int  # iterations
    total: int
    measures: dict[str, float]


Report = Callable[[Progress], None]


class Stage(Protocol):
    """A part of a run that learns, iteration by iteration."""

    iteration: int  # the next one

    @property
    def iterations(self) -> int:
        """Of the whole stage."""
        ...

    @property
    def frames(self) -> int:
        """Camera pictures drawn so far."""
        ...

    def iterate(self, between: Callable[[], None]) -> dict[str, float]:
        """Learn; ``between`` is called between steps, and may wait or raise."""
        ...

    def state(self) -> State:
        """All that the next iteration depends on."""
        ...

    def load(self, state: State) -> None:
        """Go on where ``state`` was taken."""
        ...
