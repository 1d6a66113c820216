"""Run pure functions somewhere else, and get their results in order.

Example::

    def count_primes(worker: Worker, first: int, last: int) -> int:
        found = 0
        for number in range(first, last):
            found += is_prime(number)
            worker.report(1)
        return found

    jobs = [Job(f"the primes below {n + 1000}", count_primes, (n, n + 1000)) for n in range(0, 10_000, 1000)]
    counts = LocalProcesses(4).run(jobs)

The functions may run in other processes, or one day on other machines, so they share no memory. A function is defined
at the top of a module, it and its arguments and result can be pickled, and its result depends on its arguments alone.
Then the results are the same wherever it runs, on however many workers, and when a lost worker's job is repeated.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

ResultT = TypeVar("ResultT")


class Worker(NamedTuple):
    """What a job's function is given before its arguments."""

    prepared: Any  # what the set-up function returned on this worker; None without one
    report: Callable[[int], None]  # call it with the number of units (laps, say) done since the last call


@dataclass(frozen=True)
class Job(Generic[ResultT]):
    """One call, ``function(worker, *arguments)``."""

    name: str  # in messages, such as "part 2 of 4 of the laps"
    function: Callable[..., ResultT]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Setup:
    """A call, ``function(*arguments)``, that each worker makes once before its first job."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


class Executor(Protocol):
    """Something that runs jobs."""

    def run(
        self,
        jobs: Sequence[Job[ResultT]],
        setup: Setup | None = None,
        report: Callable[[int], None] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> list[ResultT]:
        """Run all jobs. Ctrl-C, or any other exception here, cancels them; no worker is left when this returns.

        Args:
            jobs: what to run, started in this order.
            setup: what each worker does first; what it returns is ``worker.prepared`` of the jobs.
            report: called now and then with the number of units that the jobs have reported since its last call. What
                a repeated job had reported before its worker was lost is not counted twice.
            warn: called with one sentence for each worker that is lost; by default it goes to the standard error.

        Returns:
            the jobs' results, in the jobs' order.

        Raises:
            OutlapError: a job cannot be sent to a worker; workers cannot be started; a job has lost its worker each
                time that it was tried.
            Exception: what a job's function or the set-up raised, as it is; the traceback on the worker is added to it
                as a note.
            RuntimeError: a job's function or the set-up wanted to end the program (``sys.exit``), which goes on.
        """
        ...


class ThisProcess:
    """Runs jobs one after the other, here."""

    def run(
        self,
        jobs: Sequence[Job[ResultT]],
        setup: Setup | None = None,
        report: Callable[[int], None] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> list[ResultT]:
        """See :class:`Executor`."""
        if not jobs:
            return []
        try:
            prepared = None if setup is None else setup.function(*setup.arguments)
            worker = Worker(prepared, report or ignore)
            return [job.function(worker, *job.arguments) for job in jobs]
        except SystemExit as error:  # Ctrl-C, here, is the caller's
            raise harmless(error) from error


def harmless(error: BaseException) -> Exception:
    """What a job raised, or a RuntimeError that names it where it would end the program that wants the result."""
    return error if isinstance(error, Exception) else RuntimeError(f"a job raised {error!r}, which ends a program")


def ignore(count: int) -> None:
    """A report that nobody wants."""


def warn_on_stderr(sentence: str) -> None:
    """Show a warning where the command line shows its errors."""
    print(f"warning: {sentence}", file=sys.stderr)
