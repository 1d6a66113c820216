"""``outlap arm`` and ``outlap disarm``: ask the motor of the graph that runs here."""

from __future__ import annotations

from typing import Annotated

import typer

Namespace = Annotated[
    str, typer.Option(help="The graph's namespace, such as car1.", show_default="a graph without one")
]


def arm(namespace: Namespace = "") -> None:
    """Arm the car of the graph that runs on this machine: it may drive from now on.

    Whoever sends commands drives: the hand if it is sending, otherwise the policy. Prints the motor's answer; ends
    with exit code 0 where it is armed now, and with 1 where it refused or none answered. Where several graphs run,
    ROS_DOMAIN_ID chooses, and --namespace between those of one domain.

    Example: [bold]outlap arm[/]
    """
    raise typer.Exit(ask(True, namespace))


def disarm(namespace: Namespace = "") -> None:
    """Disarm the car of the graph that runs on this machine: it stops, and stays until it is armed.

    Prints the motor's answer; ends with exit code 0 where it is disarmed now, and with 1 where none answered. Where
    several graphs run, ROS_DOMAIN_ID and --namespace choose.

    Example: [bold]outlap disarm[/]
    """
    raise typer.Exit(ask(False, namespace))


def ask(arm: bool, namespace: str) -> int:
    """Ask the motor of the graph that runs under ``namespace`` to arm or disarm; the exit code of the asking program.

    Raises:
        OutlapError: it is no namespace; no such graph runs here, or several do; or the program is not installed.
    """
    import subprocess

    from outlap.launching.domain import running_domain
    from outlap.launching.environment import ros_environment
    from outlap.launching.namespace import full_namespace, namespace_rules
    from outlap.launching.programs import require_program

    namespace = full_namespace(namespace)
    environment = ros_environment(running_domain(namespace))
    words = [*require_program("arm", environment), "--ros-args", "-p", f"arm:={str(arm).lower()}"]
    words += namespace_rules(namespace)
    return subprocess.run(words, env=environment).returncode
