"""Training on the track that will be raced: what the training file may say, what the run keeps, what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from outlap.errors import OutlapError
from outlap.learning.config import load_training
from outlap.learning.mix import own_names
from outlap.learning.runs.control import Control, StoppedError
from outlap.learning.runs.run import resume, train
from outlap.learning.runs.training_tracks import keep_tracks, training_tracks
from outlap.policy.contract import TrainedOn, TrainedTrack
from outlap.policy.file import load_policy
from outlap.track.check import checked_track
from outlap.track.formats import save_track
from outlap.track.track import Track
from outlap.vehicle.car import Car

Make = Callable[..., dict[str, Any]]
Load = Callable[..., Any]


@pytest.fixture
def route(ring: Track, tmp_path: Path) -> Path:
    """The ring as a route of DeepRacer's, beside the training file."""
    path = tmp_path / "mine.npy"
    save_track(ring, path)
    return path


@pytest.fixture
def load(tiny: Make, car: Car, tmp_path: Path) -> Load:
    """``load(tracks, "oval", …)``: a training file with these, and these as on the command line."""

    def loaded(tracks: Any, *own: str, both: bool = False) -> Any:
        path = tmp_path / "training.yaml"
        path.write_text(yaml.safe_dump(tiny() | {"tracks": tracks}))
        return load_training(path, car, own, both)

    return loaded


def test_a_number_means_generated_tracks_as_before(load: Load) -> None:
    config = load(3)
    assert config.tracks == 3
    assert (config.mix.generated, config.mix.files, config.mix.given_share) == (3, (), 0.0)
    assert config.model_dump(mode="json")["tracks"] == 3


def test_files_are_found_beside_the_training_file_and_names_in_worlds(load: Load, route: Path) -> None:
    mix = load({"generated": 2, "files": ["mine.npy", "oval"], "share": 0.5, "both_directions": True}).mix
    assert [Path(path).name for path in mix.files] == ["mine.npy", "track.yaml"]
    assert all(Path(path).is_absolute() for path in mix.files)
    assert own_names(mix.files) == ["mine.npy", "oval.yaml"]
    assert own_names(["/a/x.npy", "/b/x.npy"]) == ["x.npy", "x-2.npy"]
    assert load({"files": ["oval"]}).mix.given_share == 1.0
    assert load({"generated": 4, "files": ["oval"]}).mix.given_share == 0.7


def test_the_command_line_adds_to_the_files_generated_tracks(load: Load, route: Path) -> None:
    config = load(5, str(route), "oval", both=True)
    assert (config.mix.generated, len(config.mix.files), config.mix.both_directions) == (5, 2, True)
    assert config.validation.tracks == config.mix.files


@pytest.mark.parametrize(
    ("tracks", "words"),
    [
        ({}, "there is no track: give a number of generated ones, or files"),
        (0, "greater than or equal to 1"),
        ("oval", "valid integer"),
        ({"generated": 3, "both_directions": True}, "both_directions is of the given tracks"),
        ({"files": ["oval"], "share": 0.5}, "share is 0.5, but there is no generated track for the rest"),
        ({"generated": 3, "files": ["oval"], "share": 0}, "share: Input should be greater than 0"),
        ({"generated": 3, "files": ["oval"], "share": 2}, "share: Input should be less than or equal to 1"),
        ({"generated": 3, "filse": ["oval"]}, "filse: unknown key"),
        ({"files": ["nowhere"]}, "there is no track"),
        ({"files": ["oval", "mine.npy", "oval"]}, "oval/track.yaml is named twice: name it once"),
        ({"files": ["narrow.npy"]}, "training.yaml: tracks: track narrow: the road is 0.120 m wide"),
    ],
)
def test_what_is_none_is_refused_with_its_key(load: Load, route: Path, tracks: Any, words: str, tmp_path: Path) -> None:
    angle = np.linspace(0, 2 * np.pi, 200)
    rounds = [r * np.stack([np.cos(angle), np.sin(angle)], axis=1) for r in (0.14, 0.08, 0.2)]
    save_track(checked_track("narrow", *rounds), tmp_path / "narrow.npy")
    with pytest.raises(OutlapError, match="tracks") as refused:
        load(tracks)
    assert words in str(refused.value)


def test_what_is_wrong_on_the_command_line_says_so(load: Load) -> None:
    with pytest.raises(OutlapError, match=r"^--track: there is no track 'nowhere'"):
        load(1, "nowhere")
    with pytest.raises(OutlapError, match="--both-directions is of your own tracks: add --track"):
        load(1, both=True)


def test_episodes_begin_on_the_given_tracks_by_their_share(load: Load, route: Path, tmp_path: Path) -> None:
    mix = load({"generated": 2, "files": ["mine.npy"], "share": 0.6, "both_directions": True}).mix
    keep_tracks(mix, tmp_path / "kept", resuming=False)
    made = training_tracks(mix, tmp_path / "kept", 0)
    assert [track.name for track in made.tracks.tracks] == ["generated-0", "generated-1", "mine", "mine reversed"]
    np.testing.assert_allclose(made.chances, [0.2, 0.2, 0.3, 0.3])
    alone = training_tracks(load(2).mix, tmp_path / "none", 0)
    assert alone.chances is None
    np.testing.assert_array_equal(alone.tracks.tracks[1].center, made.tracks.tracks[1].center)


def test_a_track_is_known_again_by_its_length() -> None:
    trained = TrainedOn(
        generated=0, share=1.0, both_directions=False, tracks=(TrainedTrack(name="mine", length=7.5398),)
    )
    assert trained.knows(7.541) and not trained.knows(7.56)


def test_what_lies_in_the_copies_place_is_not_lost(load: Load, route: Path, tmp_path: Path) -> None:
    """A run trained anew from its own training file; a folder of the user's own that is called tracks."""
    folder = tmp_path / "out" / "tracks"
    keep_tracks(load(2, str(route)).mix, folder, resuming=False)
    content = (folder / "mine.npy").read_bytes()
    (folder / "other.npy").write_bytes(b"the user's")
    keep_tracks(load(2, str(folder / "mine.npy")).mix, folder, resuming=False, replaces=True)
    assert (folder / "mine.npy").read_bytes() == content == route.read_bytes()
    assert (folder / "other.npy").read_bytes() == b"the user's"
    (folder / "mine.npy").write_bytes(b"the user's own, too")
    mix = load(2, str(route)).mix
    with pytest.raises(OutlapError, match=r"mine.npy is another track, which no run has put there: choose another"):
        keep_tracks(mix, folder, resuming=False)
    assert (folder / "mine.npy").read_bytes() == b"the user's own, too"
    keep_tracks(mix, folder, resuming=False, replaces=True)
    assert (folder / "mine.npy").read_bytes() == content


def test_a_list_of_tracks_without_end_is_refused_in_a_sentence(load: Load) -> None:
    with pytest.raises(OutlapError, match=r"^--track: the list of tracks is refused: files: "):
        load(1, *["oval"] * 300)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_without_the_file(load: Load, car: Car, route: Path, tmp_path: Path) -> None:
    config, whole, cut, control = load(2, str(route)), tmp_path / "whole", tmp_path / "cut", Control()
    train(config, car, whole, 2)
    with pytest.raises(StoppedError):
        train(config, car, cut, 2, lambda told: control.stop() if told.stage == "student" else None, control)
    route.unlink()
    resume(cut)
    assert load_policy(cut / "policy.onnx").digest == load_policy(whole / "policy.onnx").digest
    for left in cut.glob("tracks/*"):
        left.unlink()
    with pytest.raises(OutlapError, match="the run's copy of a track is gone"):
        keep_tracks(config.mix, cut / "tracks", resuming=True)
