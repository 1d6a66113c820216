"""The figures of the fault table: tests marked ``fault(row)`` measure them, ``make faults`` collects and judges them.

``OUTLAP_FAULTS=full`` runs each fault at full length and holds it to its limit. Otherwise a test injects its fault once
or twice and holds only what a busy machine cannot disturb: that the car stops, in which order, and for good.
``OUTLAP_FAULTS_REPORT`` names the file that what was found is added to, one JSON object a line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

FULL = os.environ.get("OUTLAP_FAULTS") == "full"
REPORT = os.environ.get("OUTLAP_FAULTS_REPORT", "")

Measured = Callable[..., None]


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """``measured("neutral", 0.12, limit=0.2, unit="s", injections=20)``: the worst of these, in the unit named.

    At full length the test fails where that is above the limit. ``repeated`` injections do not count, because the
    machine itself stood still meanwhile.
    """

    def add(what: str, worst: float, limit: float, unit: str = "s", injections: int = 1, repeated: int = 0) -> None:
        figure = {"what": what, "worst": worst, "limit": limit, "unit": unit, "injections": injections}
        figure["repeated"] = repeated
        request.node.user_properties.append(("figure", figure))
        assert not FULL or worst <= limit, f"{what}: {worst:g} {unit}, and at most {limit:g} was allowed"

    return add


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark = item.get_closest_marker("fault")
        if mark is None:
            continue
        item.user_properties.append(("row", mark.args[0]))
        seconds = item.get_closest_marker("seconds")
        if seconds is not None:
            item.user_properties.append(("seconds", seconds.args[0]))
        if FULL and item.get_closest_marker("live"):
            item.add_marker(pytest.mark.timeout(3600))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write down what a fault's test came to: its call, or the set-up that it did not survive."""
    properties = dict(report.user_properties)
    if not REPORT or "row" not in properties or (report.when != "call" and report.passed):
        return
    figures = [value for name, value in report.user_properties if name == "figure"]
    if "seconds" in properties and report.passed:
        limit = properties["seconds"]
        figures.append(
            {"what": "time", "worst": report.duration, "limit": limit, "unit": "s", "injections": 1, "repeated": 0}
        )
    reason = ""
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
    line = {
        "row": properties["row"],
        "test": report.nodeid,
        "outcome": report.outcome,
        "reason": reason,
        "figures": figures,
    }
    with Path(REPORT).open("a") as file:
        file.write(json.dumps(line) + "\n")
