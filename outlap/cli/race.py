"""``outlap race``: races a policy file on the live graph of ROS nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def race(
    policy: Annotated[Path, typer.Argument(help="The policy file (.onnx).")],
    track: Annotated[str, typer.Option(help="A name in worlds/, a track file, or a DeepRacer route (.npy).")],
    laps: Annotated[int, typer.Option(help="Clean laps in a row that end the race well.", min=1)] = 3,
    json: Annotated[Path | None, typer.Option(help="A second place for result.json.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for result.json, lap.png and drive.mp4.")] = Path("runs/race"),
    car: Annotated[str, typer.Option(help="A name in config/cars, or a car file.")] = "deepracer",
    seed: Annotated[int, typer.Option(help="Of the simulated world.", min=0)] = 0,
) -> None:
    """Race a policy in real time: simulator, camera, policy, motor and referee as separate ROS processes.

    Ends with exit code 0 after the wanted clean laps in a row, with 1 when the time (that many laps at 1 m/s, at least
    two minutes) has passed without them. Prints a lap table and writes the results. Ctrl-C stops everything.

    Example: [bold]outlap race runs/demo/policy.onnx --track oval --laps 3[/]
    """
    raise typer.Exit(run_race(policy, track, laps, json, out, car, seed))


def run_race(
    policy: Path, track: str, laps: int, json: Path | None, out: Path, car: str = "deepracer", seed: int = 0
) -> int:
    """Race ``policy`` on ``track``; returns 0 for ``laps`` clean laps in a row, 1 when time ran out without them,
    130 after Ctrl-C, and else what the node ended with that ended the race.

    Raises:
        OutlapError: the policy, car, track, a folder or the ROS domain is refused; nothing was started.
    """
    from outlap.files import lock_folder
    from outlap.launching.domain import claim_domain
    from outlap.launching.environment import ros_environment
    from outlap.launching.programs import find_launch_file
    from outlap.launching.runner import run_launch_file
    from outlap.racing.preflight import check_race, clear_results

    check_race(policy, track, laps, json, out, car)
    arguments = {
        "policy": str(policy),
        "track": track,
        "car": car,
        "seed": str(seed),
        "laps": str(laps),
        "json": str(json or ""),
        "output_dir": str(out),
    }
    with lock_folder(out), claim_domain() as domain:
        clear_results(out)
        print(f"racing {policy} on {track}; to watch its topics: ROS_DOMAIN_ID={domain.id}", flush=True)
        return run_launch_file(find_launch_file("sim"), arguments, ros_environment(domain.id))
