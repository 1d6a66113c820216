"""The result of a race: what ``result.json`` holds, and the lap table that people read."""

from __future__ import annotations

from rich.table import Table

from outlap.driving.laps import Lap
from outlap.files import Model
from outlap.racing.latency import Milliseconds

# What a race writes into its folder: how it went, the driven line, and what the camera saw.
RESULT_FILES = RESULT_FILE, PICTURE_FILE, FILM_FILE = "result.json", "lap.png", "drive.mp4"


class Stop(Model):
    """The motor's gate stopped the car."""

    time_s: float  # since the start
    reason: str


class Result(Model):
    """A race, as written to result.json."""

    track: str
    policy: str
    policy_digest: str  # SHA-256 of the policy file, empty when the policy node did not tell
    car: str
    simulator: str  # builtin or gazebo
    laps: list[Lap]
    clean_laps: int  # of laps
    laps_wanted: int  # clean ones in a row
    completed: bool  # whether they were driven within the time limit
    time_s: float  # simulated, from the start to the end
    time_limit_s: float
    stops: list[Stop]
    frame_to_actuator_ms: Milliseconds
    camera_hz: float  # canonical views per second of the steady clock
    real_time_factor: float  # simulated per steady second
    outlap_version: str


def lap_table(result: Result) -> Table:
    """The laps as a table; whether the race was completed is in its title."""
    table = Table(title=f"{result.track}: {'completed' if result.completed else 'not completed'}")
    for column in ("lap", "time", "off track", "put back", "clean"):
        table.add_column(column, justify="right")
    for number, lap in enumerate(result.laps, 1):
        clean = "[green]yes[/]" if lap.clean else "[red]no[/]"
        table.add_row(str(number), f"{lap.time_s:.2f} s", str(lap.off_track), str(lap.put_back), clean)
    return table


def live_figures(result: Result) -> str:
    """How well the graph ran, in one line."""
    latency = result.frame_to_actuator_ms
    return (
        f"frame to actuator {_ms(latency.p50)} (p50), {_ms(latency.p99)} (p99), "
        f"camera {result.camera_hz:.1f} Hz, {result.real_time_factor:.2f} of real time"
    )


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} ms"
