"""Tubs are read as Donkeycar writes them, and what is broken in them is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.footage.tub import find_tubs, read_tub

N = 40


@pytest.fixture
def tub(tmp_path: Path, write_tub: Callable[..., Path]) -> Path:
    """40 grey pictures in two catalogs; the human's steering grows to the left."""
    pictures = np.full((N, 24, 32), 90, np.uint8)
    return write_tub(tmp_path / "data", pictures, np.linspace(-1, 1, N), 2, (5, 6, 7))


def edit(path: Path, line: int, change: Callable[[dict[str, Any]], str | dict[str, Any]]) -> None:
    """Replace a line of a catalog (0 is the first)."""
    lines = path.read_text().splitlines()
    changed = change(json.loads(lines[line]))
    lines[line] = changed if isinstance(changed, str) else json.dumps(changed)
    path.write_text("\n".join(lines) + "\n")


def test_records_come_in_order_without_the_erased_ones(tub: Path) -> None:
    found = read_tub(tub)
    assert len(found) == N - 3
    assert (found.steering[0], found.steering[-1]) == (-1, 1)  # left positive: the tub's own sign is the other
    assert found.stamp[0] == 0
    assert found.stamp[-1] == pytest.approx((N - 1) / 20, abs=1e-3)
    assert found.segment.tolist() == [0] * 5 + [1] * 32
    assert found.images[5].name == "8_cam_image_array_.jpg"
    assert np.asarray(found.picture(0)).shape == (24, 32)
    assert (found.problems, found.others) == ((), 0)


def test_a_catalog_that_the_manifest_does_not_list_is_not_read(tub: Path) -> None:
    manifest = tub / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"catalog_0.catalog", ', ""))
    assert len(read_tub(tub)) == N // 2


def test_stretches_end_at_gaps_sessions_and_clocks_set_back(tub: Path) -> None:
    catalog = tub / "catalog_1.catalog"
    edit(catalog, 4, lambda record: record | {"_session_id": "24-03-06_1"})
    for line in range(10, 20):
        edit(catalog, line, lambda record: record | {"_timestamp_ms": record["_timestamp_ms"] + 501})
    for line in range(15, 20):
        edit(catalog, line, lambda record: record | {"_timestamp_ms": record["_timestamp_ms"] - 9000})
    found = read_tub(tub)
    assert np.flatnonzero(np.diff(found.segment)).tolist() == [4, 20, 21, 26, 31]
    assert (np.diff(found.stamp) > 0).all()


def test_broken_records_are_left_out_and_named(tub: Path) -> None:
    catalog = tub / "catalog_1.catalog"
    changes: list[tuple[Callable[[dict[str, Any]], str | dict[str, Any]], str]] = [
        (lambda record: json.dumps(record)[:50], "not a line of JSON"),
        (lambda record: "[1, 2]", "not a JSON object"),
        (lambda record: record | {"_index": "x"}, "no whole number in _index"),
        (lambda record: record | {"user/angle": float("nan")}, "no number in user/angle"),
        (lambda record: record | {"user/angle": 1.5}, "user/angle 1.5 is not within -1 and 1"),
        (lambda record: record | {"_timestamp_ms": None}, "no number in _timestamp_ms"),
        (lambda record: record | {"cam/image_array": "../../x.jpg"}, "no file name in cam/image_array"),
        (lambda record: record | {"_index": 3}, "record 3 has come before"),
    ]
    for line, (change, _) in enumerate(changes, 2):
        edit(catalog, line, change)
    found = read_tub(tub)
    assert len(found) == N - 3 - len(changes)
    assert len(found.problems) == len(changes)
    for line, (problem, (_, why)) in enumerate(zip(found.problems, changes, strict=True), 3):
        assert problem.startswith(f"{catalog}, line {line}: {why}")


def test_records_steered_by_a_program_do_not_count(tub: Path) -> None:
    for line in range(10):
        edit(tub / "catalog_1.catalog", line, lambda record: record | {"user/mode": "local"})
    found = read_tub(tub)
    assert (len(found), found.others) == (N - 13, 10)


def test_a_part_is_spread_over_the_recording(tub: Path) -> None:
    part = read_tub(tub).part(0.5, block=0.25)
    assert 15 <= len(part) <= 22
    assert part.stamp[-1] > 1.5
    assert len(set(part.segment.tolist())) >= 4


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: "", "no line of JSON with paths"),
        (lambda text: text.replace("paths", "pathes"), "no line of JSON with paths"),
        (lambda text: text.replace('"catalog_0.catalog"', '"../catalog_0.catalog"'), "paths must list the names"),
        (lambda text: text.replace("[5, 6, 7]", '"5"'), "deleted_indexes must list whole numbers"),
        (lambda text: text.replace("catalog_1", "catalog_9"), "catalog_9.catalog: cannot read the tub's file"),
        (lambda text: text.replace("[5, 6, 7]", str([*range(N)])), "holds no record in which a person drove"),
    ],
)
def test_a_tub_without_use_is_refused(tub: Path, change: Callable[[str], str], why: str) -> None:
    manifest = tub / "manifest.json"
    manifest.write_text(change(manifest.read_text()))
    with pytest.raises(OutlapError, match=why):
        read_tub(tub)


def test_tubs_are_found_under_a_folder(tub: Path) -> None:
    assert find_tubs(tub) == find_tubs(tub.parent) == [tub]
    with pytest.raises(OutlapError, match=r"no Donkeycar tub .* is there or under it"):
        find_tubs(tub / "images")
