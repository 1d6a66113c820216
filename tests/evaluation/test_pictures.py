"""Pictures of an evaluation: what they show of a car that drives round, and of one that leaves the road."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from outlap.driving.choice import LineDriver, PolicyDriver
from outlap.errors import OutlapError
from outlap.evaluation import pictures
from outlap.evaluation.assess import Assessment, Plan, assess
from outlap.evaluation.suite import chosen, load_suite
from outlap.simulation.randomization import OFF
from outlap.track.track import Track
from outlap.vehicle.car import Car

Constant = Callable[..., Path]


def assessed(driver: PolicyDriver | LineDriver, ring: Track, car: Car, rows: tuple[str, ...] = ()) -> Assessment:
    plan = Plan([ring], 2, [0], "off", OFF, chosen(load_suite(), rows) if rows else {})
    return assess(driver, car, plan, 1, traced=True)


@pytest.mark.slow
def test_a_picture_for_each_track_and_one_of_the_suite(ring: Track, car: Car, tmp_path: Path) -> None:
    found = assessed(LineDriver(1.5), ring, car, ("friction_low", "trim"))
    assert pictures.draw_all(tmp_path / "deep", [ring], found) == 2
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"ring.png", "perturbations.png"}
    for path in (tmp_path / "deep").iterdir():
        image = imread(path)
        assert image.shape[1] > 600
        assert 0.5 < image[..., :3].mean() < 0.99  # neither black nor empty
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    with pytest.raises(OutlapError, match="cannot write"):
        pictures.draw_all(blocked, [ring], found)


@pytest.mark.slow
def test_the_laps_of_a_heat_are_drawn_one_after_the_other(ring: Track, car: Car, tmp_path: Path) -> None:
    plan = Plan([ring], 1, [0], "off", OFF, {}, laps_in_a_row=3, from_line=True)
    found = assess(LineDriver(1.5), car, plan, 1, traced=True)
    rows, length = found.traces[0].rows, 2 * np.pi * 1.2
    drawn = pictures._broken_at_the_line(rows, length)
    breaks = np.flatnonzero(np.isnan(drawn[:, pictures.S]))
    assert len(breaks) in (2, 3)  # between the laps; the car's middle may be over the line before base_link at the end
    np.testing.assert_array_equal(np.delete(drawn, breaks, axis=0), rows)
    for lap in np.split(drawn[:, pictures.S], breaks):
        assert (np.diff(lap[np.isfinite(lap)]) > -1e-3).all()
    assert pictures.draw_all(tmp_path, [ring], found) == 1


def test_leaving_the_road_is_marked_where_it_happened(constant_policy: Constant, ring: Track, car: Car) -> None:
    found = assessed(PolicyDriver.load(constant_policy(0.0, 2.0), car), ring, car)
    axes = Figure().add_subplot()
    pictures._left_road(axes, found.evaluation.trials)
    (marks,) = axes.lines
    x, y = (np.asarray(values, dtype=float) for values in marks.get_data())
    assert len(x) == sum(trial.off_track for trial in found.evaluation.trials) > 0
    assert np.hypot(x, y).min() > 1.6  # beyond the outer border
    legend = axes.get_legend()
    assert legend is not None and f"left the road ({len(x)} times)" in legend.get_texts()[0].get_text()


def test_the_reward_map_is_the_mean_of_the_steps_in_each_cell(ring: Track, car: Car) -> None:
    found = assessed(LineDriver(1.5), ring, car)
    figure = Figure()
    axes = figure.add_subplot()
    pictures._reward_map(axes, found.traces)
    cells = np.ma.filled(axes.collections[0].get_array(), np.nan)
    # 1 is the speed limit along the centre line; the fastest line lies further inside, where the lap is shorter.
    assert 1.0 < np.nanmax(cells) < 1.5
    assert 0.02 < np.isfinite(cells).mean() < 0.3  # a ring of cells


@pytest.mark.slow
def test_a_reward_file_of_ones_own_is_shown(constant_policy: Constant, ring: Track, car: Car, tmp_path: Path) -> None:
    path = tmp_path / "reward.py"
    path.write_text("def reward_function(params):\n    return 3.0 + params['speed']\n")
    plan = Plan([ring], 2, [0], "off", OFF, {})
    driver = PolicyDriver.load(constant_policy(1 / 1.2, 1.5), car)
    traces = assess(driver, car, plan, 1, traced=True, reward=path).traces
    for trace in traces:
        assert trace.rows[:, pictures.REWARD] == pytest.approx(np.full(len(trace.rows), 4.5), abs=1e-5)
    path.write_text("def reward_function(params):\n    return params['sped']\n")
    with pytest.raises(OutlapError, match=r"reward\.py, line 2"):
        assess(driver, car, plan, 1, traced=True, reward=path)
