"""``outlap evaluate POLICY --footage``: its table, its files, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from outlap.policy.file import load_policy

Constant = Callable[[float, float], Path]
Refused = Callable[..., str]


@pytest.fixture
def tubs(tmp_path: Path) -> Path:
    """Two small tubs under one folder; a broken line in the second."""
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        folder = tmp_path / "tubs" / name / "data"
        (folder / "images").mkdir(parents=True)
        lines = []
        for index in range(60):
            image = f"{index}_cam_image_array_.jpg"
            cv2.imwrite(str(folder / "images" / image), rng.integers(0, 255, (48, 64), dtype=np.uint8))
            record = {
                "_index": index,
                "_timestamp_ms": 50 * index,
                "user/angle": float(np.sin(index / 5)),
                "cam/image_array": image,
                "user/mode": "user",
                "_session_id": "1",
            }
            lines.append(json.dumps(record))
        if name == "two":
            lines[10] = lines[10][:30]
        (folder / "catalog_0.catalog").write_text("\n".join(lines))
        (folder / "manifest.json").write_text(json.dumps({"paths": ["catalog_0.catalog"], "deleted_indexes": []}))
    return tmp_path / "tubs"


def test_it_tells_each_tub_and_all_together(
    outlap: Callable, constant_policy: Constant, tubs: Path, tmp_path: Path
) -> None:
    policy, report, strip = constant_policy(0.5, 1.5), tmp_path / "report.json", tmp_path / "strip.png"
    code, stdout, stderr = outlap(
        "evaluate", policy, "--footage", tubs, "--focal", 0.45, "--pitch", 0.3, "--json", report, "--strip", strip
    )
    assert code == 0, stderr
    assert "tubs: focal length 0.450 widths a radian, pitch 0.300 rad (given)" in stdout
    broken = tubs / "two" / "data" / "catalog_0.catalog"
    assert f"warning: {broken}, line 11: not a line of JSON; the record is left out." in stderr
    content = json.loads(report.read_text())
    assert content["digest"] == load_policy(policy).digest
    (found,) = content["footage"]
    assert [(row["name"], row["frames"], row["left_out"]) for row in found["tubs"]] == [("one", 60, 0), ("two", 59, 1)]
    assert found["total"]["frames"] == 119
    assert set(found["total"]["human"]) == {"samples", "correlation", "sign_agreement", "turns", "lag_s", "gain"}
    picture = cv2.imread(str(strip))
    assert picture is not None
    assert picture.std() > 20


def test_two_recordings_of_different_cars(
    outlap: Callable, constant_policy: Constant, tubs: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    code, _, stderr = outlap(
        "evaluate",
        constant_policy(0.5, 1.5),
        "--footage",
        tubs / "one",
        "--footage",
        tubs / "two",
        "--json",
        report,
        "--strip",
        tmp_path / "strip.png",
    )
    assert code == 0, stderr
    assert [len(found["tubs"]) for found in json.loads(report.read_text())["footage"]] == [1, 1]
    assert (tmp_path / "strip_1.png").is_file()
    assert (tmp_path / "strip_2.png").is_file()


def test_what_it_cannot_do_is_refused(refused: Refused, constant_policy: Constant, tubs: Path, tmp_path: Path) -> None:
    policy = constant_policy(0.5, 1.5)
    assert "no Donkeycar tub" in refused("evaluate", policy, "--footage", tmp_path / "nothing")
    assert "--camera says all of the camera" in refused(
        "evaluate", policy, "--footage", tubs, "--camera", tmp_path / "x.yaml", "--pitch", 0.1
    )
    assert "cannot read the camera file" in refused(
        "evaluate", policy, "--footage", tubs, "--camera", tmp_path / "x.yaml"
    )
    assert "ends in .png" in refused("evaluate", policy, "--footage", tubs, "--strip", tmp_path / "strip.gif")
    (tubs / "one" / "data" / "manifest.json").write_text("{}")
    assert "this is not the manifest" in refused("evaluate", policy, "--footage", tubs)
