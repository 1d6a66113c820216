"""What every stand-in for an actuator offers to tests, and to people without the hardware."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import NamedTuple, Self


class Sent(NamedTuple):
    """The outputs as they stood after one write of the speed; ``time`` is on the steady clock, s."""

    time: float
    steering: float | None  # signal; none: nothing was sent yet, or its output is off
    speed: float | None  # signal; likewise


class StandIn(ABC):
    """A device that answers from a thread of its own while the ``with`` block lasts."""

    @property
    @abstractmethod
    def hardware(self) -> dict[str, object]:
        """The keys of the car file's section ``actuator`` that lead to this stand-in."""

    @abstractmethod
    def history(self) -> list[Sent]:
        """Every write of the speed so far, oldest first, repeated ones too."""

    @abstractmethod
    def fail(self, writes: int | None) -> None:
        """Refuse the next ``writes`` as a device does whose bus is disturbed; None: all, 0: none any more."""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...
