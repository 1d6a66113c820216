"""Which tracks a command line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlap.errors import OutlapError
from outlap.track.formats import save_track, track_names
from outlap.track.gathering import gather_tracks
from outlap.track.track import Track


def test_without_any_word_all_that_ship_are_meant() -> None:
    assert [track.name for track in gather_tracks([])] == track_names()
    both = gather_tracks([], both_directions=True)
    assert [track.name for track in both] == [*track_names(), *(f"{name} reversed" for name in track_names())]


def test_a_folder_means_its_tracks_and_names_stay_apart(ring: Track, tmp_path: Path) -> None:
    save_track(ring, tmp_path / "b.npy")
    save_track(ring, tmp_path / "a.yaml")
    save_track(ring, tmp_path / "world" / "track.yaml")
    (tmp_path / "notes.txt").write_text("none")
    names = [track.name for track in gather_tracks([str(tmp_path)])]
    assert names == ["ring", "b", "ring 2"]
    assert [track.name for track in gather_tracks([str(tmp_path / "world"), "oval"])] == ["ring", "oval"]
    assert [track.name for track in gather_tracks(["oval", "oval"], True)] == [
        "oval",
        "oval 2",
        "oval reversed",
        "oval 2 reversed",
    ]


def test_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutlapError, match=r"the folder holds no track \(.npy, .yaml, or a folder with a track.yaml\)"):
        gather_tracks([str(tmp_path)])
    with pytest.raises(OutlapError, match="there is no track 'nowhere'"):
        gather_tracks(["oval", "nowhere"])
    (tmp_path / "broken.npy").write_bytes(b"nothing")
    with pytest.raises(OutlapError, match=r"broken\.npy: the route is refused"):
        gather_tracks([str(tmp_path)])
