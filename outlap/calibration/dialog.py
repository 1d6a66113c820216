"""What a calibration asks of whoever sits at the terminal; a test answers in a person's place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from outlap.errors import OutlapError

TRIES = 3  # for an answer that makes no sense


class CancelledError(OutlapError):
    """The person gave up; nothing was written."""

    exit_code = 130


class Dialog(ABC):
    """Questions, keys and the time. Every question has a short name, by which a stand-in knows it."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Tell something, in a paragraph of its own."""

    @abstractmethod
    def status(self, text: str) -> None:
        """Tell how it stands now, in place of the status before."""

    @abstractmethod
    def table(self, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a table."""

    @abstractmethod
    def task(self, name: str, text: str) -> None:
        """Tell what the keys that are read next are for."""

    @abstractmethod
    def confirm(self, name: str, text: str) -> None:
        """Wait until what ``text`` asks for has been done.

        Raises:
            CancelledError: it shall not be.
        """

    @abstractmethod
    def choose(self, name: str, question: str, choices: Mapping[str, str]) -> str:
        """One of ``choices``, which maps a key to its meaning. Nothing may turn while a person thinks.

        Raises:
            CancelledError: none of them.
        """

    @abstractmethod
    def number(self, name: str, question: str, low: float, high: float) -> float:
        """A number from ``low`` to ``high``, in the unit that the question names.

        Raises:
            CancelledError: none was given.
        """

    @abstractmethod
    def key(self, seconds: float) -> str:
        """The next key within ``seconds``: a character, or ``left right up down enter``; empty: none.

        Raises:
            CancelledError: q, or the end of the input.
        """

    @abstractmethod
    def now(self) -> float:
        """Steady time in s."""


class Unattended(Dialog):
    """Nobody: what is told is printed, every choice is the first one, and nothing else can be asked."""

    def say(self, text: str) -> None:
        print(text)

    def status(self, text: str) -> None:
        pass

    def table(self, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        print(title)
        for name, *cells in rows:
            print(f"  {name:<26} {'   '.join(cells)}")

    def task(self, name: str, text: str) -> None:
        raise NotImplementedError

    def confirm(self, name: str, text: str) -> None:
        raise NotImplementedError

    def choose(self, name: str, question: str, choices: Mapping[str, str]) -> str:
        return next(iter(choices))

    def number(self, name: str, question: str, low: float, high: float) -> float:
        raise NotImplementedError

    def key(self, seconds: float) -> str:
        return ""

    def now(self) -> float:
        raise NotImplementedError


def measured(dialog: Dialog, name: str, question: str, low: float, high: float, agree: float) -> float:
    """A length measured twice, or oftener until two agree within ``agree`` (same unit): the mean of those two.

    Raises:
        OutlapError: no two agree.
        CancelledError: the person gave up.
    """
    answers = [dialog.number(name, question, low, high)]
    for _ in range(TRIES):
        answers.append(dialog.number(name, f"Once more, to be sure. {question}", low, high))
        pairs = [(abs(a - b), a, b) for i, a in enumerate(answers) for b in answers[:i]]
        difference, a, b = min(pairs)
        if difference <= agree:
            return (a + b) / 2
        dialog.say(f"These differ by {difference:.1f}: one was misread.")
    raise OutlapError(f"no two of the lengths {', '.join(f'{a:g}' for a in answers)} agree: measure again at leisure.")
