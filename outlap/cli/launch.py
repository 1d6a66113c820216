"""``outlap launch``: runs a launch file, by ROS's own launch where that is installed."""

from __future__ import annotations

from typing import Annotated

import typer


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
    argument_namespace(arguments)  # ROS would refuse a bad one with a traceback
    hand_over(path, arguments)
    raise typer.Exit(run_launch_file(path, arguments))
