"""Real DeepRacer routes, where they lie beside the checkout: each loads, both ways, and its road is found whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from outlap.track.formats import load_track, save_track
from outlap.track.geometry import TrackSet
from outlap.track.measure import measure

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "tracks"
# Length and least width in m, as published with the routes.
ROUTES = {
    "Oval_track": (19.5, 0.61),
    "reinvent_base": (17.7, 0.76),
    "Bowtie_track": (17.4, 0.61),
    "Mexico_track": (20.5, 0.66),
    "Tokyo_Training_track": (22.6, 0.65),
    "Vegas_track": (22.6, 1.07),
    "China_track": (22.9, 0.66),
    "reInvent2019_track": (23.1, 1.07),
    "2022_march_open": (48.1, 1.07),
    "Spain_track": (60.0, 0.88),
    "Monaco": (60.3, 1.42),
    "AWS_track": (69.3, 0.61),
}


def route(name: str) -> Path:
    path = FOLDER / f"{name}.npy"
    if not path.is_file():
        pytest.skip(f"the real routes are not part of the project and do not lie in {FOLDER}")
    return path


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", ROUTES)
def test_route(name: str, backwards: bool, tmp_path: Path) -> None:
    track = load_track(route(name))
    track = track.reversed() if backwards else track
    length, width = ROUTES[name]
    figures = measure(track)
    assert figures.length == pytest.approx(length, abs=0.1)
    assert figures.least_width == pytest.approx(width, abs=0.16)

    cars = TrackSet([track])
    s = np.arange(0.0, cars.length[0], 0.05)
    center, heading = cars.pose(0, s)
    located = cars.locate(0, center, s)
    assert located.on_road.all()
    np.testing.assert_allclose(located.s, s, atol=2e-3)
    assert np.abs(np.diff(np.unwrap(heading))).max() < 0.2
    assert np.abs(located.curvature).max() < 3.5  # 1/m, what a 1/18 car can steer
    middle, half_width = cars.middle(0, s)
    beside = cars.locate(0, middle, s)
    assert (np.minimum(beside.left, beside.right) > 0.9 * half_width).all()
    assert (half_width > 0.29).all()

    save_track(track, tmp_path / "again.npy")
    again = load_track(tmp_path / "again.npy")
    np.testing.assert_array_equal(again.center, track.center)
    np.testing.assert_array_equal(again.left, track.left)
