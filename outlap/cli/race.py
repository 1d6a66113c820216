"""``outlap race``: races a policy file on the live graph of ROS nodes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Simulator(StrEnum):
    """Where a race can be held."""

    BUILTIN = "builtin"
    GAZEBO = "gazebo"


def race(
    policy: Annotated[Path, typer.Argument(help="The policy file (.onnx).")],
    track: Annotated[str, typer.Option(help="A name in worlds/, a track file, or a DeepRacer route (.npy).")],
    laps: Annotated[int, typer.Option(help="Clean laps in a row that end the race well.", min=1)] = 3,
    json: Annotated[Path | None, typer.Option(help="A second place for result.json.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for result.json, lap.png and drive.mp4.")] = Path("runs/race"),
    car: Annotated[str, typer.Option(help="A name in config/cars, or a car file.")] = "deepracer",
    seed: Annotated[int, typer.Option(help="Of the simulated world.", min=0)] = 0,
    simulator: Annotated[Simulator, typer.Option(help="Where; Gazebo has to be installed, see docs/gazebo.md.")] = (
        Simulator.BUILTIN
    ),
    world: Annotated[
        str | None, typer.Option(help="For Gazebo: an .sdf file in which TRACK lies. Default: the track's own world.")
    ] = None,
    window: Annotated[bool, typer.Option(help="Show Gazebo's window.")] = False,
    namespace: Annotated[
        str, typer.Option(help="Namespace that the graph runs under, such as car1.", show_default="none")
    ] = "",
) -> None:
    """Race a policy in real time: simulator, camera, policy, motor and referee as separate ROS processes.

    Ends with exit code 0 after the wanted clean laps in a row, with 1 when the time (as many laps at 0.5 m/s, at least
    two minutes) has passed without them. Prints a lap table and writes the results. Ctrl-C stops everything.

    Example: [bold]outlap race runs/demo/policy.onnx --track oval --laps 3[/]
    """
    raise typer.Exit(run_race(policy, track, laps, json, out, car, seed, simulator, world, window, namespace))


def run_race(
    policy: Path,
    track: str,
    laps: int,
    json: Path | None,
    out: Path,
    car: str = "deepracer",
    seed: int = 0,
    simulator: Simulator = Simulator.BUILTIN,
    world: str | None = None,
    window: bool = False,
    namespace: str = "",
) -> int:
    """Race ``policy`` on ``track``, in Gazebo in ``world`` where that is not the track's own, under ``namespace``.

    Returns 0 for ``laps`` clean laps in a row, 1 when time ran out without them, 130 after Ctrl-C, and else what the
    node ended with that ended the race.

    Raises:
        OutlapError: the policy, car, track, a folder or the ROS domain is refused, or a program is not installed;
            nothing was started.
    """
    from outlap.errors import OutlapError
    from outlap.files import lock_folder
    from outlap.gazebo.program import gazebo_version
    from outlap.launching.domain import claim_domain
    from outlap.launching.environment import ros_environment
    from outlap.launching.namespace import full_namespace
    from outlap.launching.plan import plan_processes
    from outlap.launching.programs import find_launch_file
    from outlap.launching.runner import run_launch_file
    from outlap.racing.preflight import check_race, clear_results

    namespace = full_namespace(namespace)
    if simulator is Simulator.GAZEBO and namespace != "/":
        raise OutlapError("--namespace is not for Gazebo, which runs only for a graph without one.")
    check_race(policy, track, laps, json, out, car)
    if simulator is Simulator.GAZEBO:
        gazebo_version()
    elif world is not None or window:
        raise OutlapError("--world and --window are Gazebo's: add --simulator gazebo.")
    arguments = {
        "simulator": simulator.value,
        "policy": str(policy),
        "world": world or track,
        "track": track,
        "headless": str(not window).lower(),
        "car": car,
        "seed": str(seed),
        "laps": str(laps),
        "json": str(json or ""),
        "output_dir": str(out),
        "namespace": namespace,
    }
    with lock_folder(out), claim_domain(namespace) as domain:
        environment = ros_environment(domain.id)
        plan_processes(find_launch_file("sim"), arguments, environment)  # a program may be missing
        clear_results(out)
        print(f"racing {policy} on {track}; to watch its topics: ROS_DOMAIN_ID={domain.id}", flush=True)
        return run_launch_file(find_launch_file("sim"), arguments, environment)
