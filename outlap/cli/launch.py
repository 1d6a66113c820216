"""``outlap launch``: runs a launch file, by ROS's own launch where that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path


def launch(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(help="A launch file, or the name of one of Outlap's own: [bold]sim[/], drive.")
    ],
    show_args: Annotated[
        bool, typer.Option("--show-args", "-s", help="List the arguments that the file declares, and stop.")
    ] = False,
) -> None:
    """Run the nodes that a launch file describes, with arguments given as [bold]name:=value[/].

    Hands over to ROS's own launch where it is installed; otherwise runs the same file itself. Ctrl-C stops all.

    Example: [bold]outlap launch sim world:=oval policy:=policy.onnx laps:=3[/]
    """
    from outlap.errors import OutlapError
    from outlap.launching.handover import hand_over
    from outlap.launching.namespace import argument_namespace
    from outlap.launching.plan import declared_arguments
    from outlap.launching.programs import find_launch_file
    from outlap.launching.runner import run_launch_file

    path = find_launch_file(file)
    if show_args:
        for argument in declared_arguments(path):
            value = "must be given" if argument.default is None else f"default: {argument.default!r}"
            among = f"; one of: {', '.join(argument.choices)}" if argument.choices else ""
            typer.echo(f"{argument.name}  ({value}{among})\n    {argument.description}".rstrip())
        return
    arguments: dict[str, str] = {}
    for word in context.args:
        name, separator, value = word.partition(":=")
        if not separator or not name:
            raise OutlapError(f"{word!r} is not an argument of a launch file: those are written name:=value.")
        arguments[name] = value
    check_hand_file(path, arguments)
    argument_namespace(arguments)  # ROS would refuse a bad one with a traceback
    hand_over(path, arguments)
    raise typer.Exit(run_launch_file(path, arguments))


def check_hand_file(path: Path, arguments: dict[str, str]) -> None:
    """Read the hand file that Outlap's own ``car`` or ``hand`` is given, before any of their nodes starts.

    Raises:
        OutlapError: it is missing or refused.
    """
    from outlap.hand.config import load_hand
    from outlap.launching.programs import find_launch_file

    if arguments.get("config") and any(path.samefile(find_launch_file(name)) for name in ("car", "hand")):
        load_hand(arguments["config"])
