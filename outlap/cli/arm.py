"""``outlap arm`` and ``outlap disarm``: ask the motor of the graph that runs here."""

from __future__ import annotations

import typer


def arm() -> None:
    """Arm the car of the graph that runs on this machine: it may drive from now on.

    Whoever sends commands drives: the hand if it is sending, otherwise the policy. Prints the motor's answer; ends
    with exit code 0 where it is armed now, and with 1 where it refused or none answered. Where several graphs run,
    ROS_DOMAIN_ID chooses.

    Example: [bold]outlap arm[/]
    """
    raise typer.Exit(ask(True))


def disarm() -> None:
    """Disarm the car of the graph that runs on this machine: it stops, and stays until it is armed.

    Prints the motor's answer; ends with exit code 0 where it is disarmed now, and with 1 where none answered. Where
    several graphs run, ROS_DOMAIN_ID chooses.

    Example: [bold]outlap disarm[/]
    """
    raise typer.Exit(ask(False))


def ask(arm: bool) -> int:
    """Ask the motor of the running graph to arm or disarm; the exit code of the program that asks.

    Raises:
        OutlapError: no graph runs here, or several do; or the program is not installed.
    """
    import subprocess

    from outlap.launching.domain import running_domain
    from outlap.launching.environment import ros_environment
    from outlap.launching.programs import require_program

    environment = ros_environment(running_domain())
    words = [*require_program("arm", environment), "--ros-args", "-p", f"arm:={str(arm).lower()}"]
    return subprocess.run(words, env=environment).returncode
