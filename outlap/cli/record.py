"""``outlap record``: records what a running graph's car sees, is told and does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outlap.recording.names import DIAGNOSTICS, is_named


def record(
    out: Annotated[Path, typer.Option(help="Folder in which the recording gets a folder of its own.")] = Path(
        "runs/recordings"
    ),
    raw: Annotated[
        bool, typer.Option("--raw", help="Record the camera's own frames, too, as JPEG: many times as much.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(help="After so many seconds the recording ends.", show_default="at Ctrl-C", min=0.1)
    ] = None,
    car: Annotated[
        str | None,
        typer.Option(help="The car file that is kept with the recording.", show_default="the running motor node's"),
    ] = None,
    namespace: Annotated[
        str, typer.Option(help="The graph's namespace, such as car1.", show_default="a graph without one")
    ] = "",
    repair: Annotated[
        Path | None,
        typer.Option(help="Only finish this recording, which a crash left torn.", show_default=False),
    ] = None,
) -> None:
    """Record camera, commands, motor state and diagnostics of the Outlap graph that runs on this machine.

    Writes MCAP files that Foxglove and [bold]ros2 bag[/] open. Ctrl-C ends the recording. Exit codes: 0 when something
    was recorded, 1 when nothing came but diagnostics, 2 when it could not begin. config/drive.yaml has the limits of
    size and room.

    Example: [bold]outlap record --seconds 60[/]
    """
    if repair is not None:
        _repair(repair)
        return
    raise typer.Exit(run_record(out, raw, seconds or 0.0, car or "", namespace))


def run_record(out: Path, raw: bool, seconds: float, car: str, namespace: str = "") -> int:
    """Run the recorder program until it ends, by itself or for a signal; its exit code, or 1 when nothing was recorded.

    Raises:
        OutlapError: it is no namespace; no such graph runs, several do, or the program is not installed. Nothing was
            started.
    """
    from json import dumps

    from outlap.errors import OutlapError
    from outlap.launching.domain import running_domain
    from outlap.launching.environment import ros_environment
    from outlap.launching.foreground import run_foreground
    from outlap.launching.namespace import full_namespace, namespace_rules
    from outlap.launching.programs import find_program
    from outlap.recording.read import SUFFIX, Recording
    from outlap.recording.telling import summary
    from outlap.vehicle.car import load_car

    if car:
        load_car(car)  # a mistake is told before anything runs
    namespace = full_namespace(namespace)
    environment = ros_environment(running_domain(namespace))
    program = find_program("outlap", "outlap_recorder", environment)
    if program is None:
        raise OutlapError("the program outlap_recorder is not installed: install Outlap anew.")
    before = set(out.glob("*"))
    words = ["--ros-args", "-p", f"raw:={str(raw).lower()}", "-p", f"seconds:={float(seconds)}", "-p", "progress:=true"]
    words += ["-p", f"out:={dumps(str(out.resolve()))}"]  # quoted: ROS reads a value as YAML
    if car:
        words += ["-p", f"car:={dumps(car)}"]
    words += namespace_rules(namespace)
    code = run_foreground([*program, *words], environment)
    made = sorted({path for path in out.glob("*") if any(path.glob(f"*{SUFFIX}"))} - before)
    found = [Recording(folder) for folder in made]
    for recording in found:
        print(summary(recording))
    if code == 0 and not any(not is_named(topic, DIAGNOSTICS) for recording in found for topic in recording.topics):
        print(f"nothing of a car was recorded: no message came but on {namespace.rstrip('/')}/{DIAGNOSTICS}.")
        return 1
    return code


def _repair(path: Path) -> None:
    from outlap.recording.repair import repair

    mended = repair(path)
    for file in mended:
        print(f"{file} was torn and is whole now")
    if not mended:
        print(f"{path}: nothing was torn")
