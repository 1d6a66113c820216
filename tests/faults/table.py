"""``make faults``: runs every fault at full length, prints what was measured against its limit, and counts.

The last line is ``N of M faults survived``, with what cannot run on this machine named behind it; the exit code is 0
only where N = M. ``python tests/faults/table.py -k NAME`` runs some.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

FAULTS = {
    1: "camera node killed",
    2: "camera frozen",
    3: "pictures 300 ms late",
    4: "policy stopped, or slow",
    5: "commands that are none",
    6: "motor killed",
    7: "bus error",
    8: "two publishers",
    9: "flood",
    10: "clocks step",
    11: "joystick's link cut",
    12: "foreign participant",
    13: "corrupted policy file",
    14: "hostile policy file",
    15: "pickle in a checkpoint",
    16: "malformed configuration",
    17: "trainer killed",
    18: "disk full",
    19: "bad reward function",
    20: "simulator dies or hangs",
    21: "two motors",
    22: "pad untouched, or another",
    23: "a device that is not the one",
    24: "hardware reports a fault",
    25: "camera too slow",
}
# Each row's live figures count as the worst of so many.
INJECTIONS = dict.fromkeys((1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 20, 21, 22, 24), 20) | {13: 1200, 17: 50, 23: 5, 25: 5}
HEAD = ("row", "fault", "figure", "limit", "worst", "injections", "verdict")


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.jsonl"
        report.touch()
        environment = os.environ | {"OUTLAP_FAULTS": "full", "OUTLAP_FAULTS_REPORT": str(report)}
        words = [sys.executable, "-m", "pytest", "-m", "fault", "-q", *arguments]
        ended = subprocess.run(words, cwd=ROOT, env=environment).returncode
        found = [json.loads(line) for line in report.read_text().splitlines()]
    rows = {row: judge(row, [result for result in found if result["row"] == row]) for row in FAULTS}
    print()
    print_table([line for row in rows.values() for line in row["lines"]])
    if any(figure.get("repeated") for result in found for figure in result["figures"]):
        print("n + m injections: m more came while the machine itself stood still, and were repeated.")
    for row, judged in rows.items():
        for problem in judged["problems"]:
            print(f"{row}: {problem}")
    counted = {row for row, judged in rows.items() if judged["verdict"] != "not runnable"}
    survived = {row for row in counted if rows[row]["verdict"] == "survived"}
    others = [row for row in rows if row not in counted]
    if ended not in (0, 1):
        print(f"pytest ended with {ended}, so that faults are missing.")
    reasons = "; ".join(f"row {row}, {rows[row]['reason']}" for row in others)
    behind = f", {len(others)} not runnable here: {reasons}" if others else ""
    print(f"{len(survived)} of {len(counted)} faults survived{behind}")
    return 0 if survived == counted and ended == 0 else 1


def judge(row: int, results: list[dict[str, Any]]) -> dict[str, Any]:
    """A row's lines of the table, its verdict, and what was wrong."""
    problems = [f"{result['test']} failed" for result in results if result["outcome"] == "failed"]
    passed = [result for result in results if result["outcome"] == "passed"]
    skipped = [result["reason"] for result in results if result["outcome"] == "skipped"]
    figures = merged([figure for result in results for figure in result["figures"]])
    problems += [f"{figure['what']}: over the limit" for figure in figures if figure["worst"] > figure["limit"]]
    most = max((figure["injections"] for figure in figures), default=0)
    if passed and not skipped and most < INJECTIONS.get(row, 0):
        problems.append(f"{most} injections, and {INJECTIONS[row]} are asked for")
    reason = ""
    if problems:
        verdict = "NOT SURVIVED"
    elif skipped:
        # A part that was left out leaves the row unproven.
        verdict, reason = "not runnable", skipped[0]
    elif passed:
        verdict = "survived"
    else:
        verdict = "NOT TESTED"
    nothing = {"what": f"{len(passed)} tests" if passed else "", "limit": None, "worst": None, "injections": ""}
    lines = [
        (
            str(row) if first else "",
            FAULTS[row] if first else "",
            figure["what"],
            text(figure, "limit"),
            text(figure, "worst"),
            str(figure["injections"]) + (f" + {figure['repeated']}" if figure.get("repeated") else ""),
            verdict if first else "",
        )
        for first, figure in zip([True] + [False] * len(figures), figures or [nothing], strict=False)
    ]
    return {"lines": lines, "verdict": verdict, "problems": problems, "reason": reason}


def merged(figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One figure for each name: the worst, over the injections of all."""
    named: dict[str, dict[str, Any]] = {}
    for figure in figures:
        held = named.setdefault(figure["what"], {**figure, "injections": 0, "repeated": 0})
        held["worst"] = max(held["worst"], figure["worst"])
        held["injections"] += figure["injections"]
        held["repeated"] += figure["repeated"]
    return list(named.values())


def text(figure: dict[str, Any], key: str) -> str:
    value = figure[key]
    if value is None:
        return ""
    if figure["unit"] == "s" and figure["limit"] < 1:
        return f"{value * 1e3:.0f} ms"
    return f"{value:.3g} {figure['unit']}".strip()


def print_table(lines: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(HEAD, *lines, strict=True)]
    for line in (HEAD, tuple("-" * width for width in widths), *lines):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
