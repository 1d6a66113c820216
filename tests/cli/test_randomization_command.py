"""``outlap randomization preview``: its picture, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.mark.slow
def test_it_writes_a_sheet_of_draws_that_differ(outlap: Callable, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "sheet.png"
    words = ("randomization", "preview", "--columns", 3, "--rows", 2, "--out", out)
    code, stdout, stderr = outlap(*words, "--seed", 2)
    assert code == 0, stderr
    assert stdout == f"wrote {out}: 6 draws of full, seed 2\n"
    sheet = cv2.imread(str(out))
    assert sheet is not None and sheet.shape == (2 * (96 + 3) + 3, 3 * (160 + 3) + 3, 3)
    pictures = [sheet[top : top + 96, left : left + 160] for top in (3, 102) for left in (3, 166, 329)]
    assert len({picture.tobytes() for picture in pictures}) == 6
    assert np.ptp(sheet) > 100
    first = out.read_bytes()
    assert outlap(*words, "--seed", 2).code == 0
    assert out.read_bytes() == first
    assert outlap(*words, "--seed", 2, "--raw").code == 0
    raw = cv2.imread(str(out))
    assert raw is not None and raw.shape == (2 * (120 + 3) + 3, 3 * (160 + 3) + 3, 3)
    assert (raw[..., 0] != raw[..., 2]).any()


def test_what_it_cannot_draw_or_write_is_said_in_a_sentence(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "no randomization named 'wild'" in refused("randomization", "preview", "--randomization", "wild")
    assert "is a .png" in refused("randomization", "preview", "--out", tmp_path / "sheet.pdf")
    bad = tmp_path / "bad.yaml"
    bad.write_text("look: {noise: {uniform: [3, 1]}}")
    said = refused("randomization", "preview", "--randomization", bad, "--out", tmp_path / "a.png")
    assert said.startswith(f"{bad}: ") and "look.noise: the least, 3, lies above the most, 1" in said
    assert not (tmp_path / "a.png").exists()
