"""A run's status: the newest measures, the pace of this stage, and no pace from a pause."""

from __future__ import annotations

import pytest

from outlap.learning.runs.run import Progress
from outlap.learning.runs.status import Status


def test_nothing_is_known_before_the_first_report() -> None:
    status = Status()
    assert status.values() == {}
    assert status.line() == "starting"


def test_pace_and_time_left_are_of_this_stage() -> None:
    status = Status()
    for done in range(1, 4):
        status.add(100.0 + done, Progress("tracks", done, 3, {}))
    assert status.line() == "tracks 3/3, 1/s, 0 s left"
    status.add(110.0, Progress("teacher", 1, 11, {"reward": 0.5}))
    assert status.values() == {"stage": "teacher", "done": 1, "total": 11, "reward": 0.5}
    status.add(114.0, Progress("teacher", 3, 11, {"reward": 0.25}))
    values = status.values()
    assert (values["per_second"], values["left_s"]) == pytest.approx((0.5, 16.0))
    assert status.line() == "teacher 3/11, 0.5/s, 16 s left  reward 0.25"
    assert status.reports == 5


def test_a_pause_says_nothing_about_the_pace() -> None:
    status = Status()
    status.add(0.0, Progress("teacher", 1, 10, {}))
    status.add(1.0, Progress("teacher", 2, 10, {}))
    status.paused()
    assert "left_s" not in status.values()
    status.add(1000.0, Progress("teacher", 3, 10, {}))
    status.add(1001.0, Progress("teacher", 4, 10, {}))
    assert status.values()["left_s"] == pytest.approx(6.0)


def test_measures_go_with_their_stage_but_those_of_the_best_policy_last() -> None:
    status = Status()
    status.add(0.0, Progress("teacher", 1, 1, {"reward": 0.5, "clean_laps": 0.75}))
    status.add(1.0, Progress("student", 1, 9, {"loss": 0.1}))
    assert status.line() == "student 1/9  clean_laps 0.75  loss 0.1"
