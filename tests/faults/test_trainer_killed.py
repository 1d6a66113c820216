"""Fault 17: the trainer is killed at any instant, also while it saves, and goes on to the very same policy.

``make faults`` kills it fifty times, and ``OUTLAP_KILLS=9`` nine times; by default it is a few times.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_figures import FULL, Measured

from outlap.learning.config import TrainingConfig
from outlap.learning.runs.checkpoint import load_checkpoint
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.run import Progress, resume, train
from outlap.policy.file import load_policy
from outlap.vehicle.car import Car

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("OUTLAP_KILLS", "50" if FULL else "2"))
SEED = 11
FILE_STEPS = 40  # about as many steps of writing files as an iteration or two take

# Children are forked from a process that has imported everything and computed nothing.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["outlap.learning.runs.run", "outlap.cli.shared.progress"])


def go_on(config: dict[str, Any], car: Car, out: Path, tell: Connection, deadly: int | None) -> None:
    """In a process of its own: begin the run, or go on with it; tell of every iteration that is finished.

    Args:
        deadly: kill this very process at that step of writing files.
    """
    if deadly is not None:
        left = iter(range(deadly))
        for name in ("fsync", "fdatasync", "replace", "unlink"):
            setattr(os, name, killing(getattr(os, name), left))

    def report(progress: Progress) -> None:
        if progress.stage != "tracks":
            tell.send(progress[:2])

    held = load_checkpoint(RunFolder(out).checkpoint_folder)
    if held is not None and not held.about["finished"]:
        resume(out, report)
    elif held is None:
        train(TrainingConfig.model_validate(config), car, out, SEED, report)
    tell.send("finished")


def killing(real: Callable[..., Any], left: Iterator[int]) -> Callable[..., Any]:
    def step(*arguments: Any, **options: Any) -> Any:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)

    return step


def one_life(config: dict[str, Any], car: Car, out: Path, rng: np.random.Generator | None) -> list[Any]:
    """What a trainer tells until it is killed, at an instant that ``rng`` draws, or has finished."""
    ours, theirs = PROCESSES.Pipe(duplex=False)
    writing = rng is not None and rng.random() < 0.5
    deadly = int(rng.integers(FILE_STEPS)) if rng is not None and writing else None
    child = PROCESSES.Process(target=go_on, args=(config, car, out, theirs, deadly))
    child.start()
    theirs.close()
    told: list[Any] = []
    timer = None
    with contextlib.suppress(EOFError):
        if rng is not None and not writing:
            after = int(rng.integers(4))  # iterations, and then a part of one
            while len(told) < after and told[-1:] != ["finished"]:
                told.append(ours.recv())
            timer = threading.Timer(rng.uniform(0, 0.3), child.kill)
            timer.start()
        while True:
            told.append(ours.recv())
    child.join()
    if timer is not None:
        timer.cancel()
    assert child.exitcode in (0, -signal.SIGKILL)
    return told


def digest(out: Path) -> str:
    return load_policy(RunFolder(out).policy_file).digest


@pytest.mark.fault(17)
@pytest.mark.timeout(3600)
def test_a_trainer_killed_at_any_instant_goes_on_and_ends_with_the_same_weights(
    tiny: Callable[..., dict[str, Any]], car: Car, tmp_path: Path, measured: Measured
) -> None:
    config = tiny(distill={"window": 20})
    straight = one_life(config, car, tmp_path / "straight", None)
    assert straight[-1] == "finished"
    whole = straight[:-1]
    wanted = digest(tmp_path / "straight")
    rng = np.random.default_rng(17)
    killed, run = 0, 0
    while killed < KILLS:
        out = tmp_path / f"run{run}"
        run += 1
        done: list[Any] = []
        while done[-1:] != ["finished"]:
            told = one_life(config, car, out, rng if killed < KILLS else None)
            killed += told[-1:] != ["finished"]
            # Of what was told nothing is made again; of what was saved just before the kill, nothing was told.
            if told:
                first = len(whole) if told[0] == "finished" else whole.index(told[0])
                assert len(done) <= first <= len(done) + 1
                done = whole[:first] + told
        assert done == straight
        assert digest(out) == wanted
        # Nothing is left of what was being written.
        assert not [path for path in out.rglob(".*") if path.is_file()]
        assert not list(out.rglob("*.shard"))
    measured("kills after which a run ended otherwise", 0, limit=0, unit="", injections=killed)
