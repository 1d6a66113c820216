"""``outlap track world``: which folder gets which files, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from outlap.gazebo.assemble import world_file
from outlap.track.formats import save_track
from outlap.track.track import Track

FILES = ["ground.png", "wall.png", "world.sdf"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
def test_a_route_becomes_a_folder_with_track_and_world(
    outlap: Callable, ring: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_track(ring, tmp_path / "my_route.npy")
    monkeypatch.chdir(tmp_path)
    code, stdout, stderr = outlap("track", "world", "my_route.npy")
    assert code == 0 and not stderr and "written         my_route/world.sdf" in stdout
    assert names(tmp_path / "my_route") == sorted([*FILES, "track.yaml"])
    # The world is of the digits in track.yaml, so that it counts as up to date.
    assert world_file("my_route", tmp_path / "unused") == Path("my_route/world.sdf")


@pytest.mark.slow
def test_a_tracks_own_folder_gets_the_world(
    outlap: Callable, refused: Callable[..., str], ring: Track, tmp_path: Path
) -> None:
    track = tmp_path / "ring" / "track.yaml"
    save_track(ring, track)
    before = track.read_bytes()
    assert outlap("track", "world", track.parent).code == 0
    assert names(track.parent) == sorted([*FILES, "track.yaml"]) and track.read_bytes() == before
    written = (track.parent / "world.sdf").read_bytes()
    (track.parent / "world.sdf").write_text("mine")
    assert "already exists" in refused("track", "world", track)
    assert (track.parent / "world.sdf").read_text() == "mine"
    assert outlap("track", "world", track, "--force").code == 0
    assert (track.parent / "world.sdf").read_bytes() == written


@pytest.mark.slow
def test_out_gets_a_copy_of_the_track(outlap: Callable, refused: Callable[..., str], tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    assert outlap("track", "world", "oval", "--out", out).code == 0
    assert names(out) == sorted([*FILES, "track.yaml"])
    for name in FILES:
        (out / name).unlink()
    assert "track.yaml already exists" in refused("track", "world", "meadow", "--out", out)
    assert outlap("track", "world", out, "--out", out).code == 0  # its own track.yaml is no obstacle


@pytest.mark.slow
def test_what_cannot_be_made_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "no track 'nowhere'" in refused("track", "world", "nowhere")
    assert "--out must name a folder" in refused("track", "world", "oval", "--out", tmp_path / "oval.sdf")
    (tmp_path / "file").write_text("x")
    assert "cannot write" in refused("track", "world", "oval", "--out", tmp_path / "file")
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY not")
    assert "bad.npy" in refused("track", "world", tmp_path / "bad.npy")
    assert names(tmp_path) == ["bad.npy", "file"]
