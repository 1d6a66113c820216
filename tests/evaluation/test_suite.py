"""The perturbation suite: every row goes beyond training, and changes nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from outlap.errors import OutlapError
from outlap.evaluation.suite import Row, Suite, chosen, disturbed, load_suite
from outlap.simulation.distribution import Distribution
from outlap.simulation.randomization import load_randomization

SUITE = load_suite()
SECTIONS = ("look", "camera", "picture", "car")
# Rows of things that are there or not: they always are what training shows now and then.
JOINED = {"no_centre_line", "missing_line"}


def given(row: Row) -> dict[tuple[str, str], Distribution]:
    return {
        (section, key): getattr(getattr(row, section), key)
        for section in SECTIONS
        if getattr(row, section) is not None
        for key in type(getattr(row, section)).model_fields
        if getattr(getattr(row, section), key) is not None
    }


@pytest.mark.parametrize("name", SUITE.rows)
def test_each_row_lies_beyond_what_training_draws(name: str) -> None:
    full = load_randomization("full")
    beyond = []
    for (section, key), distribution in given(SUITE.rows[name]).items():
        trained = getattr(getattr(full, section), key)
        low, high = min(a for a, _ in trained.support), max(b for _, b in trained.support)
        drawn = distribution.draw(np.random.default_rng(0), 50)
        beyond.append(bool(((drawn < low) | (drawn > high)).all()))
    assert any(beyond) != (name in JOINED), f"{name} tries nothing that full does not train with"


@pytest.mark.parametrize("base", ["off", "full", "validation"])
def test_rows_change_only_their_keys(base: str) -> None:
    under = load_randomization(base)
    for name, row in SUITE.rows.items():
        content = disturbed(under, name, row).model_dump(exclude_none=True)
        for (section, key), distribution in given(row).items():
            assert content[section].pop(key) == distribution.model_dump()
            for what in (content, left := under.model_dump(exclude_none=True)):
                what.get(section, {}).pop(key, None)
            if not content[section] and section not in left:
                del content[section]
        expected = under.model_dump(exclude_none=True)
        for section, key in given(row):
            expected.get(section, {}).pop(key, None)
        assert content == expected


def test_rows_are_chosen_by_name() -> None:
    assert list(chosen(SUITE, [])) == list(SUITE.rows)
    assert list(chosen(SUITE, ["glare", "friction_low"])) == ["friction_low", "glare"]
    with pytest.raises(OutlapError, match="the suite has no row 'frictoin_low': choose from friction_low, friction_hi"):
        chosen(SUITE, ["frictoin_low"])


def test_a_suite_of_ones_own_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("rows:\n  ice: {says: ice, car: {friction: 0.2}}\n")
    assert load_suite(path) == Suite(rows={"ice": Row.model_validate({"says": "ice", "car": {"friction": 0.2}})})
    for content, message in (
        ("rows: {}", "rows"),
        ("rows:\n  ice: {car: {friction: 0.2}}", "rows.ice.says: missing"),
        ("rows:\n  ice: {says: ice, car: {frictoin: 0.2}}", "rows.ice.car.frictoin: unknown key"),
        ("rows:\n  ice: {says: ice, car: {friction: .nan}}", "rows.ice.car.friction"),
        ("rows:\n  Ice!: {says: ice}", "rows.Ice!"),
    ):
        path.write_text(content)
        with pytest.raises(OutlapError) as refusal:
            load_suite(path)
        assert str(refusal.value).startswith(f"{path}: the suite is refused: ")
        assert message in str(refusal.value)
    with pytest.raises(
        OutlapError, match=r"there is no suite named 'hard': give a .yaml file, or one of perturbations"
    ):
        load_suite("hard")
