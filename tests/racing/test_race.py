"""A short race without ROS: its figures, its files, and what it refuses."""

from __future__ import annotations

import io
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from rich.console import Console

from outlap.errors import OutlapError
from outlap.racing.latency import KEEP, Latency
from outlap.racing.preflight import check_race, clear_results
from outlap.racing.race import Race, report
from outlap.racing.result import RESULT_FILES, Result, lap_table
from outlap.track.footing import Pose
from outlap.track.track import Track
from outlap.vehicle.car import Car

RADIUS, SPEED = 1.2, 1.5  # m, m/s
STEP, FRAME = 1 / 120, 4  # s, steps


@pytest.fixture(scope="module")
def race(ring: Track, car: Car) -> Race:
    """One clean lap, filmed, at 0.8 of real time, each frame reaching the actuator after 10 ms."""
    race = Race(ring, car, Path("some/policy.onnx"), laps=1)
    race.actuator(0, 0.0, 0.0, 0.0)
    race.raw_image(0, 0.0, np.zeros((120, 160, 3), np.uint8))  # before the start nothing counts
    race.view_image(0.0, np.full((48, 80), 200, np.uint8))
    race.start(10.0, 500.0)
    step = 0
    while not race.finished:
        step += 1
        time, now = 10.0 + step * STEP, 500.0 + step * STEP / 0.8
        angle = SPEED * step * STEP / RADIUS
        pose = Pose(RADIUS * math.cos(angle), RADIUS * math.sin(angle), angle + math.pi / 2)
        race.step(time, now, pose, SPEED + 0.5 * math.sin(angle))
        if step % FRAME == 0:
            picture = np.zeros((120, 160, 3), np.uint8)
            picture[..., 0] = 200  # red
            race.raw_image(step, now, picture)
            race.view_image(now, np.full((48, 80), 200, np.uint8))
            race.actuator(step, now + 0.01, 0.3, SPEED / car.axles.wheel_radius)
    race.stopped("no command from the policy for 0.16 s")
    return race


def test_result(race: Race) -> None:
    result = race.result()
    assert result.completed
    assert (result.track, result.policy, result.clean_laps) == ("ring", "some/policy.onnx", 1)
    assert result.laps[0].time_s == pytest.approx(2 * math.pi * RADIUS / SPEED, abs=0.01)
    assert result.real_time_factor == pytest.approx(0.8, abs=1e-3)
    assert result.camera_hz == pytest.approx(24, abs=0.3)
    assert result.frame_to_actuator_ms.p50 == pytest.approx(10.0, abs=0.01)
    assert result.frame_to_actuator_ms.count == len(race.film)
    assert [stop.reason for stop in result.stops] == ["no command from the policy for 0.16 s"]


def test_progress_is_told_in_one_line(ring: Track, car: Car) -> None:
    race = Race(ring, car, Path("policy.onnx"), laps=1, time_limit=60.0)
    race.start(10.0, 500.0)
    assert race.progress() == "lap 1: 0%, 0.00 m/s so far, 60 s left of the time limit"
    for step in range(1, 121):
        angle = SPEED * step * STEP / RADIUS
        race.step(10.0 + step * STEP, 0.0, Pose(RADIUS * math.cos(angle), RADIUS * math.sin(angle), angle), SPEED)
    assert race.progress() == "lap 1: 20%, 1.50 m/s so far, 59 s left of the time limit"


@pytest.mark.slow
def test_the_films_progress_is_told_now_and_then(
    race: Race, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = itertools.count(step=0.125)  # s, exactly
    report(race, race.result(), tmp_path, clock=lambda: next(times))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("drive.mp4: ")]
    assert len(lines) == len(race.film) // 40
    assert lines[0].startswith(f"drive.mp4: {40 / len(race.film):.0%}, 8 frames/s, ")


def test_a_race_that_never_began_has_a_result_too(ring: Track, car: Car) -> None:
    result = Race(ring, car, Path("policy.onnx"), laps=3).result()
    assert (result.completed, result.laps, result.camera_hz) == (False, [], 0.0)
    assert result.frame_to_actuator_ms.p50 is None


@pytest.mark.slow
def test_report_writes_what_was_promised_and_nothing_else(race: Race, tmp_path: Path) -> None:
    second = tmp_path / "elsewhere" / "second.json"
    report(race, race.result(), tmp_path / "out", second)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(RESULT_FILES)
    content = json.loads((tmp_path / "out" / "result.json").read_text())
    assert content == json.loads(second.read_text())
    assert {"track", "policy", "laps", "clean_laps", "completed", "camera_hz", "real_time_factor"} <= content.keys()
    assert content["laps"][0]["off_track"] == 0
    assert {"p50", "p99"} <= content["frame_to_actuator_ms"].keys()
    assert Result.model_validate(content) == race.result()


@pytest.mark.slow
def test_the_film_plays_everywhere_and_shows_picture_view_and_bars(race: Race, tmp_path: Path) -> None:
    done: list[int] = []
    race.film.write(tmp_path / "drive.mp4", done.append)
    assert done == list(range(1, len(race.film) + 1))
    with av.open(str(tmp_path / "drive.mp4")) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 30
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
    assert len(frames) == len(race.film)
    last = frames[-1].astype(int)
    assert last.shape == (544, 640, 3)
    red, grey = last[300, 320], last[40, 560]
    assert red[0] > 150
    assert red[1:].max() < 60
    assert np.ptp(grey) < 20
    assert grey[0] == pytest.approx(200, abs=15)
    # Steering 0.3 rad to the left fills the bar to the left of its middle only; 1.5 of 4 m/s fills 3/8 of the other.
    orange = (last[522] - np.array((255, 170, 60)))[:, :].__abs__().max(axis=1) < 40
    assert 60 < orange[:160].sum() < 100
    assert orange[163:320].sum() == 0
    assert orange[330:].sum() == pytest.approx(3 / 8 * 288, abs=8)


def test_an_empty_film_is_refused_by_no_player_because_it_is_not_written(ring: Track, car: Car, tmp_path: Path) -> None:
    race = Race(ring, car, Path("policy.onnx"), laps=3)
    report(race, race.result(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lap.png", "result.json"]


@pytest.mark.slow
def test_the_picture_shows_road_and_line(race: Race, tmp_path: Path) -> None:
    report(race, race.result(), tmp_path)
    picture = cv2.imread(str(tmp_path / "lap.png"))
    assert picture is not None
    assert min(picture.shape[:2]) > 600
    road = (np.abs(picture.astype(int) - np.array((0xDC, 0xD9, 0xD9))).max(axis=2) < 4).mean()
    assert 0.1 < road < 0.6
    colourful = (np.ptp(picture.astype(int), axis=2) > 120).mean()
    assert colourful > 0.01


def test_the_lap_table_can_be_read(race: Race) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(lap_table(race.result()))
    text = console.export_text()
    assert "ring: completed" in text
    assert f"{race.laps[0].time_s:.2f} s" in text


def test_latency_pairs_a_stamp_once_and_forgets_what_was_never_acted_on() -> None:
    latency = Latency()
    for stamp in range(KEEP + 10):
        latency.image(stamp, stamp * 1.0)
    latency.actuator(3, 500.0)  # forgotten
    latency.actuator(KEEP, KEEP + 0.02)
    latency.actuator(KEEP, KEEP + 9.0)  # the same command again
    latency.actuator(KEEP + 5, KEEP + 5.04)
    figures = latency.milliseconds()
    assert (figures.p50, figures.max, figures.count) == (30.0, 40.0, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"laps": 0}, "at least 1"),
        ({"track": "nowhere"}, "no track 'nowhere'"),
        ({"car": "nothing"}, "no car named 'nothing'"),
        ({"policy": Path("missing.onnx")}, "missing.onnx"),
        ({"out": Path("/proc/race")}, "cannot write to /proc/race"),
        ({"json": Path("/proc/x/result.json")}, "cannot write to /proc/x"),
    ],
)
def test_preflight_refuses_in_one_sentence(
    constant_policy: Callable[[float, float], Path], ring_path: Path, tmp_path: Path, change: dict, words: str
) -> None:
    given = {"policy": constant_policy(0.0, 1.0), "track": str(ring_path), "laps": 3, "json": None, "car": "deepracer"}
    given["out"] = tmp_path
    check_race(**given)
    with pytest.raises(OutlapError, match=words) as error:
        check_race(**(given | change))
    assert "\n" not in str(error.value)


def test_clearing_removes_an_earlier_race_only(tmp_path: Path) -> None:
    for name in (*RESULT_FILES, "policy.onnx"):
        (tmp_path / name).write_text("old")
    clear_results(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["policy.onnx"]
    (tmp_path / "result.json").mkdir()
    with pytest.raises(OutlapError, match=r"result\.json is a folder"):
        clear_results(tmp_path)


def test_a_refused_race_leaves_no_folder(
    constant_policy: Callable[[float, float], Path], ring_path: Path, tmp_path: Path
) -> None:
    policy, before = constant_policy(0.0, 1.0), sorted(tmp_path.rglob("*"))
    with pytest.raises(OutlapError, match="cannot write to /proc/x"):
        check_race(policy, str(ring_path), 3, Path("/proc/x/r.json"), tmp_path / "a" / "b", "deepracer")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_race_without_end_keeps_nothing_that_grows(ring: Track, car: Car) -> None:
    race = Race(ring, car, Path("policy.onnx"), laps=0)
    race.start(0.0, 0.0)
    for step in range(1, 3 * round(2 * math.pi * RADIUS / SPEED * 30)):
        angle = SPEED * step / 30 / RADIUS
        pose = Pose(RADIUS * math.cos(angle), RADIUS * math.sin(angle), angle + math.pi / 2)
        race.step(step / 30, step / 30, pose, SPEED)
        race.raw_image(step, step / 30, np.zeros((120, 160, 3), np.uint8))
        race.actuator(step, step / 30 + 0.01, 0.3, SPEED / car.axles.wheel_radius)
    assert len(race.laps) == 2
    assert not race.finished
    assert (len(race.line), len(race.film)) == (0, 0)
    assert 0 < race.latency().count < 200, "of the lap under way"
