"""``outlap evaluate``: how good a policy is, over many laps at once and faster than real time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlap.cli.footage import CameraFile, CameraHeight, Focal, Footage, Part, Pitch, Strip
from outlap.cli.shared.laps import Both, CarName, FromLine, InARow, Jobs, Seeds, Tracks, Trials, Varied

if TYPE_CHECKING:
    from outlap.evaluation.report import Evaluation


def evaluate(
    policy: Annotated[str, typer.Argument(help="The policy file (.onnx), or 'line': the built-in line follower.")],
    track: Tracks = None,
    both: Both = False,
    trials: Trials = 20,
    laps: InARow = 1,
    from_line: FromLine = False,
    seed: Seeds = None,
    randomization: Varied = "off",
    perturbations: Annotated[
        bool, typer.Option("--perturbations", help="Drive all laps again under each row of the perturbation suite.")
    ] = False,
    row: Annotated[list[str] | None, typer.Option(help="Only this row of the suite; repeatable.")] = None,
    suite: Annotated[str, typer.Option(help="A name in config/evaluation, or a suite file.")] = "perturbations",
    json: Annotated[Path | None, typer.Option(help="File for every lap and all figures.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for pictures: lines, places, actions, rewards.")] = None,
    reward: Annotated[
        Path | None, typer.Option(help="Python file whose rewards the pictures show, such as a run's reward.py.")
    ] = None,
    require: Annotated[
        float | None, typer.Option(help="Exit with 1 if fewer of the laps are clean (0 to 1).", min=0, max=1)
    ] = None,
    require_rows: Annotated[
        float | None, typer.Option(help="The same for every row of the suite.", min=0, max=1)
    ] = None,
    speed: Annotated[float, typer.Option(help="Speed limit of 'line' in m/s.", min=0.1)] = 2.0,
    jobs: Jobs = None,
    car: CarName = "deepracer",
    footage: Footage = None,
    camera: CameraFile = None,
    focal: Focal = None,
    pitch: Pitch = None,
    camera_height: CameraHeight = None,
    footage_part: Part = 1.0,
    strip: Strip = None,
) -> None:
    """Drive many laps with a policy in the built-in simulator, without ROS and faster than real time.

    Every trial is a lap from rest at a random place, and clean when a wheel was always on the road and the car never
    stuck. A heat is driven as a race is, several laps in a row from the start line: --from-line --laps 3.

    Example: [bold]outlap evaluate policy.onnx --track oval --both-directions --perturbations --out looks[/]
    """
    if footage:
        from outlap.cli.footage import evaluate_footage
        from outlap.footage.mount import Known

        evaluate_footage(policy, footage, camera, Known(focal, pitch, camera_height), footage_part, json, strip)
        return
    from outlap.vehicle.car import load_car

    described = load_car(car)  # before the slow imports
    from outlap.cli.shared.laps import counting, driver_of, plan_of
    from outlap.errors import OutlapError
    from outlap.evaluation.suite import chosen, load_suite
    from outlap.files import write_atomic
    from outlap.racing.preflight import check_file

    if json is not None:
        check_file(json)  # now, not after all laps
    if out is not None:
        check_file(out / "pictures")
    if reward is not None and not reward.is_file():
        raise OutlapError(f"--reward {reward}: there is no such file.")
    rows = chosen(load_suite(suite), row or []) if perturbations or row else {}
    if require_rows is not None and not rows:
        raise OutlapError("--require-rows needs rows: add --perturbations, or --row NAME.")
    if reward is not None and laps > 1:
        raise OutlapError("--reward: a reward file knows episodes of one lap; leave out --laps.")
    plan = plan_of(track, both, trials, seed, randomization, rows, laps, from_line)
    from outlap.evaluation.assess import assess
    from outlap.evaluation.sharing import cores

    driver = driver_of(policy, described, speed)
    with counting(plan.laps) as report:
        found = assess(driver, described, plan, jobs or cores(), report, out is not None, reward)
    result = found.evaluation
    _print(result)
    if json is not None:
        write_atomic(json, result.model_dump_json(indent=2) + "\n")
    if out is not None:
        from outlap.evaluation.pictures import draw_all

        print(f"wrote {draw_all(out, plan.tracks, found)} pictures to {out}")
    short = _short_of(result, require, require_rows)
    if beaten := [one.not_compared for one in result.tracks if one.beaten and one.not_compared]:
        raise OutlapError("\n".join(beaten))  # at last, so that nothing that was driven is lost
    if short:
        raise typer.Exit(1)


def _trials(result: Evaluation) -> str:
    from outlap.cli.shared.laps import trials_word

    return trials_word(result.laps_in_a_row, result.from_line)


def _short_of(result: Evaluation, require: float | None, require_rows: float | None) -> bool:
    """Whether fewer laps are clean than required; says so."""
    clean, laps = sum(trial.clean for trial in result.trials), len(result.trials)
    short = require is not None and clean < require * laps
    if short:
        print(f"required: {require:.1%} of the {_trials(result)} clean, found: {clean / laps:.2%}")
    weak = [] if require_rows is None else [row for row in result.perturbations if row.clean < require_rows * row.laps]
    if weak:
        named = ", ".join(f"{row.name} ({row.clean / row.laps:.2%})" for row in weak)
        print(f"required: {require_rows:.1%} of the {_trials(result)} clean under every row, found less under: {named}")
    return bool(short or weak)


def _print(result: Evaluation) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from outlap.cli.shared.laps import listed, percent, ratio, seconds

    console = Console()
    table = Table(Column("track", overflow="fold"), "clean", "completed", "off track", "mean lap", "÷ optimal")
    for one in result.tracks:
        table.add_row(
            one.track + (" *" if one.trained_on else ""),
            percent(one.clean, one.laps),
            f"{one.completed}/{one.laps}",
            str(one.off_track),
            seconds(one.mean_lap_time_s),
            ratio(one.over_optimal),
        )
    console.print(table)
    if any(one.trained_on for one in result.tracks):
        print("* the policy was trained on this track")
    for one in result.tracks:
        if one.not_compared and not one.beaten:
            print(f"no ÷ optimal: {one.not_compared}")
    if result.perturbations:
        table = Table("disturbance", "that is", "clean", "95 %", "mean lap")
        for row in result.perturbations:
            low, high = row.clean_interval
            table.add_row(
                row.name,
                row.says,
                percent(row.clean, row.laps),
                f"{low:.1%} – {high:.1%}",
                seconds(row.mean_lap_time_s),
            )
        console.print(table)
    clean, laps = sum(trial.clean for trial in result.trials), len(result.trials)
    low, high = result.clean_interval
    seeds = f"seed{'s' if len(result.seeds) > 1 else ''} {listed(result.seeds)}"
    print(
        f"{clean} of {laps} {_trials(result)} clean ({clean / laps:.1%}, 95 % interval {low:.1%} to {high:.1%}), "
        f"randomization {result.randomization}, {seeds}"
    )
    if result.over_optimal is not None:
        print(
            f"mean lap time ÷ time-optimal lap: {result.over_optimal:.3f} from a standing start, "
            f"{result.over_flying:.3f} against a flying one"
        )
