"""``outlap inspect``: what a policy file promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from outlap.policy.contract import TrainedOn


def inspect(
    policy: Annotated[Path, typer.Argument(help="The policy file (.onnx).")],
    car: Annotated[
        str | None, typer.Option(help="Also check that this car (a name, or a car file) can be driven by it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")] = False,
) -> None:
    """Verify a policy file and print its contract: what it sees, what it commands, what it was trained for.

    Exit code 0 says that the file is intact and fits; a refused file prints one sentence that says why.
    """
    from outlap.policy.file import load_policy
    from outlap.vehicle.car import load_car

    loaded = load_policy(policy, car=load_car(car) if car else None)
    contract = loaded.contract
    size = policy.stat().st_size
    if as_json:
        content = {"digest": loaded.digest, "bytes": size, "contract": contract.model_dump(mode="json")}
        print(json.dumps(content, indent=2))
        return

    from rich.console import Console
    from rich.table import Table

    seen, action, envelope = contract.observation, contract.action, contract.envelope
    view = seen.view
    rows = (
        ("size", f"{size / 1024:.0f} KiB, format {contract.format}"),
        (
            "view",
            f"{view.width}×{view.height} pixels, {view.horizontal_fov:.3g} rad across, pitch {view.pitch:.3g} rad "
            f"down, camera {view.camera_height:g} m above the ground",
        ),
        ("frames", f"{', '.join(map(str, seen.frame_offsets))} frames back in time, {seen.normalisation}"),
        ("past commands", f"{seen.commands}, newest first"),
        ("curvature", f"±{action.curvature_limit:.4g} 1/m"),
        ("speed", f"{action.speed_min:g} to {action.speed_limit:g} m/s"),
        *([("one of", _listed(action.table))] if action.table else []),
        ("rate", f"{contract.rate_hz:g} per second"),
        (
            "needs a car with",
            f"curvature {envelope.max_curvature:.4g} 1/m, speed {envelope.max_speed:g} m/s, camera "
            f"{envelope.camera_height[0]:g} to {envelope.camera_height[1]:g} m above the ground",
        ),
        (
            "trained for",
            f"latency {envelope.latency[0] * 1000:.0f} to {envelope.latency[1] * 1000:.0f} ms, car {contract.car}",
        ),
        ("recipe", f"{contract.recipe}, seed {contract.seed}"),
        *([("trained on", _tracks(contract.trained_on))] if contract.trained_on else []),
        ("made by", f"{contract.created_by}, Outlap {contract.outlap_version}"),
    )
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    console = Console(highlight=False, markup=False)
    console.print(f"{policy}: intact" + (f", fits the car {car}" if car else ""), soft_wrap=True)
    console.print(f"sha256 {loaded.digest}", soft_wrap=True)
    console.print(table)


def _tracks(trained: TrainedOn) -> str:
    """The tracks that a policy was trained on."""
    ways = ", both ways round" if trained.both_directions else ""
    given = [f"{track.name} ({track.length:.2f} m{ways})" for track in trained.tracks]
    generated = f"{trained.generated} generated tracks"
    if not given:
        return generated
    share = f"{trained.share:.0%} of the episodes on "
    return share + ", ".join(given) + (f", the others on {generated}" if trained.generated else "")


def _listed(table: tuple[tuple[float, float], ...]) -> str:
    """The actions that a network chooses from."""
    return "; ".join(f"{curvature:.3g} 1/m at {speed:g} m/s" for curvature, speed in table)
