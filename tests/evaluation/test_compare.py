"""One policy against another: the figures, and the words for them."""

from __future__ import annotations

import pytest

from outlap.errors import OutlapError
from outlap.evaluation.compare import compare
from outlap.evaluation.laps import Trial


def trials(clean: str, times: list[float] | None = None) -> list[Trial]:
    """One lap a character: ``x`` clean, anything else not."""
    return [
        Trial(
            track="ring",
            seed=0,
            number=k,
            completed=True,
            clean=one == "x",
            lap_time_s=9.0 if times is None else times[k],
            off_track=int(one != "x"),
            left_road_at=[],
            start_m=0,
            mean_speed=1,
        )
        for k, one in enumerate(clean)
    ]


def test_the_same_laps_are_no_difference() -> None:
    found = compare("a", trials("xx-x"), "b", trials("xx-x"))
    assert (found.both_clean, found.only_first_clean, found.only_this_clean, found.neither_clean) == (3, 0, 0, 1)
    assert (found.clean_difference, found.p_value, found.time_difference_s) == (0, 1, 0)
    assert found.clean_interval.low < 0 < found.clean_interval.high
    assert found.verdict == "the same laps are clean; lap times are equal"


def test_a_few_laps_could_be_chance() -> None:
    found = compare("a", trials("--xxxxxx"), "b", trials("xxxxxxxx"))
    assert found.clean_difference == 0.25
    assert found.p_value == 0.5
    assert "the difference in clean laps could be chance (2 of the 2 laps that differ go one way, p = 0.5)" in (
        found.verdict
    )


def test_many_laps_are_beyond_chance_unless_much_is_compared() -> None:
    worse, better = trials("-" * 7 + "x" * 13), trials("x" * 20)
    assert compare("a", worse, "b", better).verdict.startswith("more clean laps than the first, beyond chance")
    assert compare("b", better, "a", worse).verdict.startswith("fewer clean laps than the first, beyond chance")
    assert compare("a", worse, "b", better).p_value == pytest.approx(2 / 128, abs=1e-6)
    assert "could be chance" in compare("a", worse, "b", better, comparisons=4).verdict


def test_lap_times_are_compared_where_both_are_clean() -> None:
    slow = trials("xxxxx-", [10.0, 10.2, 10.1, 9.9, 10.0, 99.0])
    fast = trials("xxxx-x", [9.5, 9.6, 9.7, 9.4, 99.0, 1.0])
    found = compare("slow", slow, "fast", fast)
    assert found.time_difference_s == pytest.approx(-0.5)
    assert found.time_interval_s is not None and found.time_interval_s.high < 0
    assert found.verdict.endswith("its laps are 0.500 s faster, beyond chance")
    assert compare("fast", fast, "slow", slow).verdict.endswith("its laps are 0.500 s slower, beyond chance")
    mixed = trials("xxxxxx", [9.9, 10.3, 10.0, 10.0, 10.2, 99.0])
    assert compare("slow", slow, "mixed", mixed).verdict.endswith("the difference in lap times could be chance")
    assert compare("slow", slow, "none", trials("------")).verdict.endswith("so lap times cannot be compared")


def test_other_laps_cannot_be_compared() -> None:
    for others in (trials("xx"), trials("xxxx"), [one.model_copy(update={"seed": 1}) for one in trials("xxx")]):
        with pytest.raises(OutlapError, match="a and b did not drive the same laps"):
            compare("a", trials("xxx"), "b", others)
