"""Car files are changed at a value and nowhere else, and every change can be taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from outlap.calibration.carfile import KEPT, changed, history, undo, write_car
from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.vehicle.car import load_car

TEXT = """# My car
steering:
  max_angle: 0.5   # rad, µ
  list: [1, 2]     # flow
flow: {a: 1, b: [2, 3]} # one line
points:
  - [0.0, 390.0] # the edge

  - [1.0, 400.0]
# the end
last:
  inner:
    a: 1  # one
"""


def test_only_the_value_changes_and_comments_keep_their_column() -> None:
    after = changed(TEXT, {("steering", "max_angle"): 0.4321, ("flow", "b"): [5.0, 6.5]})
    assert after == TEXT.replace("0.5   #", "0.4321 #").replace("0.4321 #", "0.4321 #").replace(
        "[2, 3]}", "[5.0, 6.5]}"
    )
    assert changed(TEXT, {("steering", "list"): [1.0]}) == TEXT.replace("[1, 2]     #", "[1.0]      #")


def test_a_list_keeps_its_style() -> None:
    after = changed(TEXT, {("points",): [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0)]})
    assert "points:\n  - [0.0, 1.0]\n  - [2.0, 3.0]\n  - [4.0, 5.0]\n# the end\n" in after


def test_what_is_missing_is_added_to_its_section() -> None:
    after = changed(TEXT, {("last", "inner", "b"): 2.5, ("flow", "c"): 3.0, ("new", "deep"): 7.0})
    assert "    a: 1  # one\n    b: 2.5\n" in after
    assert "flow: {a: 1, b: [2, 3], c: 3.0} # one line" in after
    assert yaml.safe_load(after)["new"] == {"deep": 7.0}
    assert after.replace("    b: 2.5\n", "").replace(", c: 3.0", "").replace("new:\n  deep: 7.0\n", "") == TEXT


@pytest.mark.parametrize("value", [1.0, -0.5, 1e-5, 3e-9, 1525.0, 0.123456789, 12, 1e12])
def test_numbers_are_read_back_as_they_were(value: float) -> None:
    assert yaml.safe_load(changed("a: 0\n", {("a",): value}))["a"] == pytest.approx(value, abs=1e-9)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text((share_directory() / "config" / "cars" / "deepracer.yaml").read_text())
    return path


def test_a_change_is_checked_kept_and_taken_back(own: Path) -> None:
    before = own.read_text()
    assert write_car(own, {("camera", "height"): 0.131}).camera.height == 0.131
    second = own.read_text()
    assert load_car(own).camera.height == 0.131
    write_car(own, {("camera", "roll"): 0.01, ("camera", "lens", "distortion"): [0.1, 0.0, 0.0, 0.0]})
    assert len(history(own)) == 2
    undo(own)
    assert own.read_text() == second
    undo(own)
    assert own.read_text() == before
    with pytest.raises(OutlapError, match="nothing to undo"):
        undo(own)


def test_what_would_not_be_valid_changes_nothing(own: Path) -> None:
    before = own.read_text()
    with pytest.raises(OutlapError, match=r"mine\.yaml \(unchanged\): .*camera\.height"):
        write_car(own, {("camera", "height"): 2.0})
    with pytest.raises(OutlapError, match="unknown key"):
        write_car(own, {("camera", "hieght"): 0.2})
    assert own.read_text() == before
    assert history(own) == []


def test_a_shipped_car_is_never_changed() -> None:
    path = share_directory() / "config" / "cars" / "deepracer.yaml"
    before = path.read_text()
    with pytest.raises(OutlapError, match="ships with Outlap"):
        write_car(path, {("camera", "height"): 0.2})
    assert path.read_text() == before


def test_what_cannot_be_edited_is_refused(own: Path) -> None:
    text = own.read_text().replace("  pitch: 0.2618 ", "  pitch: &angle 0.2618 ").replace("roll: 0.0", "roll: *angle")
    own.write_text(text)
    with pytest.raises(OutlapError, match="anchors"):
        write_car(own, {("camera", "pitch"): 0.3})
    assert own.read_text() == text


def test_a_key_that_stands_there_twice_is_refused(own: Path) -> None:
    own.write_text(own.read_text().replace("  roll: 0.0", "  height: 0.2\n  roll: 0.0"))
    with pytest.raises(OutlapError, match="holds a key twice"):
        write_car(own, {("camera", "height"): 0.13})


def test_old_states_are_let_go(own: Path) -> None:
    for number in range(KEPT + 3):
        write_car(own, {("camera", "height"): 0.1 + number / 1000})
    assert len(history(own)) == KEPT
    undo(own)
    assert load_car(own).camera.height == pytest.approx(0.1 + (KEPT + 1) / 1000)
