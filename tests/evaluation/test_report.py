"""How laps compare with the time-optimal one: a figure, or a sentence where there can be none."""

from __future__ import annotations

import pytest

from outlap.driving.laps import Lap
from outlap.evaluation.laps import Trial
from outlap.evaluation.report import Optimal, TrackResult, track_results
from outlap.simulation.randomization import CarRanges, load_randomization
from outlap.simulation.yardstick import quickest

BEST = {"oval": Optimal(flying_s=7.0, standing_s=7.25)}


def trial(*times: float, off_track: int = 0) -> Trial:
    return Trial(
        track="oval",
        seed=0,
        number=0,
        completed=True,
        clean=off_track == 0,
        lap_time_s=sum(times) / len(times),
        off_track=off_track,
        laps=[Lap(time_s=time, off_track=off_track) for time in times],
        left_road_at=[],
        start_m=0,
        mean_speed=2,
    )


def result(*trials: Trial, quicker: float = 1.0, unknown: dict[str, str] | None = None) -> TrackResult:
    (found,) = track_results(trials, {} if unknown else BEST, unknown=unknown, quicker=quicker)
    return found


def test_a_slower_lap_is_a_figure() -> None:
    found = result(trial(7.5), trial(7.6))
    assert found.over_flying == pytest.approx(7.55 / 7, abs=1e-4)
    assert found.over_optimal == pytest.approx(7.55 / 7.25, abs=1e-4)
    assert found.not_compared is None and not found.beaten


def test_a_lap_that_beats_the_yardstick_is_a_sentence_with_both_times_and_no_figure() -> None:
    found = result(trial(7.5), trial(7.4, 6.9))
    assert found.over_optimal is None and found.over_flying is None and found.beaten
    assert found.optimal == BEST["oval"]
    assert found.mean_lap_time_s is not None
    assert "track oval: a clean lap took 6.900 s, and the time-optimal one takes 7.000 s" in str(found.not_compared)


def test_a_short_cut_beats_nothing() -> None:
    found = result(trial(7.5), trial(5.0, off_track=1))
    assert not found.beaten and found.over_flying == pytest.approx(7.5 / 7, abs=1e-4)


def test_a_quicker_car_than_the_one_on_file_may_be_faster() -> None:
    assert not result(trial(6.9), quicker=1.05).beaten
    found = result(trial(6.6), quicker=1.05)
    assert found.beaten and "(6.667 s with the quickest car that may be drawn)" in str(found.not_compared)


def test_why_no_lap_is_optimal_is_kept() -> None:
    found = result(trial(7.5), unknown={"oval": "track oval: no lap was found"})
    assert found.over_optimal is None and not found.beaten
    assert found.not_compared == "track oval: no lap was found"


def test_how_much_quicker_a_drawn_car_may_be() -> None:
    assert quickest(None) == quickest(CarRanges()) == 1
    ranges = {"wheel_radius": {"uniform": [0.9, 1.05]}, "friction": {"choice": [0.5, 1.21]}, "mass": 0.9}
    assert quickest(CarRanges.model_validate(ranges)) == pytest.approx(1.1)
    assert quickest(CarRanges.model_validate({"friction": 0.5, "mass": 2})) == 1
    assert 1.05 < quickest(load_randomization("mild").car) < quickest(load_randomization("full").car) < 1.2
