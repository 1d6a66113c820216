"""``outlap track``: what it prints, writes and refuses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from outlap.cli.track import app
from outlap.errors import OutlapError
from outlap.track.formats import load_track, save_track
from outlap.track.generate import generate_track


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)
    if isinstance(result.exception, OutlapError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def route(tmp_path: Path) -> Path:
    path = tmp_path / "route.npy"
    save_track(generate_track(np.random.default_rng(2), length=15.0, width=0.7, width_variation=0.0), path)
    return path


def test_generate_writes_the_same_track_twice(tmp_path: Path) -> None:
    wish = ("generate", "--length", "18", "--width", "0.7", "--tightness", "0.8", "--seed", "3")
    printed = run(*wish, "--out", tmp_path / "snake")
    assert "18.00 m" in printed and "0.70 m" in printed and "tightest radius" in printed
    run(*wish, "--name", "snake", "--out", tmp_path / "other.yaml")
    first, second = tmp_path / "snake" / "track.yaml", tmp_path / "other.yaml"
    assert first.read_bytes() == second.read_bytes()
    assert load_track(tmp_path / "snake").name == "snake"


def test_generate_refuses_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(OutlapError, match="at least"):
        run("generate", "--length", "2", "--width", "1", "--out", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unless_forced(tmp_path: Path, route: Path) -> None:
    out = tmp_path / "mine"
    run("import", route, "--out", out)
    before = (out / "track.yaml").read_bytes()
    with pytest.raises(OutlapError, match="--force"):
        run("generate", "--out", out)
    assert (out / "track.yaml").read_bytes() == before
    run("generate", "--out", out, "--force")
    assert (out / "track.yaml").read_bytes() != before


def test_import_keeps_the_road(tmp_path: Path, route: Path) -> None:
    run("import", route, "--name", "mine", "--out", tmp_path / "mine")
    run("import", route, "--reverse", "--out", tmp_path / "back.yaml")
    source = load_track(route)
    assert load_track(tmp_path / "mine").name == "mine"
    np.testing.assert_allclose(load_track(tmp_path / "mine").left, source.left, atol=1e-4)
    np.testing.assert_allclose(load_track(tmp_path / "back.yaml").left, source.reversed().left, atol=1e-4)
    with pytest.raises(OutlapError, match="no track name"):
        run("import", route, "--name", "../mine", "--out", tmp_path / "z")


def test_show_prints_and_draws(tmp_path: Path) -> None:
    printed = run("show", "coil", "--out", tmp_path / "coil.png")
    assert re.search(r"length\s+22\.3\d m", printed)
    assert re.search(r"width\s+0\.70 m", printed)
    assert re.search(r"tightest radius\s+0\.4\d m", printed)
    assert (tmp_path / "coil.png").read_bytes().startswith(b"\x89PNG")


def test_show_refuses_a_bad_track_and_draws_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.npy").write_bytes(b"")
    with pytest.raises(OutlapError, match=r"bad\.npy: the route is an empty file"):
        run("show", tmp_path / "bad.npy", "--out", tmp_path / "bad.png")
    with pytest.raises(OutlapError, match=r"must end in \.png"):
        run("show", "coil", "--out", tmp_path / "coil.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.npy"]


def test_help_teaches_by_example() -> None:
    for verb in ("import", "generate", "show"):
        assert f"outlap track {verb} " in run(verb, "--help")


@pytest.mark.slow
def test_line_draws_and_exports_the_fastest_lap(tmp_path: Path) -> None:
    picture, table, array = tmp_path / "oval.png", tmp_path / "oval.csv", tmp_path / "oval.npy"
    printed = run("line", "oval", "--out", picture, "--export", table)
    assert re.search(r"fastest lap +7\.\d\d s flying, 7\.\d\d s from rest", printed)
    assert picture.read_bytes().startswith(b"\x89PNG")
    inside = run("line", "oval", "--wheels", "4", "--out", picture)
    assert "fastest lap     7.59 s flying" in inside and "fastest lap     7.05 s flying" in printed
    rows = table.read_text().splitlines()
    assert rows[0].startswith("# s m") and rows[1] == "s,x,y,heading,curvature,speed"
    run("line", "oval", "--out", picture, "--export", array)
    read = np.loadtxt(rows, delimiter=",", skiprows=2)
    np.testing.assert_allclose(read, np.load(array), atol=1e-6)
    assert (read[:, 5] <= 2.0 + 1e-6).all() and len(read) == len(rows) - 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--speed", "0"), "speed must be a positive number, not 0"),
        (("--wheels", "3"), "keeps 1 wheel on the road, or 4, not 3"),
        (("--margin", "0.5"), "the road is 0.799 m wide .* need 1.159 m"),
        (("--export", "line.txt"), "line.txt: .* must end in .csv or .npy"),
        (("--out", "line.jpg"), "line.jpg: .* must end in .png"),
        (("--car", "lorry"), "no car named 'lorry'"),
    ],
)
def test_line_refuses_what_cannot_be(
    words: tuple[str, ...], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutlapError, match=sentence):
        run("line", "oval", *words)
    assert list(tmp_path.iterdir()) == []
