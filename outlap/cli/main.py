"""The ``outlap`` command: gathers the verbs and turns errors into one sentence and an exit code."""

from __future__ import annotations

import importlib
import os
import sys

import typer

from outlap.errors import OutlapError

# verb, module, function or Typer in it. A verb's module imports its heavy libraries inside its function.
VERBS = (
    ("demo", "outlap.cli.demo", "demo"),
    ("train", "outlap.cli.train", "train"),
    ("runs", "outlap.cli.runs", "runs"),
    ("race", "outlap.cli.race", "race"),
    ("drive", "outlap.cli.drive", "drive"),
    ("arm", "outlap.cli.arm", "arm"),
    ("disarm", "outlap.cli.arm", "disarm"),
    ("evaluate", "outlap.cli.evaluate", "evaluate"),
    ("compare", "outlap.cli.compare", "compare"),
    ("inspect", "outlap.cli.inspect", "inspect"),
    ("track", "outlap.cli.track", "app"),
    ("randomization", "outlap.cli.randomization", "app"),
    ("calibrate", "outlap.cli.calibrate", "app"),
    ("launch", "outlap.cli.launch", "launch"),
    ("record", "outlap.cli.record", "record"),
    ("replay", "outlap.cli.replay", "replay"),
)

# What an install without an extra lacks, by the modules' names.
EXTRAS = {
    "sim": ("numba", "scipy", "matplotlib", "av", "clarabel"),
    "train": ("torch", "rsl_rl", "tensordict", "tensorboard"),
    "ros": ("rclpy",),
}


def application() -> typer.Typer:
    """The command line with every verb."""
    app = typer.Typer(
        name="outlap",
        help="Teach a model car to drive from its camera in simulation, then race it through live ROS 2 nodes.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    for name, module, attribute in VERBS:
        verb = getattr(importlib.import_module(module), attribute)
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=name)
        elif name == "launch":
            app.command(name, context_settings={"allow_extra_args": True, "ignore_unknown_options": False})(verb)
        else:
            app.command(name)(verb)
    return app


def main() -> None:
    """Run the command line; a user's mistake prints one sentence on stderr and exits with its code."""
    try:
        application()()
    except OutlapError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        extra = next((extra for extra, modules in EXTRAS.items() if (error.name or "").split(".")[0] in modules), None)
        if extra is None:
            raise
        print(f"error: {error.name} is not installed here: pip install 'outlap[{extra}]'.", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (`outlap … | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
