"""A drawn car as Gazebo's own program makes SDF of it; runs where that is."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from outlap.gazebo.model import car_sdf, car_urdf
from outlap.gazebo.randomize import draw_episode, drawn_car
from outlap.simulation.randomization import Randomization
from outlap.track.track import Track
from outlap.vehicle.car import Car

pytestmark = pytest.mark.usefixtures("gazebo")


def test_mass_friction_noise_mount_and_lens_are_in_the_model(ring: Track, car: Car) -> None:
    given = {
        "look": {"noise": 5},
        "camera": {"height": 1.2, "focal_length": 0.9},
        "car": {"mass": 1.2, "friction": 0.8},
    }
    episode = draw_episode(Randomization.model_validate(given), ring, car, np.random.default_rng(0))
    drawn, base = (ElementTree.fromstring(text) for text in (drawn_car(episode), car_sdf(car_urdf(car.name))))

    def number(root: ElementTree.Element, path: str) -> float:
        return float(root.findtext(f".//{path}") or "nan")

    def total(root: ElementTree.Element) -> float:
        return sum(float(mass.text or 0) for mass in root.iter("mass"))

    assert total(drawn) == pytest.approx(1.2 * total(base), rel=1e-3)
    assert number(drawn, "friction/ode/mu") == pytest.approx(0.8 * number(base, "friction/ode/mu"), rel=1e-3)
    assert number(drawn, "camera/noise/stddev") == pytest.approx(5 / 255, rel=1e-3)
    tangents = [math.tan(number(root, "camera/horizontal_fov") / 2) for root in (drawn, base)]
    assert tangents[0] == pytest.approx(tangents[1] / 0.9, rel=1e-3)
    heights = [float((root.findtext(".//sensor/pose") or "").split()[2]) for root in (drawn, base)]
    assert heights[0] == pytest.approx(1.2 * heights[1], rel=1e-3)
