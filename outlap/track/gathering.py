"""Which tracks are meant: names, files, and folders of tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from outlap.errors import OutlapError
from outlap.track.formats import TRACK_FILE, load_track, track_file, track_names
from outlap.track.track import Track

TRACK_FILES = (".npy", ".yaml", ".yml")


def gather_tracks(words: Sequence[str], both_directions: bool = False) -> list[Track]:
    """The tracks that ``words`` mean, without any word all that ship; then each reversed, where asked for.

    A word is what :func:`outlap.track.formats.load_track` knows, or a folder of track files and of folders with a
    track.yaml. Tracks of one name are told apart by a number.

    Raises:
        OutlapError: there is no such track, a file is refused, or a folder holds none.
    """
    tracks: list[Track] = []
    names: set[str] = set()
    for path in track_paths(words or track_names()):
        track = load_track(path)
        name, k = track.name, 2
        while name in names:
            name, k = f"{track.name} {k}", k + 1
        names.add(name)
        tracks.append(replace(track, name=name))
    if both_directions:
        tracks += [replace(one.reversed(), name=f"{one.name} reversed") for one in tracks]
    return tracks


def track_paths(words: Sequence[str]) -> list[Path]:
    """The files of the tracks that ``words`` mean, as for :func:`gather_tracks`.

    Raises:
        OutlapError: there is no such track, or a folder holds none.
    """
    return [path for word in words for path in _files(word)]


def _files(word: str) -> list[Path]:
    folder = Path(word)
    try:
        if not folder.is_dir() or (folder / TRACK_FILE).is_file():
            return [track_file(word)]
        found = [path for path in sorted(folder.iterdir()) if path.suffix in TRACK_FILES and path.is_file()]
        found += sorted(folder.glob(f"*/{TRACK_FILE}"))
    except OSError as error:
        raise OutlapError(f"{word}: cannot look for tracks there: {error.strerror or error}.") from error
    if not found:
        raise OutlapError(f"{word}: the folder holds no track (.npy, .yaml, or a folder with a track.yaml).")
    return found
