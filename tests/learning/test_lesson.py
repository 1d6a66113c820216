"""A lesson, tiny: what it leaves, that it goes on, and that the run that it goes on from stays as it was."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.learning.live.lesson import Lesson, load_live
from outlap.learning.live.moments import SECOND, Moment
from outlap.learning.recipes.stage import Progress
from outlap.learning.runs.control import Control, StoppedError
from outlap.learning.runs.folder import RunFolder
from outlap.policy.file import load_policy
from outlap.track.track import Track
from outlap.vehicle.car import Car

pytestmark = pytest.mark.slow

RADIUS, TURN = 1.2, 0.05  # m and rad from moment to moment
MOMENTS = 380  # three laps


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run."""
    shutil.copytree(finished_run, tmp_path / "run")
    return tmp_path / "run"


def teach(lesson: Lesson, laps_from: int = 0) -> None:
    """Three laps round the ring."""
    rng = np.random.default_rng(0)
    for k in range(laps_from, laps_from + MOMENTS):
        angle = k * TURN
        state = np.array([RADIUS * np.cos(angle), RADIUS * np.sin(angle), angle + np.pi / 2, 1.5, 0, 1.2, 0.1])
        picture = rng.integers(0, 255, (48, 80), np.uint8)
        lesson.add(Moment(SECOND + k * SECOND // 30, picture, np.full((2, 2), 0.5, np.float32), state, min(k, 9)))


def given(minutes: float = MOMENTS / 30 / 60, laps: int = 9) -> Any:
    return load_live(minutes=minutes, laps=laps, rehearsal=4, tracks=1, batches=0.1, batch=8, exchange_s=1, save_s=3)


def test_a_lesson_leaves_policies_and_a_summary_and_the_run_as_it_was(run: Path, ring: Track, car: Car) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    told: list[Progress] = []
    lesson = Lesson(run, ring, car, given(), told.append)
    teach(lesson)
    assert lesson.run() == RunFolder(run).live.policy_file
    assert {path: path.read_bytes() for path in before} == before
    first, best, newest = (
        load_policy(path, car=car)
        for path in (RunFolder(run).policy_file, lesson.folder.policy_file, lesson.folder.driving_file)
    )
    assert newest.digest != first.digest
    assert best.contract == newest.contract == first.contract
    summary = json.loads(lesson.folder.summary_file.read_text())
    assert (summary["clean_laps"], summary["put_back"], summary["clean_when_kept"]) == (3, 0, 1.0)
    assert summary["driven_minutes"] == pytest.approx(MOMENTS / 30 / 60, abs=1e-3)
    assert summary["gradient_steps"] > 0
    typed = lesson.folder.summary()
    assert typed is not None and not typed.model_extra
    assert (typed.clean_laps, typed.episodes[0][1]) == (3, "CLEAN")
    assert told
    assert told[-1].stage == "live"
    assert told[-1].measures["laps"] > 0


def test_a_lesson_that_was_stopped_goes_on_and_a_new_one_builds_on_the_last(run: Path, ring: Track, car: Car) -> None:
    control = Control()
    lesson = Lesson(run, ring, car, given(minutes=9), None, control)
    teach(lesson)

    def stop(progress: Progress) -> None:
        if progress.done >= 10:
            control.stop()

    lesson._tell = stop
    with pytest.raises(StoppedError):
        lesson.run()
    held = json.loads(lesson.folder.summary_file.read_text())
    again = Lesson(run, ring, car, given())
    teach(again)
    again.run()
    summary = json.loads(lesson.folder.summary_file.read_text())
    assert summary["driven_minutes"] > held["driven_minutes"] > 0.1
    assert summary["pictures_learned_from"] > held["pictures_learned_from"]
    assert summary["gradient_steps"] >= held["gradient_steps"]
    # That one is over: the next begins to count anew, with all that was seen.
    third = Lesson(run, ring, car, given())
    teach(third)
    third.run()
    after = json.loads(lesson.folder.summary_file.read_text())
    assert after["driven_minutes"] == pytest.approx(MOMENTS / 30 / 60, abs=1e-3)
    assert after["pictures_learned_from"] == summary["pictures_learned_from"] + MOMENTS


def test_a_pause_stops_learning_and_a_silent_simulator_only_makes_it_wait(run: Path, ring: Track, car: Car) -> None:
    control = Control()
    lesson = Lesson(run, ring, car, given(), None, control)
    thread = threading.Thread(target=lesson.run)
    thread.start()
    while not lesson.folder.driving_file.is_file():
        thread.join(0.05)
    control.save()
    control.pause()
    while not control.saved:
        thread.join(0.05)
    teach(lesson)
    thread.join(0.3)
    assert thread.is_alive()
    control.proceed()
    thread.join(60)
    assert not thread.is_alive()
    assert lesson.folder.kept_policy(0).is_file()


def test_a_folder_that_cannot_be_written_ends_it_in_one_sentence(run: Path, ring: Track, car: Car) -> None:
    RunFolder(run).live_folder.write_text("in the way")
    policy = RunFolder(run).policy_file.read_bytes()
    with pytest.raises(OutlapError, match="live is not a folder"):
        Lesson(run, ring, car, given())
    assert RunFolder(run).policy_file.read_bytes() == policy


def test_only_a_finished_run_with_a_teacher_can_be_gone_on_from(
    run: Path, ring: Track, car: Car, tmp_path: Path
) -> None:
    with pytest.raises(OutlapError, match="holds no run to go on from"):
        Lesson(tmp_path / "nothing", ring, car, given())
    index = RunFolder(run).checkpoint_index
    whole = json.loads(index.read_text())
    index.write_text(json.dumps({**whole, "about": {**whole["about"], "finished": False}}))
    with pytest.raises(OutlapError, match="is not finished"):
        Lesson(run, ring, car, given())
    other = car.model_copy(update={"drive": car.drive.model_copy(update={"max_speed": 0.5})})
    index.write_text(json.dumps(whole))
    with pytest.raises(OutlapError, match="cannot drive the car"):
        Lesson(run, ring, other, given())
