"""The tracks of a run: generated ones, and copies of those that were given, which lie in its folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outlap.errors import OutlapError
from outlap.files import read_bytes, write_atomic
from outlap.learning.mix import TrackMix, own_names
from outlap.policy.contract import TrainedOn, TrainedTrack
from outlap.track.formats import load_track
from outlap.track.gathering import gather_tracks
from outlap.track.generate import generate_track
from outlap.track.geometry import TrackSet
from outlap.track.track import Track


class TrainingTracks(NamedTuple):
    """What is trained on."""

    tracks: TrackSet  # the given ones behind the generated ones
    chances: NDArray[np.float64] | None  # (T,) that an episode begins on each; None: all alike


def keep_tracks(mix: TrackMix, folder: Path, resuming: bool, replaces: bool = False) -> None:
    """Copy the given tracks into ``folder``; a run that is resumed has them. What else lies there stays.

    Args:
        mix: which.
        folder: of the copies.
        resuming: whether they were copied when the run began.
        replaces: whether the run takes the place of an earlier one, whose copies lie there.

    Raises:
        OutlapError: a track file cannot be read, the folder cannot be written, a file of the user's own is in the way,
            or a copy is gone.
    """
    copies = copies_of(mix, folder)
    if resuming:
        for copy in copies:
            if not copy.is_file():
                raise OutlapError(f"{copy}: the run's copy of a track is gone, so it cannot go on: put it back.")
        return
    contents = [read_bytes(Path(path), "track file") for path in mix.files]  # all, as one may lie in another's place
    for copy, content in zip(copies, contents, strict=True):
        if not replaces and copy.is_file() and read_bytes(copy, "track file") != content:
            raise OutlapError(f"{copy} is another track, which no run has put there: choose another folder.")
    try:
        if copies:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutlapError(f"cannot write {folder}: {error.strerror or error}.") from error
    for copy, content in zip(copies, contents, strict=True):
        write_atomic(copy, content)


def on_copies(mix: TrackMix, folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Track files and names, with the copies in the place of the files that were given."""
    copies = dict(zip(mix.files, map(str, copies_of(mix, folder)), strict=True))
    return tuple(copies.get(name, name) for name in names)


def copies_of(mix: TrackMix, folder: Path) -> list[Path]:
    """Where the copies of a mix's given tracks lie."""
    return [folder / name for name in own_names(mix.files)]


def training_tracks(
    mix: TrackMix, folder: Path, seed: int, told: Callable[[int, int], None] = lambda done, total: None
) -> TrainingTracks:
    """The tracks of a mix, whose given ones lie in ``folder``.

    Args:
        mix: which.
        folder: of the copies.
        seed: of the generated ones.
        told: called with how many of how many are made.

    Raises:
        OutlapError: a copy is refused.
    """
    rng = np.random.default_rng(seed)
    tracks: list[Track] = []
    for index in range(mix.generated):
        tracks.append(generate_track(rng, name=f"generated-{index}"))
        told(index + 1, mix.generated)
    given = gather_tracks([str(copy) for copy in copies_of(mix, folder)], mix.both_directions) if mix.files else []
    chances = None
    if given:
        share = mix.given_share
        chances = np.full(len(tracks) + len(given), share / len(given))
        chances[: len(tracks)] = (1 - share) / max(len(tracks), 1)
    return TrainingTracks(TrackSet([*tracks, *given]), chances)


def given_tracks(mix: TrackMix, folder: Path) -> dict[str, Path]:
    """The copies of the given tracks in ``folder``, by the tracks' names.

    Raises:
        OutlapError: a copy is refused.
    """
    copies = copies_of(mix, folder)
    names = [track.name for track in gather_tracks([str(copy) for copy in copies])] if copies else []
    return dict(zip(names, copies, strict=True))


def trained_on(mix: TrackMix, folder: Path) -> TrainedOn:
    """What a policy file says of the tracks that it was trained on, whose copies lie in ``folder``.

    Raises:
        OutlapError: a copy is refused.
    """
    own = given_tracks(mix, folder)
    lengths = TrackSet([load_track(path) for path in own.values()]).length if own else ()
    known = tuple(
        TrainedTrack(name=name, length=round(float(length), 3)) for name, length in zip(own, lengths, strict=True)
    )
    return TrainedOn(generated=mix.generated, share=mix.given_share, both_directions=mix.both_directions, tracks=known)
