"""The fastest line as a table: CSV for people and spreadsheets, NPY for programs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from outlap.errors import OutlapError
from outlap.files import write_atomic
from outlap.track.fastest import FastestLine

COLUMNS = ("s", "x", "y", "heading", "curvature", "speed")
UNITS = (
    "# s m along the line, x m, y m (middle of the rear axle), heading rad, curvature 1/m left positive, speed m/s; "
    "closed: the last row leads to the first\n"
)
SUFFIXES = (".csv", ".npy")


def check_table_name(path: Path) -> None:
    """Refuse a file that is neither .csv nor .npy.

    Raises:
        OutlapError: the name ends otherwise.
    """
    if path.suffix not in SUFFIXES:
        raise OutlapError(f"{path}: a line is exported as a table, so its name must end in .csv or .npy.")


def save_line(line: FastestLine, path: Path) -> None:
    """Write rows of s, x, y, heading, curvature, speed, one a node: as CSV, or as an .npy array (N, 6) float64.

    Raises:
        OutlapError: the name ends otherwise, or the folder cannot be written.
    """
    check_table_name(path)
    rows = np.column_stack([line.s, line.points, line.heading, line.curvature, line.speed])
    if path.suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, rows)
        write_atomic(path, buffer.getvalue())
    else:
        table = "".join(",".join(f"{value:.6f}" for value in row) + "\n" for row in rows)
        write_atomic(path, UNITS + ",".join(COLUMNS) + "\n" + table)
