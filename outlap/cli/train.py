"""``outlap train``: trains a camera policy in the built-in simulator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import TaskID

    from outlap.learning.config import TrainingConfig
    from outlap.vehicle.car import Car


def train(
    out: Annotated[Path, typer.Option(help="Folder for policy.onnx and what made it.")] = Path("runs/train"),
    preset: Annotated[str, typer.Option(help="A name in config/training.")] = "quick",
    config: Annotated[Path | None, typer.Option(help="A training file of your own, instead of a preset.")] = None,
    car: Annotated[str, typer.Option(help="A name in config/cars, or a car file.")] = "deepracer",
    seed: Annotated[int, typer.Option(help="Of everything random: same seed, same machine, same policy.", min=0)] = 0,
) -> None:
    """Train a camera policy on generated tracks.

    First a privileged teacher learns by PPO from the state and the road ahead; then a student that sees only camera
    pictures drives, the teacher says what it would have done, and all of it is learned from. Writes policy.onnx,
    training.yaml (the full configuration) and summary.json.

    Example: [bold]outlap train --out runs/first --seed 1[/]
    """
    run_train(out, config or preset, car, seed)


def run_train(out: Path, training: str | Path, car: str, seed: int) -> Path:
    """Train with progress shown; returns the policy file's path.

    Raises:
        OutlapError: the configuration, the car or the folder is refused, or the learning diverged.
    """
    # Threads that wait must not burn the core that another one needs; read when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from outlap.files import lock_folder
    from outlap.learning.config import load_training
    from outlap.vehicle.car import load_car

    described = load_car(car)
    config = load_training(training, described)
    with lock_folder(out):
        return _with_bars(config, described, out, seed)


def _with_bars(config: TrainingConfig, car: Car, out: Path, seed: int) -> Path:
    from rich.console import Console

    from outlap.cli.progress import bars
    from outlap.learning.run import Progress, train

    console = Console()
    said: set[tuple[str, int]] = set()
    console.print(f"training a policy for the car {car.name} on {config.tracks} generated tracks (seed {seed})")
    with bars(console) as display:
        tasks: dict[str, TaskID] = {}

        def report(progress: Progress) -> None:
            if progress.stage not in tasks:
                tasks[progress.stage] = display.add_task(progress.stage, total=progress.total, note="")
            note = "  ".join(f"{name} {value:.3g}" for name, value in progress.measures.items())
            display.update(tasks[progress.stage], completed=progress.done, note=note)
            tenth = 10 * progress.done // progress.total
            if not console.is_terminal and (progress.stage, tenth) not in said:
                # Bars are drawn on terminals only; a log gets a line each tenth.
                said.add((progress.stage, tenth))
                bar = display.tasks[tasks[progress.stage]]
                left = "" if bar.time_remaining is None else f", {bar.time_remaining:.0f} s left"
                rate = "" if not bar.speed else f", {bar.speed:.3g}/s"
                print(f"{progress.stage} {progress.done}/{progress.total}{rate}{left}  {note}", flush=True)

        policy = train(config, car, out, seed, report)
    console.print(f"wrote {policy}")
    return policy
