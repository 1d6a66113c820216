"""``outlap drive``: drives a car by hand, with the keys of this terminal or a joystick."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import subprocess


def drive(
    track: Annotated[
        str | None, typer.Option(help="Drive in the built-in simulator, on this track: a name in worlds/, or a file.")
    ] = None,
    car: Annotated[
        str | None, typer.Option(help="Drive this real car, by its file. With --track: the car that is simulated.")
    ] = None,
    joystick: Annotated[str | None, typer.Option(help="Read a joystick, too: /dev/input/js0.")] = None,
    config: Annotated[Path | None, typer.Option(help="Keys and buttons, a file like config/hand.yaml.")] = None,
    log: Annotated[Path, typer.Option(help="Where the nodes' output goes.")] = Path("runs/drive/log.txt"),
    namespace: Annotated[
        str, typer.Option(help="The graph's namespace, such as car1.", show_default="a graph without one")
    ] = "",
) -> None:
    """Drive by hand. Without --track and --car: the car of the graph that runs on this machine.

    The arrow keys or WASD drive while they are held; space, or any key without a meaning, stops. Enter arms, q disarms
    and ends. docs/driving.md tells of joysticks, and of handing over to a policy.

    Example: [bold]outlap drive --track oval[/]
    """
    raise typer.Exit(run_drive(track, car, joystick, config, log, namespace))


def run_drive(
    track: str | None, car: str | None, joystick: str | None, config: Path | None, log: Path, namespace: str = ""
) -> int:
    """Start what is asked for, and drive it from this terminal.

    Returns what the keyboard program ended with; 1 where the nodes ended before it.

    Raises:
        OutlapError: something is refused, before anything moves.
    """
    import contextlib

    from outlap.errors import OutlapError
    from outlap.hand.config import load_hand
    from outlap.hand.terminal import restored
    from outlap.launching.background import run_in_background
    from outlap.launching.domain import claim_domain, running_domain
    from outlap.launching.environment import ros_environment
    from outlap.launching.namespace import full_namespace, namespace_rules
    from outlap.launching.programs import find_launch_file, require_program

    load_hand(config or "")
    namespace = full_namespace(namespace)
    own = check_drive(track, car)
    arguments = {"hand": "false", "motor": str(own is not None).lower(), **(own or {})}
    arguments |= {"namespace": namespace}
    if joystick is not None:
        arguments |= {"joystick": "true", "device": joystick}
        arguments |= {} if config is None else {"config": str(config.resolve())}
    with contextlib.ExitStack() as stack:
        stack.enter_context(restored())
        domain = running_domain(namespace) if own is None else stack.enter_context(claim_domain(namespace)).id
        environment = ros_environment(domain)
        words = [*require_program("keyboard", environment), "--ros-args"]
        words += [] if config is None else ["-p", f"config:={config.resolve()}"]
        words += ["-p", f"joystick:={str(joystick is not None).lower()}", *namespace_rules(namespace)]
        graph = None
        if own is not None or joystick is not None:
            path = find_launch_file("hand")
            graph = stack.enter_context(run_in_background(path, arguments, environment, log))
            print(f"output of the nodes: {log}; to watch their topics: ROS_DOMAIN_ID={domain}", flush=True)
        code = attend(words, environment, graph)
    if code is None:
        print("".join(f"  {line}\n" for line in log.read_text(errors="replace").splitlines()[-5:]), end="")
        raise OutlapError(f"the nodes ended by themselves: see {log}.")
    return code


def check_drive(track: str | None, car: str | None) -> dict[str, str] | None:
    """What hand.launch.xml needs for a track, or for a real car; None where a running graph is to be driven.

    Raises:
        OutlapError: the track or the car is refused.
    """
    from outlap.errors import OutlapError
    from outlap.vehicle.car import load_car

    if track is not None:
        load_car(car or "deepracer")  # before the slow imports
        from outlap.track.formats import load_track

        load_track(track)
        return {"simulator": "true", "world": track, "car": car or "deepracer"}
    if car is None:
        return None
    if load_car(car).actuator is None:
        raise OutlapError(f"the car file {car} has no section 'actuator', so it can only be simulated: add --track.")
    return {"actuator": "car", "car": car}


def attend(words: list[str], environment: dict[str, str], graph: subprocess.Popen[bytes] | None) -> int | None:
    """Run the keyboard program in the terminal until it ends: its exit code; None where the graph ended before it."""
    import signal
    import subprocess
    import time

    from outlap.hand.terminal import give_back

    keyboard: subprocess.Popen[bytes] | None = None

    def end(*_: object) -> None:
        if keyboard is not None:
            keyboard.terminate()

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is a key like any other, which the program reads
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    keyboard = subprocess.Popen(words, env=environment)
    died = False
    while keyboard.poll() is None:
        if graph is not None and graph.poll() is not None and not died:
            died = True
            keyboard.terminate()
        time.sleep(0.05)
    code = keyboard.returncode
    if code < 0:
        give_back()  # it was killed, and could not
        code = 128 - code
    return None if died else code
