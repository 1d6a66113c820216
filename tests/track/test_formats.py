"""Track files: written and read back the same, DeepRacer's layout, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.track.formats import load_track, save_track, track_names
from outlap.track.generate import generate_track
from outlap.track.polyline import signed_area
from outlap.track.track import Track

LINES = ("center", "left", "right")


@pytest.fixture(scope="module")
def track() -> Track:
    return generate_track(np.random.default_rng(4), name="made", length=16.0, width=0.7, width_variation=0.2)


@pytest.mark.parametrize("suffix", [".yaml", ".npy"])
@pytest.mark.parametrize("backwards", [False, True])
def test_written_and_read_back(track: Track, tmp_path: Path, suffix: str, backwards: bool) -> None:
    track = track.reversed() if backwards else track
    path = tmp_path / f"made{suffix}"
    save_track(track, path)
    read = load_track(path)
    assert read.name == "made"
    for line in LINES:
        np.testing.assert_allclose(getattr(read, line), getattr(track, line), atol=1e-4, rtol=0)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("backwards", [False, True])
def test_npy_is_deepracers_layout(track: Track, tmp_path: Path, backwards: bool) -> None:
    track = track.reversed() if backwards else track
    save_track(track, tmp_path / "made.npy")
    rows = np.load(tmp_path / "made.npy", allow_pickle=False)
    assert rows.dtype == np.float64
    assert rows.shape == (len(track.center) + 1, 6)
    np.testing.assert_array_equal(rows[0], rows[-1])
    inner, outer = abs(signed_area(rows[:-1, 2:4])), abs(signed_area(rows[:-1, 4:6]))
    assert inner < abs(signed_area(rows[:-1, 0:2])) < outer


def test_direction_reverse_drives_against_the_rows(track: Track, tmp_path: Path) -> None:
    path = tmp_path / "track.yaml"
    save_track(track, path)
    path.write_text(path.read_text().replace("direction: forward", "direction: reverse"))
    np.testing.assert_allclose(load_track(tmp_path).left, track.reversed().left, atol=1e-4)


def test_every_key_of_a_written_track_is_explained(track: Track, tmp_path: Path) -> None:
    save_track(track, tmp_path / "track.yaml")
    keys = [line for line in (tmp_path / "track.yaml").read_text().splitlines() if line[0].isalpha()]
    assert len(keys) == 5
    assert all(" # " in line for line in keys)


def test_integer_and_single_precision_routes_are_read(tmp_path: Path) -> None:
    angle = 2 * np.pi * np.arange(40) / 40
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rows = np.concatenate([20 * unit, 15 * unit, 25 * unit], axis=1)
    for dtype in (np.int32, np.float32):
        np.save(tmp_path / "odd name!.npy", rows.round().astype(dtype))
        assert load_track(tmp_path / "odd name!.npy").name == "odd_name_"


class Payload:
    """Pickled, it writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def refusal(path: Path | str) -> str:
    with pytest.raises(OutlapError) as error:
        load_track(path)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


def test_a_pickled_route_is_refused_and_never_runs(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    np.save(tmp_path / "evil.npy", np.array([Payload(trace)], dtype=object), allow_pickle=True)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(Payload(trace)))
    for name in ("evil.npy", "bare.npy"):
        sentence = refusal(tmp_path / name)
        assert name in sentence
        assert "pickled" in sentence
    assert not trace.exists()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (np.zeros((50, 4)), "(50, 4)"),
        (np.zeros(50), "(50,)"),
        (np.zeros((50, 6), dtype=complex), "complex128 (50, 6)"),
        (np.full((50, 6), "x"), "<U1 (50, 6)"),
        (np.zeros((2, 6)), "only 1 different rows"),
    ],
)
def test_routes_of_another_shape_or_type_are_refused(rows: np.ndarray, says: str, tmp_path: Path) -> None:
    np.save(tmp_path / "route.npy", rows)
    sentence = refusal(tmp_path / "route.npy")
    assert "route.npy" in sentence
    assert says in sentence


def test_a_damaged_route_is_refused(track: Track, tmp_path: Path) -> None:
    path = tmp_path / "route.npy"
    save_track(track, path)
    sound = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(sound)
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(128)] = rng.integers(256)  # in the header, where the parser reads
        path.write_bytes(bytes(data[: rng.integers(len(data))] if rng.uniform() < 0.5 else data))
        try:
            load_track(path)
        except OutlapError as error:
            assert "route.npy" in str(error)


def test_a_huge_array_is_refused_without_being_made(tmp_path: Path) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000, 6), }"
    header = header.ljust(117) + "\n"
    (tmp_path / "huge.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    assert "huge.npy" in refusal(tmp_path / "huge.npy")


def test_missing_empty_and_foreign_files_are_refused(tmp_path: Path) -> None:
    for name in ("empty.npy", "empty.yaml"):
        (tmp_path / name).touch()
        assert name in refusal(tmp_path / name)
    (tmp_path / "text.npy").write_text("centre, inner, outer")
    assert "text.npy" in refusal(tmp_path / "text.npy")
    (tmp_path / "route.csv").write_text("0,0")
    assert "must end in .yaml" in refusal(tmp_path / "route.csv")
    (tmp_path / "folder.npy").mkdir()
    assert "folder.npy" in refusal(tmp_path / "folder.npy")
    (tmp_path / "nothing").mkdir()
    assert "holds no track.yaml" in refusal(tmp_path / "nothing")
    for name in ("absent.npy", "absent.yaml"):
        assert "No such file" in refusal(tmp_path / name)
    assert "one of coil, grand" in refusal("absent")
    assert "too long" in refusal("a" * 5000)
    np.savez(tmp_path / "archive", rows=np.zeros((50, 6)))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    assert "archive" in refusal(tmp_path / "archive.npy")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format: 1", "format: 2", "format"),
        ("closed: true", "closed: false", "closed"),
        ("direction: forward", "direction: sideways", "direction"),
        ("name: made", "name: '../made'", "name"),
        ("name: made", "colour: red\nname: made", "colour: unknown key"),
        ("- [0.1, ", "- [.nan, ", "rows.3.0"),
        ("- [0.1, ", "- [0.1, 0.2, ", "rows.3"),
        ("- [0.1, ", "- [left, ", "rows.3.0"),
        ("- [0.1, ", "- [0.1, 2", "YAML"),
        ("format: 1", "format: 1: 2", "line 2"),
    ],
)
def test_a_spoilt_track_file_is_refused_by_key_or_row(
    track: Track, tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = tmp_path / "track.yaml"
    save_track(track, path)
    lines = path.read_text().splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith("- "))
    lines[first + 3] = "- [0.1, " + lines[first + 3].split(", ", 1)[1]
    if says == "YAML":
        lines[first + 3] = lines[first + 3].replace("]", "")
    path.write_text("".join(lines).replace(old, new, 1))
    sentence = refusal(path)
    assert "track.yaml" in sentence
    assert says in sentence


def test_a_track_is_written_only_as_what_it_says(track: Track, tmp_path: Path) -> None:
    for name in ("track.csv", "track"):
        with pytest.raises(OutlapError, match=r"written as \.yaml or \.npy"):
            save_track(track, tmp_path / name)
    (tmp_path / "file").touch()
    with pytest.raises(OutlapError, match="cannot write"):
        save_track(track, tmp_path / "file" / "track.yaml")


def test_shipped_tracks_are_found_by_name_and_each_is_sound() -> None:
    names = track_names()
    assert len(names) >= 4
    for name in names:
        assert load_track(name).name == name
