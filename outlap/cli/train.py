"""``outlap train``: trains a camera policy in the built-in simulator, and goes on with a run that was interrupted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from outlap.errors import OutlapError

if TYPE_CHECKING:
    from outlap.learning.runs.control import Control
    from outlap.learning.runs.run import Report

DEFAULT_OUT, DEFAULT_PRESET, DEFAULT_CAR, DEFAULT_SEED = Path("runs/train"), "quick", "deepracer", 0


def train(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the run; a finished run in it is replaced.", show_default=str(DEFAULT_OUT)),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="A name in config/training.", show_default=DEFAULT_PRESET)] = None,
    config: Annotated[Path | None, typer.Option(help="A training file of your own, instead of a preset.")] = None,
    car: Annotated[
        str | None, typer.Option(help="A name in config/cars, or a car file.", show_default=DEFAULT_CAR)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Of everything random: same seed, same machine, same policy.", min=0, show_default="0"),
    ] = None,
    cage: Annotated[
        bool,
        typer.Option(
            "--cage",
            help="Run the reward file in the cage: no network, and of your files only the .py files beside it, so put "
            "it into a folder of its own. For one that is not yours.",
        ),
    ] = False,
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="Train for this track: a name, a track file, or a folder of them; repeatable.",
        ),
    ] = None,
    both: Annotated[
        bool, typer.Option("--both-directions", help="Drive each --track the other way round, too.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the interrupted run in this folder, as it was begun.")
    ] = None,
) -> None:
    """Train a camera policy on generated tracks, or for a track of your own.

    First a privileged teacher learns by PPO from the state and the road ahead; then a student that sees only camera
    pictures drives, the teacher says what it would have done, and all of it is learned from.

    The folder holds the run: policy.onnx (each better policy as it appears, at the end the last), training.yaml (the
    full configuration), summary.json, evaluation.json, curves.png, laps.mp4, curves for TensorBoard, and after each
    iteration a checkpoint, from which an interrupted run goes on to the very same policy.

    With --track, seven of ten episodes begin on those tracks, and the training is judged there; the others keep the
    policy from knowing nothing else. A training file says it in more detail under tracks.

    Example: [bold]outlap train --preset quick --out runs/first --seed 1[/]
    """
    if resume is None:
        training, described = config or preset or DEFAULT_PRESET, car or DEFAULT_CAR
        own = OwnTracks(tuple(track or ()), both)
        run_train(out or DEFAULT_OUT, training, described, seed or DEFAULT_SEED, cage=cage, own=own)
        return
    given = {"--out": out, "--preset": preset, "--config": config, "--car": car, "--seed": seed}
    given |= {"--cage": cage or None, "--track": track, "--both-directions": both or None}
    unwanted = [name for name, value in given.items() if value is not None]
    if unwanted:
        raise OutlapError(f"--resume goes on with the run as it was begun: leave out {' and '.join(unwanted)}.")
    run_resume(resume)


class OwnTracks(NamedTuple):
    """Tracks of the user's own to train on."""

    words: tuple[str, ...] = ()  # names, files or folders
    both_directions: bool = False


def run_train(
    out: Path,
    training: str | Path,
    car: str,
    seed: int,
    again: bool = False,
    cage: bool = False,
    own: OwnTracks | None = None,
) -> Path:
    """Train with progress shown; returns the policy file's path.

    Args:
        out: the run's folder.
        training: a name in config/training, or a training file.
        car: a name in config/cars, or a car file.
        seed: of everything random.
        again: go on with an interrupted run of the very same kind, where the folder holds one.
        cage: run the reward file in the cage, as one of a stranger's; a resumed run stays there.
        own: tracks to train on besides, or in the place of those that the training file names.

    Raises:
        OutlapError: the configuration, the car or the folder is refused, or the learning diverged.
    """
    _prepare()
    from outlap.files import lock_folder
    from outlap.vehicle.car import load_car

    described = load_car(car)  # before the slow imports
    from outlap.driving.reward.user_reward import check_cage
    from outlap.learning.config import load_training

    own = own or OwnTracks()
    config = load_training(training, described, own.words, own.both_directions)
    if cage:
        config = config.model_copy(update={"caged": True})
    check_cage(config.reward, config.caged)  # before the folder is made
    with lock_folder(out):
        from outlap.learning.runs.run import interrupted, train
        from outlap.learning.runs.run import resume as go_on

        if again and interrupted(out, config, described, seed):
            return _shown(
                out, f"going on with the run in {out}", lambda *told: go_on(out, *told, elapsed=process_age())
            )
        mix = config.mix
        counts = {"given": len(mix.files), "generated": mix.generated}
        tracks = [f"{count} {kind} track{'s' * (count > 1)}" for kind, count in counts.items() if count]
        title = f"training a policy for the car {described.name} on {' and '.join(tracks)} (seed {seed})"
        return _shown(out, title, lambda *told: train(config, described, out, seed, *told, elapsed=process_age()))


def run_resume(out: Path) -> Path:
    """Go on with the run in ``out``, with progress shown; returns the policy file's path.

    Raises:
        OutlapError: there is no such run, or it cannot go on.
    """
    _prepare()
    from outlap.files import lock_folder

    if not out.is_dir():
        raise OutlapError(f"there is no folder {out}, so no run to resume: start one with outlap train --out {out}.")
    with lock_folder(out):
        from outlap.learning.runs.run import resume

        return _shown(out, f"going on with the run in {out}", lambda *told: resume(out, *told, elapsed=process_age()))


def process_age() -> float:
    """Seconds since this process started; 0 where the system does not say."""
    try:
        # After the name in brackets, which may hold anything, the 20th field: ticks from the machine's start to ours.
        started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(started) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.0


def _prepare() -> None:
    # Threads that wait must not burn the core that another one needs; read when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _shown(out: Path, title: str, work: Callable[[Report, Control], Path]) -> Path:
    """Do the work with bars on a terminal, or lines in a log; Ctrl-C stops it between two steps."""
    from outlap.cli.shared.progress import TrainingDisplay
    from outlap.learning.runs.control import Control, StoppedError

    control = Control()
    try:
        with TrainingDisplay(title) as display, _stopped_by_signals(control):
            policy = work(display.report, control)
    except StoppedError:
        print(f"stopped; to go on: outlap train --resume {out}")
        raise typer.Exit(130) from None
    print(f"wrote {policy}")
    return policy


@contextmanager
def _stopped_by_signals(control: Control) -> Iterator[None]:
    """The first Ctrl-C asks the run to stop; a second one interrupts whatever it is at, which is as safe."""

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        control.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
