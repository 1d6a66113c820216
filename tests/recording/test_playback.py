"""Videos, folders and recordings played in the place of a camera."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from foreign_messages import header, plain

from outlap.camera.frame import Frame
from outlap.camera.view import View
from outlap.drivers.fakes.camera import numbered
from outlap.errors import OutlapError
from outlap.recording.films import open_film
from outlap.recording.playback import Pace, Playback
from outlap.vehicle.car import load_car

PATIENCE = 20.0  # s
CAMERA = load_car().camera.model_copy(update={"rate": 50.0})
SIZE = (160, 120)
VIEW = View()
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
RAW, CANONICAL = "/camera/image_raw/compressed", "/camera/image"


def encoded(number: int, size: tuple[int, int] = SIZE, suffix: str = ".jpg") -> bytes:
    return cv2.imencode(suffix, numbered(size, number))[1].tobytes()


def grey(number: int) -> np.ndarray:
    return cv2.cvtColor(numbered(SIZE, number), cv2.COLOR_BGR2GRAY)


def play(path: Path, loop: bool = False, least: int = 1000) -> tuple[list[Frame], list[str]]:
    """The frames until the end, or ``least`` of them, and what was said."""
    said: list[str] = []
    playback = Playback(path, CAMERA, VIEW, loop, said.append)
    frames: list[Frame] = []
    end = time.monotonic() + PATIENCE
    while not playback.ended and len(frames) < least:
        assert time.monotonic() < end
        if (frame := playback.next(0.1)) is not None:
            frames.append(frame)
    assert playback.ended == bool(playback.problem)
    return frames, said


def shows(frame: Frame, number: int) -> bool:
    pixels = frame.pixels if frame.pixels.ndim == 2 else cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY)
    return bool(np.abs(pixels.astype(int) - grey(number)).mean() < 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(12):
        (tmp_path / f"{number}_cam.jpg").write_bytes(encoded(number))
    return tmp_path


def test_a_folder_is_played_in_order_at_the_cameras_rate(folder: Path) -> None:
    (folder / "notes.txt").write_text("not a picture")
    before = time.monotonic()
    frames, said = play(folder)
    assert len(frames) == 12 and all(shows(frame, number) for number, frame in enumerate(frames))
    stamps = [frame.captured for frame in frames]
    assert before < stamps[0] and stamps[-1] - stamps[0] >= 11 / 50 - 0.01
    assert said == [f"{folder} has ended"]


def test_a_tub_is_a_folder_with_images(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "manifest.json").write_text("{}")
    for number in (0, 2, 10):
        (tmp_path / "images" / f"{number}_cam_image_array_.jpg").write_bytes(encoded(number))
    frames, _ = play(tmp_path)
    assert [shows(frame, number) for frame, number in zip(frames, (0, 2, 10), strict=True)] == [True] * 3


def test_a_loop_begins_anew(folder: Path) -> None:
    frames, said = play(folder, loop=True, least=30)
    assert all(shows(frame, number % 12) for number, frame in enumerate(frames))
    assert said == []


def test_a_damaged_picture_is_left_out_and_told(folder: Path) -> None:
    (folder / "3_cam.jpg").write_bytes(encoded(3)[:900])
    (folder / "7_cam.jpg").write_bytes(b"")
    frames, said = play(folder)
    assert len(frames) == 10
    assert [("3_cam" in text, "7_cam" in text) for text in said[:2]] == [(True, False), (False, True)]


def test_many_damaged_pictures_are_counted(folder: Path) -> None:
    for number in range(1, 12):
        (folder / f"{number}_cam.jpg").write_bytes(b"no picture")
    frames, said = play(folder)
    assert len(frames) == 1
    assert len(said) == 5 + 2 and "6 more pictures were left out" in said[5]


def test_files_that_go_while_they_are_looped_end_it(folder: Path) -> None:
    said: list[str] = []
    playback = Playback(folder, CAMERA, VIEW, True, said.append)
    assert playback.next(1.0) is not None
    for path in folder.iterdir():
        path.unlink()
    end = time.monotonic() + PATIENCE
    while not playback.ended and time.monotonic() < end:
        playback.next(0.1)
    assert "has ended" in playback.problem


def test_closing_ends_a_wait(folder: Path) -> None:
    playback = Playback(folder, CAMERA.model_copy(update={"rate": 0.3}), VIEW, False, print)
    assert playback.next(0.0) is not None
    assert playback.next(0.01) is None
    playback.close()
    playback.close()
    before = time.monotonic()
    assert playback.next(30.0) is None
    assert time.monotonic() - before < 2.5


def video(path: Path, count: int = 20, rate: float = 40.0, code: str = "MJPG") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), rate, SIZE)
    for number in range(count):
        writer.write(numbered(SIZE, number))
    writer.release()
    return path


@pytest.mark.parametrize(("name", "code"), [("drive.avi", "MJPG"), ("drive.mp4", "mp4v")])
def test_a_video_is_played_at_its_own_pace(tmp_path: Path, name: str, code: str) -> None:
    path = video(tmp_path / name, code=code)
    film = open_film(path, CAMERA, VIEW)
    times = [shot.time for shot in film.shots(print)]
    assert np.diff(times) == pytest.approx(1 / 40, abs=1e-3)
    frames, said = play(path)
    assert len(frames) == 20
    assert sum(shows(frame, number) for number, frame in enumerate(frames)) >= 18
    assert frames[-1].captured - frames[0].captured >= 19 / 40 - 0.01
    assert said == [f"{path} has ended"]


def test_a_video_that_breaks_off_is_told(tmp_path: Path) -> None:
    path = video(tmp_path / "drive.avi", count=60)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    frames, said = play(path)
    assert 5 < len(frames) < 55
    assert "of some 60 pictures" in said[0]


@pytest.fixture
def recording(foreign: Callable[..., Path]) -> Callable[..., Path]:
    def make(
        topics: tuple[str, ...] = (RAW, CANONICAL), broken: int | None = None, view: View = VIEW, within: str = ""
    ) -> Path:
        entries = []
        for number in range(10):
            if RAW in topics:
                data = encoded(number)[: 500 if number == broken else None]
                content = {"header": header(5 + number * 0.02), "format": "jpeg", "data": data}
                entries.append((within + RAW, COMPRESSED, content))
            if CANONICAL in topics:
                shown = np.full((view.height, view.width), number, np.uint8)
                entries.append((within + CANONICAL, IMAGE, plain(number * 0.02, shown, "mono8")))
        return foreign(entries)

    return make


def test_a_recordings_raw_frames_come_first(recording: Callable[..., Path]) -> None:
    path = recording()
    frames, said = play(path)
    assert len(frames) == 10 and not frames[0].canonical
    assert all(shows(frame, number) for number, frame in enumerate(frames))
    times = [shot.time for shot in open_film(path, CAMERA, VIEW).shots(print)]
    assert np.diff(times) == pytest.approx(0.02)
    assert frames[-1].captured - frames[0].captured >= 9 * 0.02 - 0.01
    assert said == [f"{path} has ended"]


def test_without_them_the_canonical_view_is_handed_on_as_it_is(recording: Callable[..., Path]) -> None:
    frames, _ = play(recording((CANONICAL,)))
    assert all(frame.canonical and np.all(frame.pixels == number) for number, frame in enumerate(frames))
    assert frames[0].pixels.shape == (VIEW.height, VIEW.width)


def test_a_recording_made_under_a_namespace_is_played_alike(recording: Callable[..., Path]) -> None:
    frames, _ = play(recording(within="/team/car1"))
    assert not frames[0].canonical and all(shows(frame, number) for number, frame in enumerate(frames))
    frames, _ = play(recording((CANONICAL,), within="/car1"))
    assert all(frame.canonical and np.all(frame.pixels == number) for number, frame in enumerate(frames))


def test_a_damaged_message_is_left_out_and_told(recording: Callable[..., Path]) -> None:
    frames, said = play(recording(broken=4))
    assert len(frames) == 9
    assert len(said) == 2


def test_a_folder_of_recordings_is_one(recording: Callable[..., Path]) -> None:
    assert len(play(recording().parent)[0]) == 10


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nothing.mp4", None, "there is no such file"),
        ("empty.mp4", b"", "no video that can be played"),
        ("noise.avi", bytes(range(256)) * 40, "no video that can be played"),
        ("drive.doc", b"hello", "cannot be played: give a video"),
        ("drive.mcap", b"hello", "drive.mcap"),
        ("one.jpg", b"\xff\xd8 hello", "not one picture in it that can be shown"),
        ("other.png", encoded(0, (160, 90), ".png"), "other proportions than the 160x120"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OutlapError) as refused:
        Playback(path, CAMERA, VIEW, False, lambda text: None)
    assert words in str(refused.value) and str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutlapError, match="no pictures"):
        Playback(tmp_path, CAMERA, VIEW, False, print)


def test_a_video_of_other_proportions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (320, 180))
    writer.write(numbered((320, 180), 0))
    writer.release()
    with pytest.raises(OutlapError, match="320x180"):
        Playback(path, CAMERA, VIEW, False, print)


def test_another_canonical_view_is_refused(recording: Callable[..., Path]) -> None:
    with pytest.raises(OutlapError, match="the canonical view is 80x48"):
        Playback(recording((CANONICAL,), view=View(width=64)), CAMERA, VIEW, False, print)


def follow(pace: Pace, times: list[float], costs: float = 0.0) -> list[float]:
    """When pictures with ``times`` are shown, each made ``costs`` s after the one before."""
    now, shown = 100.0, []
    for time_ in times:
        due = pace.due(now, time_)
        now = max(due, now)
        pace.shown(now, due, time_)
        shown.append(now - 100.0)
        now += costs
    return shown


def test_the_pace_is_that_of_the_times() -> None:
    assert follow(Pace(0.1), [7.0, 7.1, 7.4, 7.5]) == pytest.approx([0.0, 0.1, 0.4, 0.5])


@pytest.mark.parametrize("times", [[7.0, 3.0, 3.1], [7.0, 900.0, 900.1], [7.0, 7.0, 7.1], [7.0, float("nan"), 7.2]])
def test_a_clock_that_was_set_costs_one_period(times: list[float]) -> None:
    assert follow(Pace(0.1), times) == pytest.approx([0.0, 0.1, 0.2])


def test_a_slow_machine_slows_it_down_without_bursts() -> None:
    pace = Pace(0.1)
    shown = follow(pace, [0.1 * k for k in range(5)], costs=0.25)
    assert np.diff(shown) == pytest.approx(0.25)
    later = 100.0 + shown[-1]
    due = pace.due(later, 0.5)
    assert due == pytest.approx(later + 0.05)
